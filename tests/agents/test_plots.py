"""Pictures: whole, not blank, and only of what was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ebbflow.agents.plots import plot_day
from ebbflow.agents.rules import Uncontrolled
from ebbflow.agents.run import run_days
from ebbflow.envs.world.scenario import Scenario

MakeWorld = Callable[..., Scenario]


def test_a_picture_shows_the_day(world: MakeWorld, tmp_path: Path) -> None:
    from matplotlib.image import imread

    result = run_days(world([2, 3], [6, 7], site_limit_kw=12.0), Uncontrolled(), backend="numba", record=True)
    picture = imread(plot_day(result, tmp_path / "deep" / "day.png"))
    assert picture.shape[0] > 600
    assert picture.shape[1] > 900
    assert np.unique(picture.reshape(-1, picture.shape[2]), axis=0).shape[0] > 50
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["day.png"]


def test_an_unrecorded_run_has_no_picture(world: MakeWorld, tmp_path: Path) -> None:
    result = run_days(world([2], [6]), Uncontrolled(), backend="numba")
    with pytest.raises(ValueError, match="run it with record=True"):
        plot_day(result, tmp_path / "day.png")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing(world: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    result = run_days(world([2], [6]), Uncontrolled(), backend="numba", record=True)

    def fails(self: Figure, target: Path, **_: object) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Figure, "savefig", fails)
    with pytest.raises(OSError, match="No space left"):
        plot_day(result, tmp_path / "day.png")
    assert not list(tmp_path.iterdir())
