"""CPU time: 25 cars in half a second, 1,000 cars in half a minute with the bound's looseness stated."""

from __future__ import annotations

import numpy as np
import pytest

from ebbflow.agents.optimum import solve_optimum
from ebbflow.envs.world.build import build_scenario, load_settings

from ...machine import slowness  # noqa: TID252

PRESETS = ("depot-workplace", "home-california", "home-texas")


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_25_cars(preset):
    settings = load_settings(preset)
    # 11 and 24 are August days, on which the Californian homes need binaries.
    seconds = [solve_optimum(build_scenario(settings, seed=0, day=day)).solve_s for day in (0, 1, 2, 11, 24)]
    assert np.max(seconds) < 0.5 * slowness()


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "day"), [("depot-workplace", 2), ("home-california", 21), ("home-texas", 0)])
def test_1000_cars(preset, day):
    settings = load_settings(preset, ["ports=1000"])
    found = solve_optimum(build_scenario(settings, seed=0, day=day))
    assert found.solve_s < 30 * slowness()
    assert (found.plan_usd - found.bound_usd) < 1e-3 * abs(found.bound_usd)
