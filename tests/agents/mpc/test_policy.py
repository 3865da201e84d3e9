"""Model-predictive control by hand and against the rules: what it saves, that it repeats, where its limit ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.mpc import Arrivals, Assumptions, Mpc, PersistentLoadMpc
from ebbflow.agents.policy import find_policy
from ebbflow.agents.rules import RULES, LeastLaxity
from ebbflow.agents.run import run_days
from ebbflow.envs.safety.projection import Reserve
from ebbflow.envs.simulator import Simulator, sum_of_days
from ebbflow.envs.world.scenario import Events, Scenario
from ebbflow.envs.world.stress import Stress, random_scenario

MakeWorld = Callable[..., Scenario]
NO_RESERVE = Reserve(1.0, 0.0)
ALONE = Assumptions(arrivals=Arrivals(factor=0.0))
HALF = 0.5


def cost_of(scenario: Scenario, policy: Mpc | None = None) -> dict[str, float]:
    ran = run_days(scenario, policy or Mpc(ALONE), reserve=NO_RESERVE)
    assert ran.failure == ""
    return ran.ledgers[0].usd


def with_demand(scenario: Scenario, usd_per_kw: float = 30.4, **changes: Any) -> Scenario:
    return replace(scenario, demand_rate_usd_per_kw=np.array([usd_per_kw]), **changes)


def test_it_is_registered_by_name() -> None:
    assert type(find_policy("mpc")) is Mpc
    persistent = find_policy("mpc_persistent_load")
    assert isinstance(persistent, PersistentLoadMpc)
    assert persistent.name == "mpc_persistent_load"


def test_a_car_charges_in_the_cheapest_hours_of_its_stay(world: MakeWorld) -> None:
    usd = cost_of(world([2.0], [6], price=[0.3, 0.2, 0.1, 0.4, 0.15, 0.5, 0.01, 0.01]))
    assert usd["net_cost_usd"] == pytest.approx(8.0 * (0.1 + 0.15), abs=1e-4)


def test_a_limit_that_all_share_is_seen_ahead(world: MakeWorld) -> None:
    # Three cars, an hour each, and room for one at a time: only one has the cheapest hour.
    price = [0.5, 0.3, 0.2, 0.1, 0.9, 0.9, 0.9, 0.9]
    usd = cost_of(world([1.0] * 3, [4] * 3, price=price, site_limit_kw=8.0, port_site=[0, 0, 0]))
    assert usd["net_cost_usd"] == pytest.approx(8.0 * (0.3 + 0.2 + 0.1), abs=1e-4)
    assert usd["unserved_usd"] == 0.0


def test_a_demand_charge_is_spread_over_the_whole_stay(world: MakeWorld) -> None:
    # 32 kWh in 8 hours: 4 kW where the price is flat; a third of a day's share of 1 $/kW and day.
    usd = cost_of(with_demand(world([2.0, 2.0], [8, 8], price=0.1, port_site=[0, 0])))
    assert usd["demand_charge_usd"] == pytest.approx(4.0 / 3, rel=1e-6)
    assert usd["unserved_usd"] == pytest.approx(0.0, abs=1e-6)


def test_expected_arrivals_keep_the_peak_low(world: MakeWorld) -> None:
    # Of two cars of 4 hours the second comes when half of the day is over: who does not expect it shares out the first
    # over 8 hours and stands at 12 kW in the end.
    table = np.zeros((1, 8, 16))
    table[0, 4, 8] = 32.0
    scenario = with_demand(
        world([4.0, 4.0], [8, 8], arrive=[0, 4], price=0.1, port_site=[0, 0]), expected_arrivals_kwh=table
    )
    expecting = Mpc(Assumptions(arrivals=Arrivals(factor=1.0, block_h=1)))
    assert cost_of(scenario)["demand_charge_usd"] == pytest.approx(12.0 / 3, rel=1e-6)
    assert cost_of(scenario, expecting)["demand_charge_usd"] < 9.5 / 3


def test_a_peak_that_is_billed_anyway_is_used(world: MakeWorld) -> None:
    # Other days come to 16 kW: the cheap hours are worth more than a lower peak that does not last.
    scenario = with_demand(world([2.0, 2.0], [8, 8], price=[0.2] * 6 + [0.1] * 2, port_site=[0, 0]))
    usual = replace(scenario, typical_peak_kw=np.array([16.0]))
    exactly = Mpc(replace(ALONE, typical_peak_factor=1.0))
    assert cost_of(scenario)["energy_import_usd"] == pytest.approx(4.0 * (6 * 0.2 + 2 * 0.1), rel=1e-4)
    assert cost_of(usual, exactly)["energy_import_usd"] == pytest.approx(32 * 0.1, rel=1e-4)


def test_a_home_is_fed_from_its_car_in_the_dear_hours(world: MakeWorld) -> None:
    scenario = world([3.0], [8], price=[0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1], base_kw=4.0, v2g=True)
    full = replace(scenario.stays, charge_limit_soc=np.array([0.995]))
    usd = cost_of(replace(scenario, stays=full))
    # 24 kWh for the car and 8 for the house, all cheap, against 8 kWh of the house that would have cost 0.9.
    assert usd["net_cost_usd"] == pytest.approx(32 * 0.1 - 8 * 0.9 + 8 * 0.02, abs=1e-3)


@pytest.mark.parametrize(("rate", "paid"), [(0.05, False), (2.0, True)])
def test_an_event_that_pays_too_little_is_ignored_as_its_payment_has_a_floor(
    world: MakeWorld, rate: float, paid: bool
) -> None:
    # The only cheap hours are the event's, whose baseline is 4 kWh. Charging there earns nothing and costs nothing.
    events = Events(np.array([2]), np.array([4]), np.array([-1]), np.array([rate]), np.array([False]), np.zeros(1))
    price = [0.3, 0.3, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3]
    scenario = replace(world([2.0], [6], price=price), events=events, baseline_kw=np.full((1, 8), 2.0))
    inside, outside = 16 * 0.1, 16 * 0.3 - rate * 4.0
    assert (outside < inside) is paid
    assert cost_of(scenario)["net_cost_usd"] == pytest.approx(min(inside, outside), abs=1e-3)


def test_a_price_of_carbon_moves_the_charging_into_the_clean_hours(world: MakeWorld) -> None:
    emissions = np.array([0.5, 0.5, 0.5, 0.1, 0.1, *[0.5] * 11])
    scenario = replace(world([2.0], [8]), emissions_kg_per_kwh=emissions, emissions_forecast_kg_per_kwh=emissions)
    kg = {}
    for price in (0.0, 0.2):
        ran = run_days(scenario, Mpc(replace(ALONE, carbon_usd_per_kg=price)), reserve=NO_RESERVE)
        kg[price] = ran.ledgers[0].tallies["co2_kg"]
    assert kg[0.0] == pytest.approx(16 * 0.5)
    assert kg[0.2] == pytest.approx(16 * 0.1)
    without = Mpc(replace(ALONE, carbon_usd_per_kg=0.2))
    assert cost_of(world([2.0], [8]), without)["energy_import_usd"] == pytest.approx(16 * 0.2)


def test_without_effort_least_laxity_decides_and_is_counted() -> None:
    simulator = Simulator(list(draw_days(DayRequest("home-california", days=2)).scenarios), 2)
    simulator.reset()
    for _ in range(30):
        simulator.step(np.zeros((2, simulator.n_ports)))
    snapshot = simulator.snapshot()
    policy = Mpc(iteration_limit=0)
    np.testing.assert_array_equal(policy.act(snapshot), LeastLaxity().act(snapshot))
    assert policy.fallbacks == 2
    policy.reset()
    assert policy.fallbacks == 0
    hurried = Mpc(time_limit_ms=1e-6)
    np.testing.assert_array_equal(hurried.act(snapshot), LeastLaxity().act(snapshot))
    assert hurried.fallbacks == 2


@pytest.mark.parametrize("setting", [{"iteration_limit": -1}, {"time_limit_ms": 0.0}])
def test_a_limit_that_is_none_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(setting))} is"):
        Mpc(**setting)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_requests_are_finite_within_the_charger_and_only_for_cars_that_are_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stress = Stress(interval_minutes=int(rng.choice([15, 60])), hours=6, sites=int(rng.integers(1, 4)))
    simulator, policy = Simulator([random_scenario(rng, stress) for _ in range(2)], 2), Mpc()
    simulator.reset()
    for _ in range(6):
        ports, request = simulator.snapshot().ports, policy.act(simulator.snapshot())
        assert np.isfinite(request).all()
        assert (request <= ports.max_charge_kw + 1e-6).all()
        assert (request >= -ports.max_discharge_kw - 1e-6).all()
        assert not request[~ports.plugged].any()
        simulator.step(request if rng.random() < HALF else rng.uniform(-12, 12, request.shape))
    assert policy.fallbacks == 0


def test_a_day_costs_the_same_alone_or_beside_others_and_a_second_time() -> None:
    drawn = draw_days(DayRequest("home-california", days=2, overrides=("ports=4",)))
    policy = Mpc()
    together = run_days(drawn.scenarios, policy, reserve=drawn.reserve).ledgers
    again = run_days(drawn.scenarios, policy, reserve=drawn.reserve).ledgers
    alone = run_days(drawn.scenarios[1], Mpc(), reserve=drawn.reserve).ledgers
    assert [day.usd for day in together] == [day.usd for day in again]
    assert together[1].usd == alone[0].usd


@pytest.mark.parametrize("preset", ["depot-workplace", "home-california", "home-texas"])
def test_on_a_few_days_of_each_preset_it_beats_charging_at_once(preset: str) -> None:
    drawn = draw_days(DayRequest(preset, days=2))
    cost = {
        name: sum_of_days(run_days(drawn.scenarios, find_policy(name), reserve=drawn.reserve).ledgers).net_cost_usd
        for name in ("mpc", "uncontrolled")
    }
    assert cost["mpc"] < cost["uncontrolled"]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["depot-workplace", "home-california", "home-texas"])
def test_on_the_sum_of_days_it_beats_every_rule(preset: str) -> None:
    drawn = draw_days(DayRequest(preset, days=20, seed=1))
    cost = {
        name: sum_of_days(run_days(drawn.scenarios, find_policy(name), reserve=drawn.reserve).ledgers).net_cost_usd
        for name in ("mpc", *RULES)
    }
    assert min(cost, key=lambda name: cost[name]) == "mpc", cost
