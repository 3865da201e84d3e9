"""Days on which something fails at every cycle, drawn by a seed: answers are safe, and the loop knows what stands.

Each answer is judged as it is given (`world.World.decide`). What the day comes to is bounded by what nobody can see or
say: the base load that moves while the site is silent, and a car that waits, or exports, to the end of a lease of two
intervals because the cycle between did not come.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.agents.rules import Fallback
from ebbflow.serving.loop.loop import Loop

from .fleets import small_day
from .world import Eager, World

FAULTS = ("", "", "", "repeated", "reordered", "of the future", "service gone", "chargers refuse", "site gone")
CLOCKS_S = (0.0, 0.0, 0.0, -3600.0, -90.0, 45.0, 1800.0)

MOST_OVERLOAD_KWH = 0.2
LEASE_H = 0.5


def soaked(day: Any, seed: int) -> tuple[World, Loop]:
    """A day on which fault and clock are drawn anew after each cycle; a site is never silent for two."""
    rng, world = np.random.default_rng(seed), World(day, Eager())
    loop, cycles = world.loop(watch_s=300.0), 0
    while world.step < world.inner.steps - 1:
        loop.run(1)
        cycles += 1
        assert cycles < 10 * world.inner.steps
        world.step = int((world.true_s - world.inner.start_s) // world.inner.interval_s)
        world.sleep(float(rng.uniform(1.0, 400.0)))
        silent = world.fault in ("site gone", "chargers refuse")
        world.fault = "" if silent else str(rng.choice(FAULTS))
        world.ahead_s = float(rng.choice(CLOCKS_S))
    return world, loop


def check(day: Any, seed: int) -> None:
    world, loop = soaked(day, seed)
    ids = np.array([f"p{at}" for at in range(len(world.inner.drawn_kw()))])
    known = loop.standing.setpoints_kw(ids, 0.0)
    standing = world.inner._standing().setpoint_kw
    both = ~np.isnan(known) & ~np.isnan(standing)
    np.testing.assert_array_equal(known[both], standing[both], err_msg="the loop believes what does not stand")
    world.inner.advance(np.inf)
    tallies = world.inner.ledger().tallies
    assert tallies["overload_kwh"] <= MOST_OVERLOAD_KWH
    rules = World(day, Fallback((16.0, 21.0)))
    rules.loop(watch_s=300.0).run(rules.inner.steps)
    rules.inner.advance(np.inf)
    by_rules = rules.inner.ledger().tallies["worst_shortfall_kwh"]
    strongest_kw = world.inner._day.stays.max_charge_kw.max()
    assert tallies["worst_shortfall_kwh"] <= by_rules + strongest_kw * LEASE_H


@pytest.mark.parametrize("seed", range(2))
def test_two_days(seed: int) -> None:
    check(small_day(), seed)


@pytest.mark.study
@pytest.mark.parametrize("seed", range(24))
def test_many_days(seed: int) -> None:
    check(small_day(day=200 + seed), 100 + seed)
