"""`ebbflow bench simulate` writes the figures that it promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebbflow.configs.cli import main

FIGURES = {"gym_b1", "batch_64", "batch_64_obs", "batch_64_obs_congested", "scenario_days_per_s"}


def test_the_figures_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bench.json"
    arguments = ["--days", "4", "--runs", "1", "--worlds", "64", "--json", str(file)]
    assert main(["bench", "simulate", *arguments]) == 0
    report = json.loads(file.read_text())
    assert set(report["results"]) == {*FIGURES, "import_envs_s"}
    assert set(report["beside"]["home-california"]) == FIGURES
    assert all(value > 0 for value in report["results"].values())
    assert report["machine"]["threads"] >= 1
    printed = capsys.readouterr().out
    assert "depot-workplace" in printed
    assert "release the GIL" in printed


def test_a_wrong_precision_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "simulate", "--dtype", "float16", "--days", "1"]) == 2
    assert "float64" in capsys.readouterr().err
