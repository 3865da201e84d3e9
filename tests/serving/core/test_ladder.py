"""Each car's rung, one bad reading at a time: who decides, why, and that the other cars notice nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.serving.core.controls import with_loose
from ebbflow.serving.messages.vocabulary import DecisionReason, DecisionSource

from .small_fleet import Says, Service

CHARGE, EXPORT = Says(4.0), Says(-4.0)
OLD, FUTURE = 9000.0, -400.0

# what is changed of car a; who decides for it, and why
RUNGS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "policy", "as_asked"),
    ({"ports__soc": None, "ports__need_kwh": 10.0}, "policy", "as_asked"),  # J1772 tells no SoC
    ({"ports__soc": None}, "rules", "no_need"),
    ({"ports__soc": 1.3}, "rules", "bad_soc"),
    ({"ports__soc": -0.1}, "rules", "bad_soc"),
    ({"ports__soc_age_s": OLD}, "rules", "stale_soc"),
    ({"ports__soc_age_s": FUTURE}, "rules", "stale_soc"),
    ({"ports__departs_in_s": None}, "rules", "no_departure"),
    ({"ports__target_soc": None}, "policy", "as_asked"),
    ({"ports__power_kw": None}, "policy", "as_asked"),
    ({"ports__plugged": None}, "nobody", "not_plugged_known"),
    ({"ports__plugged": False}, "nobody", "empty"),
    ({"ports__plugged_age_s": OLD}, "nobody", "not_plugged_known"),
    ({"ports__plugged": False, "ports__plugged_age_s": OLD}, "nobody", "not_plugged_known"),
    ({"ports__plugged": False, "ports__power_age_s": OLD, "ports__soc": None}, "nobody", "not_plugged_known"),
    ({"ports__plugged": False, "ports__power_kw": None, "ports__soc": None}, "nobody", "empty"),
    ({"ports__soc_age_s": OLD, "ports__power_age_s": 5000.0}, "rules", "stale_soc"),
    ({"ports__soc_age_s": OLD, "ports__power_age_s": OLD}, "nobody", "not_plugged_known"),
    ({"ports__capacity_kwh": 0.0}, "nobody", "bad_parameters"),
    ({"ports__max_charge_kw": -5.0}, "nobody", "bad_parameters"),
    ({"ports__max_charge_kw": None}, "nobody", "bad_parameters"),
    ({"ports__charge_efficiency": 1.2}, "nobody", "bad_parameters"),
    ({"ports__min_charge_kw": 20.0}, "nobody", "bad_parameters"),
    ({"ports__override": "charge_now"}, "override", "driver_charge_now"),
    ({"ports__override": "opt_out"}, "override", "driver_opt_out"),
    ({"ports__override": "charge_now", "ports__override_for_s": -5.0}, "policy", "as_asked"),
]


@pytest.mark.parametrize(("changes", "source", "reason"), RUNGS, ids=lambda x: str(x)[:60])
def test_one_bad_reading_costs_one_car(changes: dict[str, Any], source: str, reason: str) -> None:
    made = Service(CHARGE).cycle(**changes)
    d, by_source = made.answer.decisions, made.answer.totals.by_source
    told = [(DecisionSource(s).word, DecisionReason(r).word) for s, r in zip(d.source, d.reason, strict=True)]
    assert told[0] == (source, reason)
    assert told[1:] == [("policy", "as_asked")] * 2
    assert by_source["policy"] >= 2
    released = reason in ("not_plugged_known", "bad_parameters")
    assert np.isnan(d.setpoint_kw[0]) == released
    assert made.answer.state.word == "auto"


def reason_of(outcome: Any, car: int = 0) -> str:
    return DecisionReason(outcome.answer.decisions.reason[car]).word


EXPORTS: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"ports__export_consent": False}, False),
    ({"ports__export_consent": None}, False),
    ({"ports__max_discharge_kw": 0.0}, False),
    ({"ports__soc": None}, False),
    ({"ports__soc_age_s": OLD}, False),
    ({"ports__soc_age_s": 1000.0}, False),
    ({"ports__power_kw": None}, False),
    ({"ports__power_age_s": 1000.0}, False),
    ({"ports__power_age_s": FUTURE}, False),
    ({"ports__soc": 0.29}, False),  # the reserve is 0.3
    ({"ports__departs_in_s": 3600.0}, False),  # what is left is needed for the target
    ({"ports__override": ["charge_now", "none", "none"]}, False),
    ({"prices__export_usd_per_kwh": [[None] * 96]}, False),
    ({"prices__export_usd_per_kwh": [[5.0] * 96], "prices__published_age_s": 300000.0}, False),  # late
    ({"prices__export_usd_per_kwh": [[0.01] * 96]}, False),  # less than the wear
    ({"prices__export_usd_per_kwh": [[-0.5] * 96]}, False),
    ({"prices__export_usd_per_kwh": [[5.0] * 96]}, True),
    ({"prices__export_usd_per_kwh": [[0.0] * 96], "sites__net_load_kw": [20.0]}, True),  # saves what the site draws
    ({"sites__export_limit_kw": [[0.0]]}, False),
]


@pytest.mark.parametrize(("changes", "exports"), EXPORTS, ids=lambda x: str(x)[:60])
def test_export_needs_all_of_its_conditions(changes: dict[str, Any], exports: bool) -> None:
    made = Service(EXPORT).cycle(**changes)
    assert (made.answer.decisions.setpoint_kw[0] < 0) == exports


def test_an_event_that_pays_is_enough_and_ends_the_lease() -> None:
    event = {
        "type": ["elrp"],
        "start_in_s": [-600],
        "end_in_s": [1200],
        "rate_usd_per_kwh": [2.0],
        "pays_export": [True],
    }
    made = Service(EXPORT).cycle(prices__export_usd_per_kwh=[[None] * 96], events=event)
    d = made.answer.decisions
    assert (d.setpoint_kw < 0).all()
    assert (d.valid_until_s == made.answer.cycle_start_s + 1200).all()
    assert (d.on_expiry == 1).all()


@pytest.mark.parametrize(("rate", "exports"), [(2.0, True), (0.01, False)])
def test_an_event_pays_by_itself_where_prices_are_late(rate: float, exports: bool) -> None:
    event = {"type": ["elrp"], "start_in_s": [0], "end_in_s": [3600], "rate_usd_per_kwh": [rate], "pays_export": [True]}
    late = {"prices__published_age_s": 300000.0, "prices__export_usd_per_kwh": [[5.0] * 96]}
    made = Service(EXPORT).cycle(events=event, **late)
    assert (made.answer.decisions.setpoint_kw < 0).all() == exports


def test_without_a_ledger_rules_decide_and_nothing_is_exported() -> None:
    made = Service(EXPORT).cycle(ledger_up=False)
    assert made.answer.state.word == "ledger_down"
    assert not (made.answer.decisions.setpoint_kw < 0).any()
    assert made.answer.totals.by_source == {"rules": 3}
    assert any("ledger" in problem for problem in made.answer.problems)


def test_without_a_policy_the_service_is_degraded_and_answers_by_rules() -> None:
    made = Service().cycle()
    assert made.answer.state.word == "degraded"
    assert made.answer.totals.by_source == {"rules": 3}
    assert made.answer.model.name == ""


# orders of the operator against what drivers, events and the policy want
def test_rank_operator_driver_event_policy() -> None:
    service = Service(CHARGE)
    binding = {"type": ["shed"], "start_in_s": [0], "end_in_s": [3600], "binding": [True]}
    driver = ["charge_now", "none", "none"]
    made = service.cycle(0, events=binding, ports__override=driver)
    assert made.answer.decisions.setpoint_kw.tolist() == [11.0, 0.0, 0.0]
    assert reason_of(made, 1) == "event"
    service.order("hold", step=1)
    made = service.cycle(1, ports__override=["none", "charge_now", "none"])
    assert made.answer.decisions.setpoint_kw.tolist() == [11.0, 0.0, 0.0]
    assert made.answer.state.word == "operator"
    assert reason_of(made, 1) == "operator_hold"
    service.order("release", step=2, ports=("b",))
    made = service.cycle(2, ports__override=["none", "charge_now", "none"])
    assert np.isnan(made.answer.decisions.setpoint_kw[1])
    assert reason_of(made, 1) == "operator_release"


def test_holding_an_export_needs_the_drivers_consent() -> None:
    service = Service(EXPORT)
    assert service.cycle(0).answer.decisions.setpoint_kw.tolist() == [-4, -4, -4]
    service.order("hold", step=1)
    made = service.cycle(1, ports__override="charge_now")
    assert made.answer.decisions.setpoint_kw.tolist() == [0, -4, -4]


def test_a_car_that_comes_under_a_hold_is_paused_until_it_has_to_charge() -> None:
    service = Service(CHARGE)
    service.order("hold", step=0, until=9)
    made = service.cycle(0)
    assert made.answer.decisions.setpoint_kw.tolist() == [0, 0, 0]
    assert (reason_of(made), made.answer.totals.by_source) == ("operator_hold", {"operator": 3})
    made = service.cycle(1, ports__departs_in_s=3600.0)
    assert made.answer.decisions.setpoint_kw.tolist() == [11, 0, 0]
    assert reason_of(made) == "departure"


def test_safety_ranks_above_all() -> None:
    service = Service(CHARGE)
    service.cycle(0, ports__override=["charge_now", "charge_now", "charge_now"])
    service.order("hold", step=1)
    made = service.cycle(1, sites__import_limit_kw=[[12.0]])
    assert made.answer.totals.import_kw <= 12.0
    assert (made.answer.decisions.setpoint_kw > 0).sum() == 1


NOTHING_LEFT = {"sites__import_limit_kw": [[0.0]]}
LEAVES_SOON = {"ports__departs_in_s": [3600.0] * 3}
CUTS: list[tuple[float, dict[str, Any], float, str]] = [
    (11.0, LEAVES_SOON, 11.0, "as_asked"),
    (0.0, LEAVES_SOON, 11.0, "departure"),
    (-4.0, LEAVES_SOON, 11.0, "departure"),
    (11.0, LEAVES_SOON | NOTHING_LEFT, 0.0, "limit"),
    (-4.0, LEAVES_SOON | NOTHING_LEFT, 0.0, "limit"),
    (11.0, {"ports__soc": 0.05, "ports__min_soc": [0.2] * 3, **NOTHING_LEFT}, 0.0, "limit"),
    (4.0, {"ports__override": "charge_now", **NOTHING_LEFT}, 0.0, "limit"),
    (4.0, {"ports__override": "charge_now", "sites__import_limit_kw": [[6.0]]}, 6.0, "limit"),
    (4.0, {"ports__override": "opt_out", **NOTHING_LEFT}, 0.0, "limit"),
]


@pytest.mark.parametrize(("asked_kw", "changes", "power_kw", "why"), CUTS, ids=lambda x: str(x)[:60])
def test_the_reason_tells_which_way_a_set_point_went(
    asked_kw: float, changes: dict[str, Any], power_kw: float, why: str
) -> None:
    made = Service(Says(asked_kw)).cycle(**changes)
    assert (made.answer.decisions.setpoint_kw[0], reason_of(made)) == (power_kw, why)


@pytest.mark.parametrize(
    ("control", "powers"), [("rules_only", [11, 11, 11]), ("no_export", [0, 0, 0]), ("auto", [-4, -4, -4])]
)
def test_orders_end_by_themselves(control: str, powers: list[float]) -> None:
    service = Service(EXPORT)
    service.order(control, step=0, until=1)
    # Export pays less than refilling costs, and no later hour is cheaper: the rules charge.
    assert service.cycle(0).answer.decisions.setpoint_kw.tolist() == powers
    after = service.cycle(1)
    assert after.answer.decisions.setpoint_kw.tolist() == [-4, -4, -4]
    assert after.answer.state.word == "auto"
    assert service.memory.orders == ()


def test_auto_ends_an_earlier_order_for_the_ports_it_names() -> None:
    service = Service(CHARGE)
    service.cycle(0)
    service.order("release", step=1)
    service.order("auto", step=1, ports=("a",))
    made = service.cycle(1)
    assert np.isnan(made.answer.decisions.setpoint_kw).tolist() == [False, True, True]


def test_a_clock_that_is_put_back_voids_no_order_and_changes_no_rank() -> None:
    service = Service(EXPORT)
    service.order("hold", step=6, until=12)
    service.order("auto", step=4, until=12)  # after the hold, by a clock that had been put back
    service.order("no_export", step=5, until=12)
    made = service.cycle(0)
    assert made.answer.decisions.setpoint_kw.tolist() == [0, 0, 0]
    assert reason_of(made) == "export_refused"
    assert service.cycle(12).answer.decisions.setpoint_kw.tolist() == [-4, -4, -4]


def test_orders_that_no_ledger_took_stand_where_they_were_issued() -> None:
    service = Service()
    for step, control in enumerate(("hold", "auto", "release")):
        service.order(control, step, until=12)
    hold, auto, release = service.memory.orders
    assert with_loose((hold, release), (auto,)) == (hold, auto, release)
    assert with_loose((hold, auto), (release,)) == (hold, auto, release)


@pytest.mark.parametrize("unknown", [{"ports__plugged": None}, {"ports__plugged": False, "ports__plugged_age_s": OLD}])
def test_released_cars_are_reckoned_with_their_full_draw(unknown: dict[str, Any]) -> None:
    made = Service(CHARGE).cycle(**unknown, sites__import_limit_kw=[[18.0]])
    # 11 kW may be drawn by a, which leaves 7: one car at 4, the other below what is left.
    assert made.answer.totals.import_kw <= 7.0


def test_problems_name_series_window_and_age() -> None:
    prices = [[0.2] * 4 + [None] * 4 + [0.2] * 88]
    made = Service(CHARGE).cycle(prices__import_usd_per_kwh=prices)
    (said,) = made.answer.problems
    assert said == (
        "import price of t: no number from 2026-07-15T13:00:00-07:00 to 2026-07-15T14:00:00-07:00 "
        "(a file, published 1.0 h ago)"
    )
    assert reason_of(made) == "price_gap"
    assert made.answer.totals.by_source == {"rules": 3}


def test_a_gap_after_the_stay_costs_nothing() -> None:
    made = Service(CHARGE).cycle(prices__import_usd_per_kwh=[[0.2] * 60 + [None] * 36])
    assert made.answer.totals.by_source == {"policy": 3}


def test_late_prices_are_named_with_their_age() -> None:
    made = Service(CHARGE).cycle(prices__published_age_s=180000.0)
    assert "published 50.0 h ago" in made.answer.problems[0]
    assert made.answer.totals.by_source == {"rules": 3}


def test_without_any_price_the_night_comes_first() -> None:
    service = Service(CHARGE)
    noon = service.cycle(0, prices={}, ports__departs_in_s=[72000.0] * 3)
    assert noon.answer.decisions.setpoint_kw.tolist() == [0, 0, 0]
    night = service.cycle(49, prices={}, ports__departs_in_s=[72000.0] * 3)
    assert (night.answer.decisions.setpoint_kw > 0).all()
