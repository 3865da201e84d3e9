"""What is written is read back; whatever was tampered with is refused, and nothing is left half-written."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebbflow.agents.bundle import load_bundle, write_bundle
from ebbflow.configs.load import ConfigError
from ebbflow.envs.encoding import observation_hash

from .graphs import manifest, model

FILES = ("manifest.json", "model.onnx", "SHA256SUMS")


def reseal(folder: Path) -> None:
    """Digests that fit what is there: what an attacker would do."""
    names = ("manifest.json", "model.onnx")
    lines = (f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (folder / "SHA256SUMS").write_text("".join(lines))


def rewrite(folder: Path, **changes: Any) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    reseal(folder)


def test_what_is_written_is_read_back(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert (bundle.model, bundle.manifest) == (model(), manifest())
    assert bundle.digest == hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()


def test_writing_the_same_again_gives_the_same_digest(folder: Path, tmp_path: Path) -> None:
    assert write_bundle(tmp_path / "again", model(), manifest()).digest == load_bundle(folder).digest


def test_the_usual_tool_can_check_it(folder: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)


@given(where=st.integers(0, 10_000), bit=st.integers(0, 7), name=st.sampled_from(FILES[:2]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_changed_bit_is_refused(folder: Path, where: int, bit: int, name: str) -> None:
    file = folder / name
    whole = file.read_bytes()
    changed = bytearray(whole)
    changed[where % len(changed)] ^= 1 << bit
    file.write_bytes(changed)
    try:
        with pytest.raises(ConfigError, match="changed since the export"):
            load_bundle(folder)
    finally:
        file.write_bytes(whole)


def test_another_digest_than_the_pinned_one_is_refused_even_where_the_files_agree(folder: Path) -> None:
    pinned = load_bundle(folder).digest
    rewrite(folder, run_id="another")
    with pytest.raises(ConfigError, match=f"digest is [0-9a-f]{{64}}, but {pinned} was asked for"):
        load_bundle(folder, pinned)


def test_another_observation_is_refused_and_told(folder: Path) -> None:
    rewrite(folder, observation_hash="0123456789abcdef")
    with pytest.raises(ConfigError, match=rf"trained on observation 0123456789abcdef.*observes {observation_hash()}"):
        load_bundle(folder)


def test_a_newer_schema_is_refused_whatever_else_it_holds(folder: Path) -> None:
    rewrite(folder, schema_version=2, unheard_of={"deep": 1})
    with pytest.raises(ConfigError, match="written in schema 2, but this program reads up to 1; install a newer one"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unheard_of": 1}, "unknown setting 'unheard_of'"),
        ({"schema_version": "1"}, "schema_version is '1'"),
        ({"parity": {"tolerance": 1e-4, "worst": {"days": 0.5}, "observations": {}}}, "worst difference is 0.5"),
        ({"parity": {"tolerance": 1e-4, "worst": {}, "observations": {}}}, "worst difference is inf"),
        ({"versions": None}, "versions"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(folder: Path, changes: Any, message: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(ConfigError, match=message):
        load_bundle(folder)


@pytest.mark.parametrize("text", ["", "[]", "nothing", "{" * 100_000, '{"versions": NaN}'])
def test_a_manifest_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    reseal(folder)
    with pytest.raises(ConfigError, match=r"manifest\.json"):
        load_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=f"{name} is missing"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["weights.bin", "data.pkl", ".hidden"])
def test_a_file_that_no_digest_covers_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    with pytest.raises(ConfigError, match=f"{name} is not covered"):
        load_bundle(folder)


@pytest.mark.parametrize("line", ["../secret", "/etc/passwd", "model.onnx/../../x"])
def test_digests_of_files_elsewhere_are_refused(folder: Path, line: str) -> None:
    sums = (folder / "SHA256SUMS").read_text()
    (folder / "SHA256SUMS").write_text(sums.replace("model.onnx", line))
    with pytest.raises(ConfigError, match="must name"):
        load_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_link_is_not_followed(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=f"{name}: cannot be read as a plain file"):
        load_bundle(folder)


def test_a_pipe_does_not_hang_the_loader(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    with pytest.raises(ConfigError, match="no plain file"):
        load_bundle(folder)


def test_a_file_beyond_the_size_limit_is_not_read(folder: Path) -> None:
    with (folder / "model.onnx").open("ab") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ConfigError, match="larger than 67108864 bytes"):
        load_bundle(folder)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such bundle; write one with `ebbflow export`"):
        load_bundle(tmp_path / "nothing")


def test_nothing_is_written_where_loading_would_refuse_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no ONNX graph"):
        write_bundle(tmp_path / "bundle", pickle.dumps({"a": 1}), manifest())
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_replaced_only_when_asked(folder: Path) -> None:
    before = load_bundle(folder).digest
    with pytest.raises(ConfigError, match="holds a bundle already"):
        write_bundle(folder, model(), manifest(run_id="new"))
    assert load_bundle(folder).digest == before
    write_bundle(folder, model(), manifest(run_id="new"), replace=True)
    assert load_bundle(folder).manifest.run_id == "new"
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_other_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds other files"):
        write_bundle(tmp_path, model(), manifest(), replace=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
