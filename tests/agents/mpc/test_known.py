"""The problem that a snapshot tells, by hand: what is known, what is due, and the floor of the peak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.mpc import Arrivals, Assumptions
from ebbflow.agents.mpc.known import DRIFT_USD_PER_KWH, Knowledge
from ebbflow.agents.planning.problem import Problem
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Events, Scenario

MakeWorld = Callable[..., Scenario]
ALONE = Assumptions(arrivals=Arrivals(factor=0.0))


def started(scenario: Scenario, steps: int = 0) -> Snapshot:
    simulator = Simulator(scenario)
    simulator.reset()
    for _ in range(steps):
        simulator.step(np.zeros((1, simulator.n_ports)))
    return simulator.snapshot().copy()


def problem_of(snapshot: Snapshot, assumptions: Assumptions = ALONE) -> Problem:
    return Knowledge(snapshot, assumptions).problem(0)


def with_ports(snapshot: Snapshot, **columns: Any) -> Snapshot:
    return replace(snapshot, ports=snapshot.ports._replace(**columns))


def test_a_car_is_due_at_its_said_departure(world: MakeWorld) -> None:
    problem = problem_of(started(world([2.0], [5])))
    stays = problem.stays
    assert (stays.from_step[0], stays.to_step[0]) == (0, 5)
    assert stays.start_kwh[0] == pytest.approx(4.0)  # a tenth of 40 kWh
    assert stays.needed_kwh[0] == pytest.approx(4.0 + 16.0)  # two hours at 8 kW
    assert stays.end_usd_per_kwh[0] == 0.0


def test_a_stay_beyond_the_window_is_settled_at_its_end(world: MakeWorld) -> None:
    # 8 hours of window, departure an hour later: at the end an hour at full power, 8 kWh, may be missing.
    price = [0.4, 0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.5]
    stays = problem_of(started(world([2.0], [9], price=price))).stays
    assert stays.to_step[0] == 8
    assert stays.needed_kwh[0] == pytest.approx(20.0 - 8.0)
    assert stays.end_to_kwh[0] == pytest.approx(20.0)
    assert stays.end_usd_per_kwh[0] == pytest.approx(np.percentile(price, 25))


def test_after_its_said_departure_a_car_is_due_at_once_and_gives_nothing(world: MakeWorld) -> None:
    snapshot = started(world([2.0], [5], v2g=True))
    assert problem_of(snapshot).stays.max_discharge_kw[0] == 8.0
    stays = problem_of(with_ports(snapshot, steps_left=np.array([[-3]]))).stays
    assert (stays.to_step[0], stays.max_discharge_kw[0]) == (1, 0.0)


def test_a_car_without_soc_is_planned_by_its_need_and_gives_nothing(world: MakeWorld) -> None:
    snapshot = started(world([2.0], [5], v2g=True))
    blind = with_ports(snapshot, soc=np.array([[np.nan]]), target_soc=np.array([[np.nan]]))
    stays = problem_of(blind).stays
    assert stays.needed_kwh[0] - stays.start_kwh[0] == pytest.approx(16.0)
    assert stays.max_discharge_kw[0] == 0.0


def test_who_asks_to_be_charged_now_leaves_the_plan_when_it_can_be_full(world: MakeWorld) -> None:
    snapshot = with_ports(started(world([2.5], [7])), override=np.array([[1]]))
    assert problem_of(snapshot).stays.to_step[0] == 3


def test_prices_and_loads_begin_with_what_is_true_now(world: MakeWorld) -> None:
    scenario = world([1.0], [5], price=[0.2] * 8, base_kw=3.0)
    forecast = scenario.import_price_forecast_usd_per_kwh + 0.05
    scenario = replace(
        scenario,
        import_price_forecast_usd_per_kwh=forecast,
        site_net_load_forecast_kw=scenario.site_net_load_kw + 1.0,
    )
    sites = problem_of(started(scenario)).sites
    drift = DRIFT_USD_PER_KWH * np.arange(8)
    np.testing.assert_allclose(sites.import_price_usd_per_kwh[0] - drift, [0.2] + [0.25] * 7)
    np.testing.assert_allclose(sites.net_load_kw[0], [3.0] + [4.0] * 7)


def test_a_persistent_load_stays_as_far_off_its_forecast_as_it_is_now(world: MakeWorld) -> None:
    scenario = world([2.0], [5])
    scenario = replace(
        scenario,
        site_net_load_kw=scenario.site_net_load_kw + 3.0,
        site_net_load_forecast_kw=scenario.site_net_load_kw + np.arange(scenario.site_net_load_kw.shape[1]) + 1.0,
    )
    snapshot = started(scenario, 1)  # 3 kW where 2 were foreseen, then 3, 4 and so on
    persistent = problem_of(snapshot, replace(ALONE, persistent_load=True))
    np.testing.assert_allclose(persistent.sites.net_load_kw[0], 3.0 + np.arange(8))
    np.testing.assert_allclose(persistent.feeders.net_load_kw[0], persistent.sites.net_load_kw[0])
    np.testing.assert_allclose(problem_of(snapshot).sites.net_load_kw[0, 1:], 3.0 + np.arange(7))


@pytest.mark.parametrize(
    ("billed", "base", "typical", "floor"),
    [(9.0, 3.0, 5.0, 9.0), (2.0, 6.5, 4.0, 6.5), (2.0, 3.0, 10.0, 12.0), (2.0, 3.0, np.nan, 3.0)],
)
def test_the_floor_of_the_peak_is_what_is_billed_anyway(
    world: MakeWorld, billed: float, base: float, typical: float, floor: float
) -> None:
    scenario = replace(
        world([1.0], [5], base_kw=base),
        demand_rate_usd_per_kw=np.array([10.0]),
        billing_peak_kw=np.array([billed]),
        typical_peak_kw=np.array([typical]),
    )
    problem = problem_of(started(scenario), replace(ALONE, typical_peak_factor=1.2))
    assert problem.sites.peak_floor_kw[0] == pytest.approx(floor)
    assert problem.sites.demand_usd_per_kw[0] == 10.0


def test_skipping_a_car_costs_more_than_any_price_and_the_peak_that_it_may_raise(world: MakeWorld) -> None:
    scenario = replace(world([1.0], [5], price=[0.2] * 7 + [3.0]), demand_rate_usd_per_kw=np.array([40.0]))
    problem = problem_of(started(scenario))
    rate = problem.sites.demand_usd_per_kw[0]
    assert problem.stays.unserved_usd_per_kwh[0] > 3.0 + rate / 1.0


def test_only_announced_events_are_known_and_of_a_running_one_the_past_counts(world: MakeWorld) -> None:
    events = Events(
        np.array([1, 4]), np.array([3, 6]), np.array([0, 4]), np.array([2.0, 1.0]), np.array([False, True]), np.zeros(2)
    )
    scenario = replace(world([1.0], [7]), events=events, baseline_kw=np.full((1, 8), 5.0))
    first = problem_of(started(scenario)).events
    assert (first.from_step.tolist(), first.to_step.tolist()) == ([1], [3])
    running = problem_of(started(scenario, steps=2)).events
    assert (running.from_step.tolist(), running.to_step.tolist()) == ([0], [1])
    assert running.so_far_kwh[0] == pytest.approx(5.0)  # an hour of baseline, nothing drawn


def test_in_steps_of_five_minutes_the_running_clock_window_counts(world: MakeWorld) -> None:
    scenario = replace(
        world([1.0], [7], base_kw=6.0, n_steps=12), interval_minutes=5, demand_rate_usd_per_kw=np.array([10.0])
    )
    problem = problem_of(started(scenario, steps=2))
    assert (problem.window_steps, problem.window_done) == (3, 2)
    assert problem.sites.window_kwh[0] == pytest.approx(6.0 * 2 / 12)
