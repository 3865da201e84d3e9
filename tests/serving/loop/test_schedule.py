"""When cycles begin, whatever the clock does."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.serving.loop.schedule import Schedule

PACIFIC, KOLKATA = ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Kolkata")
NOON_S = datetime(2026, 7, 15, 12, tzinfo=PACIFIC).timestamp()


def test_the_first_cycle_begins_at_once_and_the_next_on_the_grid() -> None:
    schedule = Schedule(900, PACIFIC)
    assert schedule.next_start_s(NOON_S + 421.7, None) == NOON_S + 421.0
    assert schedule.next_start_s(NOON_S + 422.0, NOON_S + 421.0) == NOON_S + 900.0
    assert schedule.next_start_s(NOON_S + 901.0, NOON_S + 900.0) == NOON_S + 1800.0


def test_points_that_passed_unseen_are_not_made_up_for() -> None:
    assert Schedule(900, PACIFIC).next_start_s(NOON_S + 4000.0, NOON_S) == NOON_S + 3600.0


def test_a_clock_put_back_a_little_is_waited_for_and_one_put_back_far_begins_anew() -> None:
    schedule = Schedule(900, PACIFIC)
    assert schedule.next_start_s(NOON_S - 60.0, NOON_S) == NOON_S + 900.0
    assert schedule.next_start_s(NOON_S - 3600.0, NOON_S) == NOON_S - 3600.0


def test_hours_begin_on_the_local_hour_also_where_that_is_half_past() -> None:
    at = datetime(2026, 7, 15, 12, 20, tzinfo=KOLKATA).timestamp()
    start = Schedule(3600, KOLKATA).local(Schedule(3600, KOLKATA).next_start_s(at, at - 1200.0))
    assert (start.hour, start.minute) == (13, 0)


@pytest.mark.parametrize(("date", "hours"), [((2026, 3, 8), 23), ((2026, 11, 1), 25), ((2026, 7, 15), 24)])
@pytest.mark.parametrize("interval_s", [900, 3600])
def test_a_day_has_as_many_cycles_as_it_has_hours(date: tuple[int, int, int], hours: int, interval_s: int) -> None:
    schedule = Schedule(interval_s, PACIFIC)
    midnight = datetime(*date, tzinfo=PACIFIC)
    end_s = (midnight + timedelta(days=1)).timestamp()
    starts = [midnight.timestamp()]
    while (following := schedule.next_start_s(starts[-1] + 5.0, starts[-1])) < end_s:
        starts.append(following)
    assert len(starts) == hours * 3600 // interval_s
    assert len({schedule.local(start).isoformat() for start in starts}) == len(starts), "each with its own offset"


@given(
    moves=st.lists(st.floats(-4000.0, 9000.0), min_size=1, max_size=40),
    interval_s=st.sampled_from([300, 900, 3600]),
    zone=st.sampled_from([PACIFIC, KOLKATA, ZoneInfo("Australia/Lord_Howe")]),
)
def test_starts_rise_unless_the_clock_went_back_far(moves: list[float], interval_s: int, zone: ZoneInfo) -> None:
    schedule, now_s, last_s = Schedule(interval_s, zone), NOON_S, NOON_S
    for move in moves:
        now_s += move
        start_s = schedule.next_start_s(now_s, last_s)
        assert start_s == int(start_s)
        if now_s < last_s - schedule.skew_s:
            assert start_s == int(now_s // 1)
        else:
            assert start_s > last_s
            assert start_s <= max(now_s, last_s + interval_s), "nobody waits longer than an interval"
        if start_s <= now_s:
            assert now_s - start_s < interval_s, "not behind by an interval"
            last_s = start_s


def test_an_interval_that_no_request_has_is_refused() -> None:
    with pytest.raises(ValueError, match="10 minutes; choose one of 5, 15, 60"):
        Schedule(600, PACIFIC)
