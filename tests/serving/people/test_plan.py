"""The plan is what the service then does: played against the simulator with nobody else arriving."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.envs.simulator import Simulator
from ebbflow.serving.core.cycle import dispatch, make_kit
from ebbflow.serving.core.memory import new_memory
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import request_of
from ebbflow.serving.people.later import far_sighted
from ebbflow.serving.people.plan import plan_of

from ..core.small_fleet import Says, Service, request  # noqa: TID252


def played(scenario: str, at: int) -> tuple[Any, Any, Any]:
    """The plan at step `at` of a day, and what the sites' cars draw from then on until somebody else arrives."""
    day = draw_days(DayRequest(scenario, first_day=190)).scenarios[0]
    kit, memory = make_kit(load_serving("simulated")), new_memory()
    simulator = Simulator(day)
    simulator.reset()
    asked, plan, drawn = None, None, []
    for step in range(int(min(day.stays.arrive_step[day.stays.arrive_step > at], default=day.n_steps))):
        now = day.start + timedelta(minutes=step * day.interval_minutes)
        request = request_of(simulator.snapshot().copy(), now)
        if step == at:
            asked, plan = request, plan_of(request, memory, kit)
        made = dispatch(request, memory, kit, now.timestamp())
        memory = made.memory
        simulator.step(made.answer.decisions.setpoint_kw[None])
        if step >= at:
            drawn.append(np.array(simulator.state.site_cars_kw)[0].copy())
    return asked, plan, np.array(drawn).T


@pytest.mark.parametrize(("scenario", "at", "least"), [("depot-workplace", 60, 2), ("home-california", 70, 10)])
def test_the_plan_is_what_happens_until_somebody_else_arrives(scenario: str, at: int, least: int) -> None:
    asked, plan, drawn = played(scenario, at)
    assert drawn.shape[1] >= least
    assert np.abs(drawn).sum() > 1.0
    np.testing.assert_allclose(plan.cars_kw[:, : drawn.shape[1]], drawn, atol=1e-6)
    assert plan.n_steps == 96
    assert (plan.without_kw[:, 0] == asked.sites.net_load_kw).all()
    assert plan.by == "rules"


def test_targets_are_reached_by_the_said_departures() -> None:
    service = Service(None)
    asked = request(ports__departs_in_s=[14400.0, 36000.0, 50000.0], ports__soc=[0.4, 0.5, 0.6])
    plan = plan_of(asked, service.memory, service.kit)
    made = service.cycle(ports__departs_in_s=[14400.0, 36000.0, 50000.0], ports__soc=[0.4, 0.5, 0.6])
    assert plan.cars_kw[0, 0] == pytest.approx(np.nansum(made.answer.decisions.setpoint_kw))
    assert plan.steps_left.tolist() == [16, 40, 55]
    np.testing.assert_allclose(plan.soc_end, 0.8, atol=1e-6)
    np.testing.assert_allclose(plan.gained_kwh, 60.0 * (plan.soc_end - np.array([0.4, 0.5, 0.6])), atol=1e-6)
    assert plan.cars_kw[0, 55:].sum() == 0.0


def test_energy_of_the_plan_is_what_the_batteries_get_and_the_losses() -> None:
    service = Service(Says(5.0), "economy.enabled=false")
    plan = plan_of(request(), service.memory, service.kit)
    at_grid_kwh = plan.cars_kw.sum() * 0.25
    # 5 kW less 0.1 kW fixed loss at 90 %: 4.4 kW into a battery of each car.
    hours = at_grid_kwh / 3 / 5.0
    assert plan.gained_kwh[0] == pytest.approx(4.4 * hours, rel=1e-6)
    assert plan.by == "says"


def test_a_request_far_ahead_keeps_gaps_and_repeats_the_day_before() -> None:
    prices = [0.01 * at for at in range(96)]
    asked = request(prices__import_usd_per_kwh=[[None if at == 3 else price for at, price in enumerate(prices)]])
    buy = far_sighted(asked).prices.import_usd_per_kwh[0]
    assert len(buy) == 192
    assert np.isnan(buy[3])
    np.testing.assert_allclose(buy[96 + 4 : 192], prices[4:])
    nothing = request(prices__import_usd_per_kwh=[[None]])
    assert np.isnan(far_sighted(nothing).prices.import_usd_per_kwh).all()


