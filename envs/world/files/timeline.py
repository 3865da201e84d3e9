"""A regular grid of time with gaps: what prices, emissions and load files have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from .errors import DataFileError

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

DAY_S = 86_400


@dataclass(frozen=True)
class DayList:
    """Local dates of a table: those wholly covered, and those of its span that are not."""

    complete: tuple[date, ...]
    missing: tuple[date, ...]


@dataclass(frozen=True)
class Timeline:
    """Starts of equally long intervals, `(K,)`, sorted and without duplicates, of one file or several."""

    paths: tuple[str, ...]
    what: str  # "price", "emission rate", "load": what a gap lacks
    start_utc_s: IntArray
    interval_s: int
    line: IntArray  # line of each row in its file
    file: IntArray  # index into `paths` of each row

    def __len__(self) -> int:
        return len(self.start_utc_s)

    @property
    def names(self) -> str:
        """File names without folders, for reports."""
        return " and ".join(Path(p).name for p in self.paths)

    @property
    def end_utc_s(self) -> int:
        """End of the last interval."""
        return int(self.start_utc_s[-1]) + self.interval_s

    def origin(self, row: int) -> tuple[str, int]:
        """Path and line of a row."""
        return self.paths[int(self.file[row])], int(self.line[row])

    @cached_property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Half-open spans `(from, to)` in UTC seconds that lie inside the file's span and have no row."""
        ends = self.start_utc_s[:-1] + self.interval_s
        holes = np.flatnonzero(self.start_utc_s[1:] > ends)
        return tuple((int(ends[i]), int(self.start_utc_s[i + 1])) for i in holes)

    def covers(self, from_utc_s: int, to_utc_s: int) -> bool:
        """Whether every moment of the half-open span has a row."""
        if from_utc_s < self.start_utc_s[0] or to_utc_s > self.end_utc_s:
            return False
        return all(to_utc_s <= a or from_utc_s >= b for a, b in self.gaps)

    def days(self, timezone: str, start_hour: float = 0, hours: float | None = None) -> DayList:
        """Local dates whose window is complete, and the others of the file's span.

        Args:
            timezone: zone of the local dates.
            start_hour: local wall-clock hour at which a date's window begins.
            hours: length of the window, both on the wall clock and in absolute hours, so that it suffices
                where the clocks change; None: to the same wall-clock hour of the next date, 23 to 25 hours.
        """
        zone = zone_of(timezone)
        day = datetime.fromtimestamp(int(self.start_utc_s[0]), zone).date()
        last = datetime.fromtimestamp(self.end_utc_s - 1, zone).date()
        complete: list[date] = []
        missing: list[date] = []
        while day <= last:
            begin = wall_utc_s(day, start_hour * 3600, zone)
            wall_end_s = (start_hour + (24 if hours is None else hours)) * 3600
            end = max(wall_utc_s(day, wall_end_s, zone), begin + round((hours or 0) * 3600))
            (complete if self.covers(begin, end) else missing).append(day)
            day += timedelta(days=1)
        return DayList(tuple(complete), tuple(missing))

    def to_steps(self, values: FloatArray, step_start_utc_s: IntArray, interval_minutes: int) -> FloatArray:
        """Values `(K, ...)` on the given steps `(n,)`: the mean over a step's rows, or the row it lies in.

        Raises:
            DataFileError: a step needs a time for which the file has no row.
        """
        step_s = interval_minutes * 60
        offsets = np.unique((step_start_utc_s - self.start_utc_s[0]) % self.interval_s)
        grain = math.gcd(step_s, self.interval_s, *(int(o) for o in offsets))
        moments = step_start_utc_s[:, None] + np.arange(0, step_s, grain)
        rows = self.rows_at(moments.ravel()).reshape(moments.shape)
        mean: FloatArray = values[rows].mean(axis=1)
        return mean

    def rows_at(self, utc_s: IntArray) -> IntArray:
        """The row that covers each moment.

        Raises:
            DataFileError: a moment has no row; names the gap, the line before it and the days that are there.
        """
        rows = np.searchsorted(self.start_utc_s, utc_s, side="right") - 1
        lacking = (rows < 0) | (utc_s - self.start_utc_s[rows] >= self.interval_s)
        if lacking.any():
            raise self._no_row(int(utc_s[np.argmax(lacking)]))
        return rows.astype(np.int64)

    def _no_row(self, moment: int) -> DataFileError:
        fix = "choose a day that the file holds, or give a file that holds this one"
        span = f"the file holds {show_utc(int(self.start_utc_s[0]))} to {show_utc(self.end_utc_s)} UTC"
        for begin, end in self.gaps:
            if begin <= moment < end:
                last = int(np.searchsorted(self.start_utc_s, begin)) - 1
                lack = f"no {self.what} from {show_utc(begin)} to {show_utc(end)} UTC"
                lack += f", and {show_utc(moment)} is needed"
                return DataFileError(*self.origin(last), f"{lack} ({span})", fix)
        path = " and ".join(self.paths)
        return DataFileError(path, None, f"no {self.what} for {show_utc(moment)} UTC: {span}", fix)


def zone_of(timezone: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"time zone {timezone!r} is unknown; use an IANA name such as America/Chicago") from error


def wall_utc_s(day: date, wall_s: float, zone: ZoneInfo) -> int:
    """UTC seconds of a local wall-clock time; one that the spring change skips is the moment of the change.

    A wall-clock time that the autumn change repeats means its first occurrence.
    """
    local = datetime(day.year, day.month, day.day) + timedelta(seconds=wall_s)
    early, late = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = early.utcoffset(), late.utcoffset()
    assert before is not None
    assert after is not None
    if after > before:  # skipped: PEP 495 gives fold=0 the offset before the change
        return _change_between(round(late.timestamp()), round(early.timestamp()), zone)
    return round(early.timestamp())


def _change_between(low: int, high: int, zone: ZoneInfo) -> int:
    old = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if datetime.fromtimestamp(middle, zone).utcoffset() == old else (low, middle)
    return high


def show_utc(utc_s: int) -> str:
    """`2025-08-31 00:00`, for messages."""
    return datetime.fromtimestamp(utc_s, UTC).strftime("%Y-%m-%d %H:%M")
