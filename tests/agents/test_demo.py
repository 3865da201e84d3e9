"""The demo, on one preset: table, pictures, report, the next command to type, and that this command is a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebbflow.agents.demo import main
from ebbflow.agents.rules import RULES
from ebbflow.configs.cli import main as ebbflow


def test_demo_ends_with_table_pictures_and_the_next_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(Path("pictures"), ["depot-workplace"], 1) == 0
    shown = capsys.readouterr().out
    for name in (*RULES, "do_nothing", "drain", "random"):
        assert f" {name} " in shown
    pictures = [Path(line.removeprefix("picture: ")) for line in shown.splitlines() if "picture: " in line]
    assert len(pictures) == 2
    assert all(picture.stat().st_size > 20_000 for picture in pictures)
    assert "\nmpc " in shown
    assert "\noptimum " in shown
    assert Path(next(line for line in shown.splitlines() if "report: " in line).removeprefix("report: ")).exists()
    command = shown.splitlines()[-1].split()
    assert command[0] == "ebbflow"
    assert ebbflow([*command[1:-1], "2", "--json", "-"]) == 0
