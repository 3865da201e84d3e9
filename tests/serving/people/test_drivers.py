"""What a driver is told is true, is one sentence, and never promises more than is expected."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from ebbflow.serving.messages.vocabulary import DecisionReason
from ebbflow.serving.people.drivers import DriverLine, driver_lines
from ebbflow.serving.people.plan import plan_of
from ebbflow.serving.people.words import BECAUSE, OPERATORS

from ..core.small_fleet import Says, Service, request  # noqa: TID252


def lines(service: Service | None = None, **changes: Any) -> list[DriverLine]:
    """The lines of one cycle of the small fleet."""
    service = service or Service(Says(11.0))
    plan = plan_of(request(**changes), service.memory, service.kit, ())
    made = service.cycle(**changes)
    return driver_lines(plan, made.answer)


def first(service: Service | None = None, **changes: Any) -> DriverLine:
    return lines(service, **changes)[0]


def test_a_car_that_charges_and_gets_what_was_asked() -> None:
    told = first()
    assert told.sentence == (
        "Your car is charging at 11.0 kW at $0.200/kWh, the lowest price of its stay; 80% is expected at 22:00, "
        "as asked."
    )
    assert (told.mode, told.reason, told.cause, told.missing_kwh) == ("charge", "as_asked", "none", 0.0)
    assert told.soc == pytest.approx(0.5)
    assert told.soc_expected == pytest.approx(0.8)
    assert told.departs_at is not None
    assert told.departs_at.hour == 22


def test_what_no_charger_could_do_is_said_with_its_reason() -> None:
    """11 kW at 90 % less 0.1 kW for an hour put 9.8 kWh into 60: from 50 % to 66 % of the 80 % asked."""
    told = first(ports__departs_in_s=3600.0)
    assert "66% of the 80% asked is expected at 13:00: even at full power there is time for no more." in told.sentence
    assert told.cause == "time"
    assert told.missing_kwh == pytest.approx(0.3 * 60 - 9.8)


def test_a_shared_limit_is_named_where_time_would_have_been_enough() -> None:
    told = lines(ports__departs_in_s=[7200.0] * 3, sites__import_limit_kw=[[12.0]])
    assert {one.cause for one in told} >= {"shared"}
    short = next(one for one in told if one.cause == "shared")
    assert short.sentence.endswith("the power limits of site and feeder leave no more for it.")
    waiting = [one.sentence for one in told if one.mode == "pause"]
    assert waiting
    assert all("is paused as a power limit is reached" in sentence for sentence in waiting)
    assert short.missing_kwh == pytest.approx(0.85), "12 kW for 2 h, less losses, for three who asked 54 kWh"


def test_charging_now_is_never_the_reason_of_a_pause() -> None:
    cut = first(ports__override="charge_now", sites__import_limit_kw=[[0.0]])
    assert cut.sentence.startswith("Your car is paused as a power limit is reached; ")
    full = first(ports__override="charge_now", ports__soc=1.0)
    assert full.sentence.startswith("Your car is paused as it has what was asked; ")


def test_a_driver_who_said_no_departure_is_told_what_was_assumed() -> None:
    told = first(Service(None), ports__departs_in_s=None)
    assert "expected at 07:00 tomorrow (assumed, as no departure was said)" in told.sentence
    assert not told.departure_said
    assert told.reason == "no_departure"


def test_a_pause_for_a_cheaper_hour_says_when_and_what_it_costs() -> None:
    prices = [0.4] * 8 + [0.1] * 88
    told = first(Service(None), prices__import_usd_per_kwh=[prices], prices__export_usd_per_kwh=[[0.0]])
    assert told.sentence.startswith("Your car is paused as power costs $0.100/kWh from 14:00, and $0.400/kWh now; 80%")
    forecast = first(
        Service(None), prices__import_usd_per_kwh=[prices], prices__export_usd_per_kwh=[[0.0]], prices__known_steps=8
    )
    assert "from 14:00, by forecast, and" in forecast.sentence


def test_a_car_that_has_enough_is_paused_for_that() -> None:
    told = first(Service(None), ports__soc=0.8)
    assert told.sentence == "Your car is paused as it has what was asked; 80% is expected at 22:00, as asked."


def test_an_export_says_what_the_grid_pays() -> None:
    told = first(Service(Says(-5.0)), prices__export_usd_per_kwh=[[0.6] * 96])
    assert told.sentence.startswith("Your car is giving 5.0 kW to the grid for $0.600/kWh; ")
    assert told.setpoint_kw == -5.0


def test_a_car_whose_soc_nobody_knows_is_told_in_energy() -> None:
    told = first(ports__soc=None, ports__need_kwh=12.5)
    assert "12.5 kWh is expected at 22:00, as asked." in told.sentence
    assert (told.soc, told.soc_expected, told.target_soc) == (None, None, None)
    late = first(ports__soc=None, ports__need_kwh=12.5, ports__departs_in_s=3600.0)
    assert "7.5 kWh of the 12.5 kWh asked is expected at 13:00: even at full power" in late.sentence
    # An hour at full power gives 9.8 kWh, unless the battery is nearly full, which nobody knows.
    maybe = first(ports__soc=None, ports__need_kwh=9.5, ports__departs_in_s=3600.0)
    assert "at least 5.8 kWh of the 9.5 kWh asked is expected at 13:00: its state of charge" in maybe.sentence


def test_a_released_car_gets_no_promise() -> None:
    told = first(ports__plugged_age_s=90000.0)
    assert told.sentence == (
        "Your car is on its own schedule as it was not heard from for too long; the car is on its own schedule, so "
        "nobody can tell."
    )
    assert told.setpoint_kw is None
    assert told.cause == "released"


def test_a_driver_who_opted_out_hears_that_it_is_their_own_doing() -> None:
    told = first(ports__override="opt_out", ports__soc=0.3)
    assert "as the driver asked for no control" in told.sentence


def test_a_charge_limit_below_the_target_is_the_cause() -> None:
    told = first(ports__charge_limit_soc=[0.6, 0.9, 0.9])
    assert "60% of the 80% asked is expected at 22:00: the charge limit that was set is lower." in told.sentence


def test_a_long_stay_is_told_as_far_as_the_plan_looks() -> None:
    told = first(Service(Says(0.0)), ports__departs_in_s=200000.0)
    assert told.departs_at is None
    assert "50% of the 80% asked is expected by 12:00 tomorrow: it stays longer" in told.sentence


def test_only_those_who_are_asked_for_are_told_by_port_or_car() -> None:
    service = Service(None)
    changes: dict[str, Any] = {"ports__car": ["x", "y", "z"], "ports__plugged": [True, True, False]}
    plan, made = plan_of(request(**changes), service.memory, service.kit, ()), service.cycle(**changes)
    assert [one.port for one in driver_lines(plan, made.answer)] == ["a", "b"], "an empty port has no driver"
    assert [one.port for one in driver_lines(plan, made.answer, {"y"})] == ["b"]
    assert driver_lines(plan, made.answer, {"nobody"}) == []


def test_every_reason_has_words_for_both() -> None:
    assert set(BECAUSE) == set(OPERATORS) == set(DecisionReason)
    assert all(OPERATORS.values())


def test_every_line_is_one_sentence_and_promises_no_more_than_is_expected() -> None:
    rng = np.random.default_rng(3)
    for _ in range(12):
        changes: dict[str, Any] = {
            "ports__soc": rng.uniform(0.05, 1.0, 3).round(3).tolist(),
            "ports__target_soc": rng.uniform(0.3, 1.0, 3).round(3).tolist(),
            "ports__departs_in_s": rng.uniform(-600.0, 60000.0, 3).round().tolist(),
            "ports__max_charge_kw": rng.uniform(2.0, 22.0, 3).round(1).tolist(),
            "sites__import_limit_kw": [[float(rng.uniform(0.0, 40.0))]],
        }
        for one in lines(Service(None), **changes):
            assert re.fullmatch(r"Your car [^;]+; [^;]+\.", one.sentence), one.sentence
            assert "nan" not in one.sentence
            promised = re.search(r"(\d+)% ", one.sentence.partition(";")[2])
            if promised is not None and one.cause != "none":
                assert int(promised[1]) <= 100.0 * (one.soc_expected or 0.0) + 1e-3
