"""Deploying: verified first, all at once, and gone back from by one command."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ebbflow.agents.bundle import load_bundle, write_bundle
from ebbflow.configs.cli import main
from ebbflow.configs.messages import ConfigError
from ebbflow.serving.deploy import place
from ebbflow.serving.deploy.place import deploy, roll_back
from ebbflow.serving.deploy.proof import prove
from ebbflow.serving.deploy.record import locked, read_deployment, write_deployment
from ebbflow.serving.deploy.registry import parse_source

from ...agents.bundle.graphs import manifest, model  # noqa: TID252
from .conftest import MakeBundle, constant


def names(folder: Path) -> list[str]:
    made = read_deployment(folder)
    return [slot.name for slot in (*([made.champion] if made.champion else []), *made.previous)]


def test_champions_follow_each_other_and_go_back_by_one_command(tmp_path: Path, bundle: MakeBundle) -> None:
    folder, said = tmp_path / "deployment", []
    for name, share in (("one", 0.1), ("two", 0.2), ("three", 0.3)):
        deploy(str(bundle(name, share)), folder, say=said.append)
    assert names(folder) == ["three", "two", "one"]
    assert "agree to" in said[1]
    assert roll_back(folder).champion.name == "two"  # type: ignore[union-attr]
    roll_back(folder)
    assert names(folder) == ["one"]
    with pytest.raises(ConfigError, match="no champion before"):
        roll_back(folder)
    deploy(str(tmp_path / "made" / "two"), folder)
    assert names(folder) == ["two", "one"]


def test_a_deployed_bundle_is_what_was_verified_byte_for_byte(tmp_path: Path, bundle: MakeBundle) -> None:
    source, folder = bundle("one", 0.1), tmp_path / "deployment"
    made = deploy(str(source), folder)
    assert made.champion is not None
    kept = folder / made.champion.place
    assert load_bundle(kept).digest == load_bundle(source).digest == made.champion.sha256
    assert sorted(path.name for path in kept.iterdir()) == sorted(path.name for path in source.iterdir())
    for path in kept.iterdir():
        assert path.read_bytes() == (source / path.name).read_bytes()


def test_only_what_can_be_gone_back_to_is_kept(tmp_path: Path, bundle: MakeBundle) -> None:
    folder = tmp_path / "deployment"
    for at in range(9):
        deploy(str(bundle(f"b{at}", 0.1 * at)), folder)
    assert names(folder) == ["b8", "b7", "b6", "b5", "b4", "b3"]
    assert len(list((folder / "bundles").iterdir())) == 6
    assert not [path for path in folder.iterdir() if path.name.startswith(".fetch")]


@pytest.mark.parametrize("damage", ["changed", "missing", "link", "other digest"])
def test_a_bundle_that_is_not_what_it_says_is_not_deployed(tmp_path: Path, bundle: MakeBundle, damage: str) -> None:
    folder, good, bad = tmp_path / "deployment", bundle("good", 0.1), bundle("bad", 0.2)
    deploy(str(good), folder)
    before = (folder / "deployment.json").read_bytes()
    asked = str(bad)
    if damage == "changed":
        (bad / "model.onnx").write_bytes(constant(0.3))
    elif damage == "missing":
        (bad / "manifest.json").unlink()
    elif damage == "link":
        (bad / "model.onnx").unlink()
        (bad / "model.onnx").symlink_to("/etc/passwd")
    else:
        asked += "#" + "0" * 64
    with pytest.raises(ConfigError):
        deploy(asked, folder)
    assert (folder / "deployment.json").read_bytes() == before
    assert len(list((folder / "bundles").iterdir())) == 1


def test_a_graph_that_answers_nonsense_is_not_deployed(tmp_path: Path) -> None:
    for name, share in (("too much", 2.0), ("no number", np.nan)):
        write_bundle(tmp_path / name, constant(share), manifest())
        with pytest.raises(ConfigError, match=r"outside \[-1, 1\] or no number"):
            deploy(str(tmp_path / name), tmp_path / "deployment")
    assert not (tmp_path / "deployment" / "deployment.json").exists()


def test_the_proof_compares_with_the_reference_and_takes_the_time(tmp_path: Path) -> None:
    made = write_bundle(tmp_path / "b", constant(0.25), manifest())
    proof = prove(made)
    assert proof.fleets == 12
    assert proof.worst <= proof.tolerance == 1e-4
    assert 0.0 < proof.ms_100 < 1000.0


def test_an_answer_that_is_apart_from_the_reference_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = write_bundle(tmp_path / "b", model(), manifest())
    monkeypatch.setattr("ebbflow.serving.deploy.proof.run_graph", lambda *case: np.full_like(case[1].mask, 0.5))
    with pytest.raises(ConfigError, match="away from ONNX's reference"):
        prove(made)


def test_a_crash_while_writing_leaves_the_old_deployment(
    tmp_path: Path, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deployment"
    deploy(str(bundle("one", 0.1)), folder)
    other = bundle("two", 0.2)

    def broken(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", broken)
        with pytest.raises(OSError, match="no space"):
            deploy(str(other), folder)
    assert names(folder) == ["one"]
    assert not [path for path in folder.iterdir() if path.suffix == ".part"]
    deploy(str(other), folder)
    assert names(folder) == ["two", "one"]


def test_a_bundle_that_was_damaged_in_its_place_is_not_gone_back_to(tmp_path: Path, bundle: MakeBundle) -> None:
    folder = tmp_path / "deployment"
    first = deploy(str(bundle("one", 0.1)), folder).champion
    deploy(str(bundle("two", 0.2)), folder)
    assert first is not None
    shutil.rmtree(folder / first.place)
    with pytest.raises((ConfigError, FileNotFoundError)):
        roll_back(folder)
    assert names(folder) == ["two", "one"]
    (folder / first.place).mkdir()
    deploy(str(tmp_path / "made" / "one"), folder)
    assert load_bundle(folder / first.place).digest == first.sha256, "deployed again, it is mended"


def test_challengers_come_and_go_beside_the_champion(tmp_path: Path, bundle: MakeBundle) -> None:
    folder = tmp_path / "deployment"
    deploy(str(bundle("one", 0.1)), folder)
    with pytest.raises(ConfigError, match="champion already"):
        deploy(str(tmp_path / "made" / "one"), folder, challenger=True)
    made = deploy(str(bundle("two", 0.2)), folder, challenger=True, canary_share=0.25)
    assert (made.champion.name, made.challenger.name, made.canary_share) == ("one", "two", 0.25)  # type: ignore[union-attr]
    crowned = deploy(str(tmp_path / "made" / "two"), folder)
    assert (crowned.champion.name, crowned.challenger, crowned.canary_share) == ("two", None, 0.0)  # type: ignore[union-attr]
    deploy(str(bundle("three", 0.3)), folder, challenger=True)
    assert roll_back(folder, challenger=True).challenger is None
    with pytest.raises(ConfigError, match="no challenger"):
        roll_back(folder, challenger=True)


def test_two_at_once_do_not_mix(tmp_path: Path, bundle: MakeBundle) -> None:
    folder = tmp_path / "deployment"
    with locked(folder), pytest.raises(ConfigError, match="another process is deploying"):
        deploy(str(bundle("one", 0.1)), folder)


@pytest.mark.parametrize("source", ["models:/x", "models:/x@", "models:/@a", "models:/x/one", "models:/a/b@c"])
def test_a_source_that_names_no_version_is_refused(source: str) -> None:
    with pytest.raises(ConfigError, match=r"write models:/NAME@ALIAS or models:/NAME/VERSION"):
        parse_source(source)


def test_sources_are_read() -> None:
    assert parse_source("models:/ebbflow-home-texas@champion") == ("ebbflow-home-texas", "champion", "")
    assert parse_source("models:/n/12") == ("n", "", "12")


def test_a_record_that_cannot_be_read_is_refused(tmp_path: Path, bundle: MakeBundle) -> None:
    folder = tmp_path / "deployment"
    with pytest.raises(FileNotFoundError, match="no deployment"):
        read_deployment(folder)
    deploy(str(bundle("one", 0.1)), folder)
    document = json.loads((folder / "deployment.json").read_text())
    for wrong in ({**document, "schema_version": 2}, {**document, "more": 1}, {**document, "canary_share": 2}, []):
        (folder / "deployment.json").write_text(json.dumps(wrong))
        with pytest.raises(ConfigError):
            read_deployment(folder)
    escaping = {**document, "champion": {**document["champion"], "sha256": "../../../etc"}}
    (folder / "deployment.json").write_text(json.dumps(escaping))
    with pytest.raises(ConfigError, match="sha256"):
        read_deployment(folder)


def test_the_commands_say_what_is_deployed(
    tmp_path: Path, bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["--to", str(tmp_path / "deployment")]
    assert main(["deploy", "--from", str(bundle("one", 0.1)), *to]) == 0
    assert main(["deploy", "--from", str(bundle("two", 0.2)), "--challenger", "--canary", "10", *to]) == 0
    assert "decides for 10 % of the cars" in capsys.readouterr().out
    assert main(["rollback", "--challenger", *to]) == 0
    assert main(["deploy", *to]) == 0
    assert "one (" in capsys.readouterr().out
    assert main(["rollback", *to]) == 2
    assert main(["deploy", "--from", "models:/none@champion", "--tracking", f"sqlite:///{tmp_path}/no.db", *to]) == 2
    assert "no such tracking store" in capsys.readouterr().err
    assert not (tmp_path / "no.db").exists()
    assert main(["deploy", "--from", "x", "--canary", "10", *to]) == 2
    assert place is not None
    write_deployment(tmp_path / "deployment", read_deployment(tmp_path / "deployment"))
