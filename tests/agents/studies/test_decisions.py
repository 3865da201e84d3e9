"""The bench of decisions runs with any policy, tells what it measured, and refuses nonsense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebbflow.configs.cli import main


def test_the_bench_writes_what_it_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "decide.json"
    arguments = ["--policy", "cheapest_hours", "--sizes", "2,5", "--days", "1", "--json", str(target)]
    assert main(["bench", "decide", "home-california", *arguments]) == 0
    report = json.loads(target.read_text())
    assert [row["ports"] for row in report["live"]] == [2, 5]
    for row in report["live"]:
        assert row["cpu_ms_p50"] > 0
        assert 0 < row["policy_ms_p50"] + row["projection_ms_p50"] <= 2 * row["total_ms_p99"]
    cost_us = report["lock_step_cpu_us_per_fleet"]
    assert report["mpc_over_policy"] == cost_us["mpc"] / cost_us["cheapest_hours"]
    assert cost_us["mpc"] > cost_us["cheapest_hours"]
    assert "mpc costs" in capsys.readouterr().out


@pytest.mark.parametrize("sizes", ["", "x", "5,-1", "0"])
def test_sizes_that_are_none_are_refused(sizes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "decide", "--policy", "cheapest_hours", "--sizes", sizes]) == 2
    assert "write numbers of ports separated by commas" in capsys.readouterr().err
