"""How fast trainings are, and when a curve is good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebbflow.configs.cli import main
from ebbflow.training.standard.command import time_to_quality


def test_days_a_second_of_each_way_to_train(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "speeds.json"
    words = ["bench", "train", "home-texas", "--presets", "direct,pathwise", "--updates", "2", "--days", "4"]
    told = ["--set", "ports=2", "--json", str(file)]
    assert main([*words, *told]) == 0
    direct, pathwise = json.loads(file.read_text())["speeds"]
    assert (direct["preset"], direct["days_per_update"]) == ("direct", 16 * 64)
    assert (pathwise["preset"], pathwise["days_per_update"]) == ("pathwise", 32)
    for speed in (direct, pathwise):
        assert speed["days_per_s"] == pytest.approx(speed["days_per_update"] / speed["update_s"])
        assert speed["steps_per_s"] == pytest.approx(96 * speed["days_per_s"])
    assert "pathwise" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shares", "since"),
    [([80.0, 90.0], 0.0), ([10.0, 80.0, 70.0, 90.0], 3.0), ([None, 80.0], 1.0), ([90.0, 10.0], None)],
)
def test_quality_counts_from_where_it_stays(shares: list[float | None], since: float | None) -> None:
    points = [{"cpu_s": float(at), "captured_percent": share} for at, share in enumerate(shares)]
    assert time_to_quality(points, 78.0) == since
