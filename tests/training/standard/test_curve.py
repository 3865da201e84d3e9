"""Learning curves: points on validation days, an interruption that loses nothing, a file that several share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ebbflow.training.run.settings import RunSettings
from ebbflow.training.standard import curve
from ebbflow.training.standard.curve_plot import draw_plot

UPDATES = 3
SMALL = {"td3": ("training.warm_up=100", "training.gradient_steps=1", "training.batch_size=16")}


class Interrupted(Exception):
    """As Ctrl-C."""


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve, "updates_in", lambda minutes, make: UPDATES)
    monkeypatch.setattr(curve, "FOLDER", tmp_path / "references")


def asked(preset: str = "ppo-ports", **changes: Any) -> RunSettings:
    told: dict[str, Any] = {
        "scenario": "home-texas", "overrides": ("ports=3", "interval_minutes=60"), "algorithm": preset, "minutes": 1.0,
        "training": ("training.worlds=2",), "train_days": 3, "validation_days": 2,
    }  # fmt: skip
    return RunSettings(**(told | changes))


def shares(report: dict[str, Any], name: str) -> list[float]:
    return [point["captured_percent"] for point in report["curves"][name]["points"]]


def curve_said(file: Path) -> str:
    said: list[str] = []
    curve.draw_curve(asked(), file, said.append)
    return " ".join(said)


def test_an_interrupted_curve_goes_on_and_a_finished_one_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole.json", tmp_path / "broken.json"
    expected = shares(curve.draw_curve(asked(), whole), "ppo-ports/0")
    assert len(expected) == UPDATES + 1

    def stop(text: str) -> None:
        if "update 2" in text:
            raise Interrupted

    with pytest.raises(Interrupted):
        curve.draw_curve(asked(), broken, stop)
    kept = json.loads(broken.read_text())
    assert shares(kept, "ppo-ports/0") == expected[:3]
    assert not kept["curves"]["ppo-ports/0"]["finished"]
    assert shares(curve.draw_curve(asked(), broken), "ppo-ports/0") == expected
    assert curve.draw_curve(asked(), broken)["curves"]["ppo-ports/0"]["finished"]
    assert "is finished" in curve_said(broken)
    monkeypatch.setattr(curve, "program_digest", lambda: "changed")
    assert "is finished" not in curve_said(broken)
    both = curve.draw_curve(asked("pathwise", seed=1), broken)
    assert list(both["curves"]) == ["ppo-ports/0", "pathwise/1"]
    assert [file.name for file in tmp_path.glob(".*")] == []
    draw_plot(both, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.mark.parametrize("preset", ["td3", "ppo-three-way"])
def test_presets_of_every_policy_have_curves(preset: str, tmp_path: Path) -> None:
    small = ("training.worlds=2", "training.hidden=8", *SMALL.get(preset, ()))
    report = curve.draw_curve(asked(preset, training=small), tmp_path / "curves.json", points=1)
    assert [point["update"] for point in report["curves"][f"{preset}/0"]["points"]] == [0, UPDATES]


def test_curves_of_other_days_do_not_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "curves.json"
    terms = {"scenario": "home-texas", "overrides": ["ports=3", "interval_minutes=60"], "validation_days": 64}
    file.write_text(json.dumps(terms | {"curves": {}}))
    with pytest.raises(ValueError, match="holds curves with validation_days 64, not 2"):
        curve.draw_curve(asked(), file)
