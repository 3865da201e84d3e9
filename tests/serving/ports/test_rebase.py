"""A state that was told at one moment, as it is at another."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.serving.messages import canonical_json, parse_request, read_json
from ebbflow.serving.messages.columns import RequestError
from ebbflow.serving.messages.request import DispatchRequest
from ebbflow.serving.ports.rebase import rebased

from ..core.small_fleet import START, document  # noqa: TID252

AUTUMN = datetime(2026, 11, 1, 1, 50, tzinfo=ZoneInfo("America/Los_Angeles"))  # ten minutes before it is 1 again


def state(**changes: Any) -> dict[str, Any]:
    made = document(**changes)
    return {name: table for name, table in made.items() if name not in ("fleet", "cycle_start", "interval_s")}


def moved(minutes: float, *, now_minutes: float | None = None, start: datetime = START, **changes: Any) -> Any:
    """The small fleet as of `start`, for a cycle so many minutes later."""
    to = datetime.fromtimestamp(start.timestamp() + 60 * minutes, start.tzinfo)
    now_s = start.timestamp() + 60 * (minutes if now_minutes is None else now_minutes)
    made = rebased(state(**changes), start, to, 900, now_s)
    head = {"fleet": "f", "cycle_start": to.isoformat(), "interval_s": 900}
    return parse_request(read_json(canonical_json({**made, **head})))


def test_at_the_same_moment_nothing_changes() -> None:
    assert rebased(state(), START, START, 900, START.timestamp())["prices"] == state()["prices"]
    made: DispatchRequest = moved(0.0)
    np.testing.assert_array_equal(made.ports.soc_age_s, [10.0, 10.0, 10.0])


def test_readings_age_and_departures_come_nearer() -> None:
    made = moved(20.0, ports__departs_in_s=[36000.0, None, 600.0])
    np.testing.assert_array_equal(made.ports.soc_age_s, [1210.0] * 3)
    np.testing.assert_array_equal(made.ports.departs_in_s, [34800.0, np.nan, -600.0])


def test_a_reading_without_an_age_is_as_old_as_the_state() -> None:
    made = moved(20.0, ports__soc_age_s=[None] * 3, ports__power_age_s=[None, 5.0, None])
    np.testing.assert_array_equal(made.ports.soc_age_s, [1200.0] * 3)
    np.testing.assert_array_equal(made.ports.power_age_s, [1200.0, 1205.0, 1200.0])


def test_the_plug_of_a_car_without_readings_ages_too() -> None:
    made = moved(20.0, ports__soc=[None, 0.5, 0.5], ports__power_kw=[None, None, 1.0])
    np.testing.assert_array_equal(made.ports.plugged_age_s, [1200.0, np.nan, np.nan])


def test_taken_after_the_start_but_before_now_it_is_new() -> None:
    made = moved(-0.5, now_minutes=0.1)
    np.testing.assert_array_equal(made.ports.soc_age_s, [0.0] * 3)


def test_told_from_the_future_it_stays_of_the_future() -> None:
    made = moved(-60.0)
    assert (made.ports.soc_age_s < -3000).all()
    np.testing.assert_array_equal(made.ports.plugged_age_s, [0.0] * 3)
    np.testing.assert_array_equal(made.ports.departs_in_s, [36000.0] * 3)


def test_series_begin_with_the_present_interval() -> None:
    limits = [[10.0, 20.0, 30.0]]
    prices = [[float(step) for step in range(96)]]
    made = moved(35.0, sites__import_limit_kw=limits, prices__import_usd_per_kwh=prices, prices__known_steps=40)
    assert made.sites.import_limit_kw[0, 0] == 30.0
    assert made.prices.import_usd_per_kwh[0, 0] == 2.0
    assert (made.prices.known_steps, made.prices.published_age_s) == (38, 3600.0 + 2100.0)
    later = moved(600.0, sites__import_limit_kw=limits, prices__import_usd_per_kwh=[[1.0, 2.0]])
    assert later.sites.import_limit_kw[0, 0] == 30.0, "a limit goes on"
    assert np.isnan(later.prices.import_usd_per_kwh[0, 0]), "a price does not"


def test_events_and_arrivals_come_nearer_and_pass() -> None:
    events = {"type": ["e"], "start_in_s": [1800.0], "end_in_s": [5400.0]}
    arrivals = {"site": ["s", "s"], "arrive_h": [0, 3], "depart_h": [2, 9], "kwh": [5.0, 7.0]}
    made = moved(90.0, events=events, arrivals=arrivals)
    assert (made.events.start_in_s[0], made.events.end_in_s[0]) == (-3600.0, 0.0)
    assert (made.arrivals.arrive_h.tolist(), made.arrivals.depart_h.tolist()) == ([2.0], [8.0])
    assert made.arrivals.kwh.tolist() == [7.0]


def test_the_hour_that_comes_twice_is_passed_by_absolute_time() -> None:
    made = moved(30.0, start=AUTUMN)
    assert made.cycle_start.isoformat() == "2026-11-01T01:20:00-08:00"
    np.testing.assert_array_equal(made.ports.soc_age_s, [1810.0] * 3)


@given(first=st.floats(0, 500), second=st.floats(0, 500))
def test_in_two_moves_as_in_one(first: float, second: float) -> None:
    between = START + timedelta(minutes=round(first))
    end = between + timedelta(minutes=round(second))
    now_s = end.timestamp()
    twice = rebased(rebased(state(), START, between, 900, now_s), between, end, 900, now_s)
    once = rebased(state(), START, end, 900, now_s)
    np.testing.assert_allclose(twice["ports"]["soc_age_s"], once["ports"]["soc_age_s"])
    np.testing.assert_allclose(twice["ports"]["departs_in_s"], once["ports"]["departs_in_s"])
    assert twice["prices"]["import_usd_per_kwh"] == once["prices"]["import_usd_per_kwh"]


def test_what_is_no_column_is_refused() -> None:
    with pytest.raises(RequestError, match=r"ports\.soc"):
        rebased(state(ports__soc=["x", 1, 1]), START, START, 900, 0.0)
