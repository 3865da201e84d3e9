"""`ebbflow evaluate` from the outside: what it writes and shows, and what it refuses with one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebbflow.configs.cli import main

ASKED = ["evaluate", "home-california", "--policies", "cheapest_hours", "--days", "2", "--set", "ports=2"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command writes beside itself lands in the test's folder."""
    monkeypatch.chdir(tmp_path)


def test_files_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--workers", "1", "--out", "out", "--json", "all.json"]) == 0
    shown = capsys.readouterr().out
    for text in ("uncontrolled", "cheapest_hours", "optimum_replayed", "captured", "report: out/report.html"):
        assert text in shown
    document = json.loads(Path("all.json").read_text())
    assert list(document["policies"]) == ["uncontrolled", "cheapest_hours", "optimum_replayed", "optimum"]
    assert json.loads(Path("out/evaluation.json").read_text()) == document
    assert Path("out/report.html").stat().st_size > 10_000


def test_json_on_stdout_is_json_and_nothing_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebbflow.agents.evaluation.report.write_report", lambda *given: [])
    assert main([*ASKED, "--workers", "1", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--policies", "cheapest"], "did you mean 'cheapest_hours'"),
        (["--policies", "mpx:No"], "no module 'mpx'"),
        (["--split", "claen"], "did you mean 'clean'"),
        (["--split", "emergency"], "none of the 2 days"),
        (["--engine", "rey"], "did you mean 'ray'"),
        (["--set", "feeder.import_limit=120"], "feeder.import_limit"),
        (["--set", "behaviour.misreport=acn"], "contradicts --split clean"),
        (["--prices", "absent.csv"], "absent.csv"),
        (["--backend", "nump"], "nump"),
        (["--days", "0"], "--days"),
        (["--workers", "0"], "--workers"),
        (["--out", "a-file"], "a-file is a file"),
        (["--json", "a-folder"], "a-folder is a folder"),
    ],
)
def test_bad_input_is_one_message_exit_2_and_nothing_written(
    more: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a-file").write_text("kept")
    (tmp_path / "a-folder").mkdir()
    assert main([*ASKED, *more]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a-file", "a-folder"]
