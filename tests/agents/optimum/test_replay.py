"""The plan is played as it is; where chargers have no losses and no minimum, it costs what the bound says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ebbflow.agents.optimum import PlannedSetpoints, solve_optimum
from ebbflow.agents.run import run_days
from ebbflow.envs.safety.projection import Reserve
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.build import build_scenario, load_settings

from ...envs.worlds import with_stays  # noqa: TID252

pytest.importorskip("numba")

PRESETS = ("depot-workplace", "home-california", "home-texas")


class Raw(PlannedSetpoints):
    """Without the projection."""

    raw = True


def days(preset, count=6):
    settings = load_settings(preset)
    return [build_scenario(settings, seed=0, day=day) for day in range(count)]


def ideal(day):
    """Chargers without losses while on, minimum and steps."""
    nothing = np.zeros(len(day.stays))
    names = ("fixed_loss_kw", "min_charge_kw", "min_discharge_kw", "step_kw", "min_soc")
    return with_stays(day, **dict.fromkeys(names, nothing))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_bound_is_reached_where_nothing_was_relaxed(preset):
    scenarios = [ideal(day) for day in days(preset)]
    found = [solve_optimum(day) for day in scenarios]
    played = run_days(scenarios, Raw(np.stack([f.setpoint_kw for f in found])))
    costs = sum(ledger.net_cost_usd for ledger in played.ledgers)
    bound = sum(f.bound_usd for f in found)
    assert bound - 1e-4 <= costs <= bound * 1.004


@pytest.mark.parametrize(
    ("preset", "gap"), [("depot-workplace", 0.03), ("home-california", 0.12), ("home-texas", 0.02)]
)
def test_the_replay_is_close_behind_the_projection(preset, gap):
    scenarios = days(preset)
    found = [solve_optimum(day) for day in scenarios]
    plan = PlannedSetpoints(np.stack([f.setpoint_kw for f in found]))
    replayed = run_days(scenarios, plan, reserve=Reserve(1.0, 0.0))
    costs = np.array([ledger.net_cost_usd for ledger in replayed.ledgers])
    bound = np.array([f.bound_usd for f in found])
    assert replayed.replaced_requests == 0
    assert np.all(costs >= bound - 1e-4)
    assert costs.sum() <= bound.sum() * (1 + gap)


def test_setpoints_keep_minimum_and_steps():
    day = days("depot-workplace", 1)[0]
    setpoint = solve_optimum(day).setpoint_kw
    assert setpoint.shape == (day.n_steps, day.n_ports)
    charging = setpoint[setpoint > 0]
    assert charging.min() >= day.stays.min_charge_kw.min() - 1e-9
    steps = charging / day.stays.step_kw.max()
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-6)


def test_another_fleet_or_more_steps_are_refused(world):
    day = world([1, 1], [4, 4])
    snapshot = Simulator(day).snapshot
    simulator = Simulator(day)
    simulator.reset()
    snapshot = simulator.snapshot()
    with pytest.raises(ValueError, match="asked at step 0 of 1 worlds with 2 ports"):
        PlannedSetpoints(np.zeros((1, 8, 3))).act(snapshot)
    one_step = PlannedSetpoints(np.zeros((1, 1, 2)))
    one_step.act(snapshot)
    with pytest.raises(ValueError, match="call reset"):
        one_step.act(snapshot)
    one_step.reset()
    assert one_step.act(snapshot).shape == (1, 2)
    with pytest.raises(ValueError, match="give worlds, steps and ports"):
        PlannedSetpoints(np.zeros((8, 2)))


def test_a_plan_is_followed_from_where_the_car_is(world):
    """The minimum of 4 kW makes 3 kW impossible: it pulses, and ends with what is due."""
    day = with_stays(world([1.5], [6], price=0.1), min_charge_kw=np.full(1, 4.0))
    day = dataclasses.replace(day, demand_rate_usd_per_kw=np.array([100.0]))
    found = solve_optimum(day)
    powers = found.setpoint_kw[:, 0]
    assert found.accounts_usd["demand_charge_usd"] == pytest.approx(100 * 2 * 8 / 24 / 30.4)
    assert set(powers) <= {0.0, 4.0}
    assert powers.sum() == pytest.approx(12.0)
