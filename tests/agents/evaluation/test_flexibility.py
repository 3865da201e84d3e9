"""Flexibility: by hand, never more than what the simulator then delivers, and within what the chargers have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from ebbflow.agents.evaluation.flexibility import flexibility_of_day
from ebbflow.agents.flexibility import flexibility, joined
from ebbflow.agents.forward import rolled_forward
from ebbflow.agents.rules import LeastLaxity, Uncontrolled
from ebbflow.agents.run import run_days
from ebbflow.envs.safety.projection import Reserve, make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Scenario, Stays
from ebbflow.envs.world.stress import Stress, random_scenario

MakeWorld = Callable[..., Scenario]

NO_MARGIN = Reserve(headroom_factor=1.0, expected_arrivals_factor=0.0)


def of_first_step(scenario: Scenario, setpoint_kw: list[float], *hours: float) -> tuple[list[float], list[float]]:
    """What can fall and rise in the first step of a day whose first set-points are `setpoint_kw`."""
    plan = np.zeros((scenario.n_steps, scenario.n_ports))
    plan[0] = setpoint_kw
    found = flexibility_of_day(scenario, plan, NO_MARGIN, hours)
    assert found.draw_kw[0] == pytest.approx(sum(setpoint_kw))
    return found.down_kw[0].tolist(), found.up_kw[0].tolist()


def test_a_paused_car_can_rise_until_its_need_is_served(world: MakeWorld) -> None:
    """16 kWh missing, six hours left: 8 kW for up to 2 h, 4 kW for 4 h; nothing to take away."""
    down, up = of_first_step(world([2], [6]), [0.0], 1, 2, 4)
    assert down == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    assert up == pytest.approx([8.0, 8.0, 4.0])


def test_a_charging_car_can_pause_until_its_latest_start(world: MakeWorld) -> None:
    """Of four hours it needs two, so two can go without; after that nothing can be spared any more."""
    down, up = of_first_step(world([2], [4]), [8.0], 1, 2, 3)
    assert down == pytest.approx([8.0, 8.0, 0.0])
    assert up == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)


def test_export_stops_at_the_reserve(world: MakeWorld) -> None:
    """At its target of 70 % with a reserve of 30 %, 16 kWh: 8 kW for 2 h, 4 kW for 4 h, and time to refill."""
    scenario = world([1], [8], v2g=True)
    full = replace(scenario.stays, soc_arrive=np.array([0.7]), target_soc=np.array([0.3]), asked_kwh=np.array([-16.0]))
    down, _ = of_first_step(replace(scenario, stays=replace(full, charge_limit_soc=np.array([0.7]))), [0.0], 1, 2, 4)
    assert down == pytest.approx([8.0, 8.0, 4.0])


def test_a_shared_limit_binds_what_can_rise_and_what_can_wait(world: MakeWorld) -> None:
    """Two cars on 10 kW need two hours each of four: 2 kW more at most, and only 40 - 32 kWh of waiting."""
    down, up = of_first_step(world([2, 2], [4, 4], site_limit_kw=10.0), [8.0, 0.0], 1, 2)
    assert up[0] == pytest.approx(2.0)
    assert down == pytest.approx([6.0, 0.0], abs=1e-6)


def test_who_leaves_counts_only_until_it_leaves(world: MakeWorld) -> None:
    _, up = of_first_step(world([2, 4], [2, 8]), [0.0, 0.0], 1, 2, 3)
    assert up == pytest.approx([16.0, 16.0, 8.0])


@pytest.mark.parametrize("seed", range(6))
def test_what_is_promised_is_what_the_simulator_delivers(seed: int) -> None:
    """Where loads are as forecast, nobody comes and drivers tell the truth, the day ahead is rolled out exactly."""
    at, steps = 12, 8
    simulator = simulator_at(certain_scenario(seed, at), at)
    projector = make_projector("numba", NO_MARGIN)
    snapshot = simulator.snapshot().copy()
    wish = np.random.default_rng(seed).uniform(-8.0, 8.0, snapshot.ports.plugged.shape)
    foreseen = rolled_forward(snapshot, wish, projector, steps)
    assert np.ptp(foreseen) > 0.5  # cars are there, and something happens to them
    for step in range(steps):
        simulator.step(projector.project(simulator.snapshot(), wish).applied_kw)
        happened = np.asarray(simulator.state.site_cars_kw).sum(axis=1)
        np.testing.assert_allclose(foreseen[:, step], happened, atol=1e-6)


def certain_scenario(seed: int, at: int) -> Scenario:
    """A random world without arrivals after step `at`, whose forecasts come true."""
    made = random_scenario(np.random.default_rng(seed), Stress(unknown_soc=0.0, misreport=False))
    here = made.stays.arrive_step <= at
    stays = Stays(**{column.name: getattr(made.stays, column.name)[here] for column in fields(Stays)})
    # Who comes early would be gone by then.
    late = np.where(stays.depart_step > at, np.maximum(stays.arrive_step, at - 1), stays.arrive_step)
    stays = replace(stays, arrive_step=late, stop_soc=stays.charge_limit_soc)
    return replace(made, stays=stays, site_net_load_forecast_kw=made.site_net_load_kw)


def simulator_at(scenario: Scenario, at: int) -> Simulator:
    simulator = Simulator(scenario, backend="numba")
    simulator.reset()
    for _ in range(at):
        simulator.step(np.zeros((1, scenario.n_ports)))
    return simulator


def test_bounds_on_a_random_day() -> None:
    """Longer is never more, and no more moves than the chargers have and the present cars draw."""
    scenario = random_scenario(np.random.default_rng(3))
    run = run_days(scenario, LeastLaxity(), backend="numba", record=True)
    assert run.history is not None
    found = flexibility_of_day(scenario, run.history.applied_kw)
    assert found.hours == (0.25, 1.0, 2.0, 4.0)
    assert found.down_kw.shape == found.up_kw.shape == (scenario.n_steps, 4)
    for side in (found.down_kw, found.up_kw):
        assert np.isfinite(side).all()
        assert (side >= 0.0).all()
        assert (np.diff(side, axis=1) <= 1e-9).all()
    most = np.zeros(scenario.n_ports)
    np.maximum.at(most, scenario.stays.port, scenario.stays.max_charge_kw)
    assert (found.draw_kw[:, None] + found.up_kw <= most.sum() + 1e-6).all()
    assert found.up_kw.max() > 0.1
    assert found.down_kw.max() > 0.1


def test_a_batch_is_its_worlds_alone() -> None:
    scenario = certain_scenario(1, 12)
    one, other = (simulator_at(scenario, at).snapshot().copy() for at in (12, 16))
    projector, draw = make_projector("numba"), np.array([1.0, 2.0])
    both = flexibility(joined([one, other]), draw, projector, (1.0, 2.0))
    for at, snapshot in enumerate((one, other)):
        alone = flexibility(snapshot, draw[at : at + 1], projector, (1.0, 2.0))
        np.testing.assert_array_equal(alone.down_kw[0], both.down_kw[at])
        np.testing.assert_array_equal(alone.up_kw[0], both.up_kw[at])


def test_a_table_says_when_and_how_long(world: MakeWorld) -> None:
    scenario = world([2], [6])
    run = run_days(scenario, Uncontrolled(), backend="numba", record=True)
    assert run.history is not None
    table = flexibility_of_day(scenario, run.history.applied_kw, None, (1, 2)).to_pandas(scenario)
    assert list(table.columns) == ["time", "hours", "draw_kw", "down_kw", "up_kw"]
    assert len(table) == 2 * scenario.n_steps
    assert table["time"].iloc[2] == "2026-07-15T13:00:00-07:00"
    assert table.loc[0, "down_kw"] == pytest.approx(8.0)


def test_durations_are_checked(world: MakeWorld) -> None:
    scenario = world([2], [6])
    plan = np.zeros((scenario.n_steps, 1))
    with pytest.raises(ValueError, match="all above 0"):
        flexibility_of_day(scenario, plan, None, (0.0, 1.0))
    with pytest.raises(ValueError, match="beyond the outlook of 8 steps"):
        flexibility_of_day(scenario, plan, None, (9.0,))
    assert flexibility_of_day(scenario, plan, None, (0.25, 1.0, 9.0)).hours == (1.0,)
