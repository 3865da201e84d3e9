"""Bringing years together: a source day of the same kind, mapped by local time of day.

The years of sessions, prices, emissions and load need not match. A target date borrows a source day that
is a weekday if it is one, a weekend day if it is one; what happened at a local time of day there happens
at the same local time of day here. Public holidays and seasons are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from .timeline import DAY_S, FloatArray, IntArray, wall_utc_s, zone_of


@dataclass(frozen=True)
class SourceDay:
    """The day of a file that stands in for a target date, and the sentence that says so."""

    day: date
    provenance: str


def is_weekend(day: date) -> bool:
    """Saturday or Sunday; public holidays are not modelled."""
    return day.weekday() >= 5


def kind_of_day(weekend: bool) -> str:
    """The word for it in messages."""
    return "weekend day" if weekend else "weekday"


def choose_source_day(
    target_date: date, available: Sequence[date], rng: np.random.Generator, *, what: str, source: str
) -> SourceDay:
    """The target date itself where it is available, else a day of the same kind at random.

    Args:
        target_date: local date to be filled.
        available: local dates that the file holds in full.
        rng: drawn from once, whether or not the date itself is available, so that streams do not shift.
        what: what is borrowed ("emissions"), for the sentence.
        source: name of the file, for the sentence: `table.timeline.names`.

    Raises:
        ValueError: no day of that kind is available.
    """
    kind = kind_of_day(is_weekend(target_date))
    like = sorted(day for day in set(available) if is_weekend(day) == is_weekend(target_date))
    pick = rng.random()
    if target_date in like:
        return SourceDay(target_date, f"{what} of {target_date} from {source}, the day itself")
    if not like:
        lack = f"no complete {kind} to stand in for {target_date}"
        raise ValueError(f"{source}: {lack}; give a file that holds a whole {kind}")
    day = like[int(pick * len(like))]
    return SourceDay(
        day,
        f"{what} of {target_date} taken from {day} in {source} ({kind} for {kind}, by local time of day"
        + (f"; the years {day.year} and {target_date.year} differ)" if day.year != target_date.year else ")"),
    )


def source_steps(
    target_start: datetime, interval_minutes: int, count: int, source_date: date, source_timezone: str
) -> IntArray:
    """UTC seconds in the source, `(count,)`, of each target step's local time of day and day of the window.

    An hour that the target repeats (25-hour day) takes the source's hour twice; one that it skips
    (23-hour day) is left out.

    Raises:
        ValueError: `target_start` has no time zone.
    """
    if target_start.tzinfo is None:
        raise ValueError(f"target_start {target_start} has no time zone; give an aware datetime")
    begin = round(target_start.timestamp())
    zone = target_start.tzinfo
    day = target_start.date().toordinal()
    step_s = interval_minutes * 60
    walls = np.empty(count, np.int64)
    for k in range(count):
        local = datetime.fromtimestamp(begin + k * step_s, zone)
        seconds = local.hour * 3600 + local.minute * 60 + local.second
        walls[k] = (local.toordinal() - day) * DAY_S + seconds
    return local_to_utc_s(source_date, walls, source_timezone)


def local_to_utc_s(day: date, wall_s: FloatArray | IntArray, timezone: str) -> IntArray:
    """UTC seconds of wall-clock seconds `(n,)` since local midnight of `day`, in the same order.

    A time that the spring change skips is the moment of the change, one that the autumn change repeats
    the first.
    """
    zone = zone_of(timezone)
    utc = np.zeros(len(wall_s), np.int64)
    whole_days = np.floor_divide(wall_s, DAY_S).astype(np.int64)
    for offset in np.unique(whole_days):
        here = whole_days == offset
        date_of = day + timedelta(days=int(offset))
        begin, end = (wall_utc_s(date_of + timedelta(days=i), 0, zone) for i in (0, 1))
        if end - begin == DAY_S:
            utc[here] = begin + np.round(wall_s[here] - offset * DAY_S).astype(np.int64)
        else:
            utc[here] = [wall_utc_s(date_of, float(w - offset * DAY_S), zone) for w in wall_s[here]]
    return utc