def test_limits_events_and_loads_are_those_of_their_step() -> None:
    """The site's limit falls to 4 kW after an hour: the plan keeps it, and says so before it happens."""
    limit = [100.0] * 4 + [4.0] * 92
    service = Service(Says(11.0))
    plan = plan_of(request(sites__import_limit_kw=[limit]), service.memory, service.kit)
    assert plan.cars_kw[0, :4].max() > 20.0
    assert (plan.cars_kw[0, 4:] <= 4.0 + 1e-9).all()


def test_an_event_is_left_alone_in_the_plan() -> None:
    event = {"type": ["elrp"], "start_in_s": [0], "end_in_s": [7200], "binding": [True], "rate_usd_per_kwh": [2.0]}
    service = Service(Says(11.0))
    plan = plan_of(request(events=event), service.memory, service.kit)
    assert plan.cars_kw[0, :8].max() == 0.0
    assert plan.cars_kw[0, 8] > 0.0


def test_orders_end_when_they_end() -> None:
    service = Service(Says(11.0))
    service.kit = replace(service.kit, runner=InlineRunner(Says(0.0)))
    service.cycle()
    service.kit = replace(service.kit, runner=InlineRunner(Says(11.0)))
    service.order("hold", step=1, until=4)
    plan = plan_of(request(1), service.memory, service.kit)
    assert plan.cars_kw[0, :3].tolist() == [0.0] * 3
    assert plan.cars_kw[0, 3] == pytest.approx(33.0)


def test_cars_that_nobody_steers_are_told_apart() -> None:
    service = Service(Says(5.0))
    plan = plan_of(request(ports__plugged_age_s=90000.0), service.memory, service.kit)
    assert plan.released_kw.tolist() == [11.0, 0.0, 0.0]
    assert plan.cars_kw[0, 0] == pytest.approx(10.0)
    assert plan.gained_kwh[0] == 0.0


def test_flexibility_now_is_what_a_pause_and_full_power_change() -> None:
    """Three cars at 5 kW that need 7 of their 10 hours at most: they can pause an hour, or rise to 11 kW each."""
    service = Service(Says(5.0))
    asked = request(ports__export_consent=[False] * 3, ports__charge_limit_soc=[0.95] * 3)
    plan = plan_of(asked, service.memory, service.kit, flexible_at=(0, 8), durations_h=(0.25, 1.0))
    first, later = plan.flexibility
    assert (first.step, later.step) == (0, 8)
    assert first.hours == (0.25, 1.0)
    assert first.down_kw == pytest.approx((15.0, 15.0))
    assert first.up_kw == pytest.approx((18.0, 18.0))
    may = plan_of(request(), service.memory, service.kit, durations_h=(1.0,)).flexibility[0]
    assert may.down_kw[0] > 15.0 + 20.0, "with consent it can also export"


def test_without_a_fresh_reading_flexibility_counts_no_export() -> None:
    service = Service(Says(5.0))
    plan = plan_of(request(ports__power_kw=[None] * 3), service.memory, service.kit, durations_h=(1.0,))
    assert plan.flexibility[0].down_kw == pytest.approx((15.0,))


def test_the_plan_changes_nothing() -> None:
    service = Service(Says(5.0))
    asked, before = request(), service.memory
    digest = asked.ports.soc.copy()
    assert plan_of(asked, before, service.kit).cars_kw.sum() == plan_of(asked, before, service.kit).cars_kw.sum()
    np.testing.assert_array_equal(asked.ports.soc, digest)
    assert service.memory is before


def test_a_fleet_without_cars_has_an_empty_plan() -> None:
    service = Service(None)
    plan = plan_of(request(ports__plugged=[False] * 3), service.memory, service.kit)
    assert plan.cars_kw.sum() == 0.0
    assert plan.steps_left.tolist() == [0, 0, 0]
    assert np.isnan(plan.soc_end).all()
