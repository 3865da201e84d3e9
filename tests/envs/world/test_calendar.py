"""The wall clock of equally long steps, also on days of 23 and 25 hours."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.envs.world.calendar import StepTimes, time_zone

PACIFIC = ZoneInfo("America/Los_Angeles")
CENTRAL = ZoneInfo("America/Chicago")


def at(*when: int, zone: ZoneInfo = PACIFIC) -> datetime:
    return datetime(*when, tzinfo=zone)


def test_an_ordinary_day() -> None:
    times = StepTimes(at(2026, 7, 4, 12), 15, 96)
    assert times.local_hour[0] == 12.0
    assert times.local_hour[1] == 12.25
    assert times.local_hour[48] == 0.0
    assert times.weekday[0] == 5  # a Saturday
    assert times.weekday[95] == 6
    assert times.is_weekend.all()
    assert times.month.tolist() == [7] * 96
    assert times.dates == (date(2026, 7, 4), date(2026, 7, 5))
    assert times.day_index.tolist() == [0] * 48 + [1] * 48


def test_the_day_of_23_hours_skips_an_hour() -> None:
    times = StepTimes(at(2026, 3, 8, 0), 60, 24)
    assert times.local_hour[:4].tolist() == [0, 1, 3, 4]
    assert times.day_index.tolist() == [0] * 23 + [1]
    assert np.diff(times.utc_seconds).tolist() == [3600] * 23


def test_the_day_of_25_hours_has_an_hour_twice() -> None:
    times = StepTimes(at(2026, 11, 1, 0), 60, 26)
    assert times.local_hour[:4].tolist() == [0, 1, 1, 2]
    assert times.day_index.tolist() == [0] * 25 + [1]


def test_steps_go_on_from_the_second_occurrence_of_an_hour() -> None:
    times = StepTimes(at(2026, 11, 1, 1).replace(fold=1), 15, 5)
    assert times.local_hour.tolist() == [1.0, 1.25, 1.5, 1.75, 2.0]


@given(
    moment=st.datetimes(datetime(2019, 1, 1), datetime(2030, 1, 1)),
    interval=st.sampled_from([5, 15, 60]),
    zone=st.sampled_from([PACIFIC, CENTRAL, ZoneInfo("Europe/Oslo"), ZoneInfo("UTC")]),
)
def test_every_array_is_what_datetime_says(moment: datetime, interval: int, zone: ZoneInfo) -> None:
    times = StepTimes(moment.replace(minute=0, second=0, microsecond=0, tzinfo=zone), interval, 300)
    for step in (0, 1, 37, 299):
        clock = times.time_of(step)
        assert times.local_hour[step] == pytest.approx(clock.hour + clock.minute / 60)
        assert (times.month[step], times.weekday[step]) == (clock.month, clock.weekday())
        assert times.dates[times.day_index[step]] == clock.date()
        assert times.step_of(clock) == step


def test_a_window_may_pass_midnight() -> None:
    times = StepTimes(at(2026, 6, 1, 0), 60, 24)
    assert np.flatnonzero(times.in_window(16, 21)).tolist() == [16, 17, 18, 19, 20]
    assert np.flatnonzero(times.in_window(22, 2)).tolist() == [0, 1, 22, 23]


def test_no_steps_at_all() -> None:
    times = StepTimes(at(2026, 6, 1), 15, 0)
    assert times.local_hour.shape == times.month.shape == times.day_index.shape == (0,)
    assert times.dates == ()


@pytest.mark.parametrize(
    ("start", "interval", "count", "says"),
    [
        (datetime(2026, 6, 1), 15, 96, "has no time zone"),
        (at(2026, 6, 1, 0, 7), 15, 96, "off the 15-minute grid"),
        (at(2026, 6, 1, 0, 30), 60, 24, "off the 60-minute grid"),
        (at(2026, 6, 1), 10, 96, "must be 5, 15 or 60"),
        (at(2026, 6, 1), 15, -1, "must be 0 or more"),
    ],
)
def test_a_wrong_grid_is_refused(start: datetime, interval: int, count: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        StepTimes(start, interval, count)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'Pacific' is unknown; use an IANA name"):
        time_zone("Pacific")
