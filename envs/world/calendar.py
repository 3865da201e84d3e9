"""Wall-clock facts of equally long steps: hour, weekday, month and local date of every step.

Steps have equal absolute length. A day of 23 or 25 hours only moves the wall clock: an hour is skipped or
comes twice, and prices, windows and seasons follow the wall clock. Holidays are not modelled: a holiday on a
weekday is priced as a weekday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from .scenario import BoolArray, FloatArray, IntArray, steps_per_hour

DAY_SECONDS = 86_400
QUARTER_SECONDS = 900
EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


@dataclass(frozen=True)
class StepTimes:
    """The times of `count` steps from `start`, each `interval_minutes` long; every array is `(count,)`.

    Raises:
        ValueError: `start` has no time zone or lies off the grid, the interval is not 5, 15 or 60, or `count`
            is negative.
    """

    start: datetime
    interval_minutes: int
    count: int

    def __post_init__(self) -> None:
        steps_per_hour(self.interval_minutes)
        if self.start.tzinfo is None:
            raise ValueError(f"start {self.start} has no time zone; give one, e.g. ZoneInfo('America/Los_Angeles')")
        if self.start.minute % self.interval_minutes or self.start.second or self.start.microsecond:
            raise ValueError(f"start {self.start} is off the {self.interval_minutes}-minute grid; round it down")
        if self.count < 0:
            raise ValueError(f"count is {self.count}; it must be 0 or more")

    @cached_property
    def utc_seconds(self) -> IntArray:
        """Start of each step in seconds since 1970-01-01 00:00 UTC."""
        first = round(self.start.timestamp())
        return first + 60 * self.interval_minutes * np.arange(self.count, dtype=np.int64)

    @cached_property
    def local_seconds(self) -> IntArray:
        """Wall clock at the start of each step, as seconds since 1970-01-01 00:00 on the same wall clock."""
        # Clocks change on quarter hours of UTC, so one look-up a quarter hour serves the steps in it.
        quarters, where = np.unique(self.utc_seconds // QUARTER_SECONDS, return_inverse=True)
        offsets = [self._offset_seconds(int(q) * QUARTER_SECONDS) for q in quarters]
        return self.utc_seconds + np.array(offsets, dtype=np.int64)[where]

    def _offset_seconds(self, utc_second: int) -> int:
        moment = datetime.fromtimestamp(utc_second, tz=self.start.tzinfo)
        offset = moment.utcoffset()
        assert offset is not None  # the start carries a time zone
        return round(offset.total_seconds())

    @cached_property
    def local_hour(self) -> FloatArray:
        """Hour of the wall clock, 0 <= hour < 24."""
        return (self.local_seconds % DAY_SECONDS) / 3600.0

    @cached_property
    def month(self) -> IntArray:
        """Month of the local date, 1 to 12."""
        months = self._local_days.astype("datetime64[M]").astype(np.int64)
        return months % 12 + 1

    @cached_property
    def weekday(self) -> IntArray:
        """Day of the week of the local date, 0 = Monday."""
        return (self.local_seconds // DAY_SECONDS + EPOCH_WEEKDAY) % 7

    @cached_property
    def is_weekend(self) -> BoolArray:
        """True on Saturday and Sunday."""
        return self.weekday >= 5

    @cached_property
    def day_index(self) -> IntArray:
        """Local calendar days since the date of `start`, which is day 0."""
        day = self.local_seconds // DAY_SECONDS
        return day - day[:1]

    @cached_property
    def dates(self) -> tuple[date, ...]:
        """The local dates that the steps touch, in order; `day_index` counts them."""
        return tuple(self._local_days[np.unique(self.day_index, return_index=True)[1]].tolist())

    @property
    def _local_days(self) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
        return (self.local_seconds // DAY_SECONDS).astype("datetime64[D]")

    def time_of(self, step: int) -> datetime:
        """Local time at the start of `step`, which may lie outside the steps."""
        moved = self.start.timestamp() + 60 * self.interval_minutes * step
        return datetime.fromtimestamp(moved, tz=self.start.tzinfo)

    def step_of(self, moment: datetime) -> int:
        """The step in which `moment` lies; negative before the start, `count` or more after the end."""
        # By timestamps: the difference of two times in one zone is that of their wall clocks.
        return int((moment.timestamp() - self.start.timestamp()) // (60 * self.interval_minutes))

    def in_window(self, start_hour: float, end_hour: float) -> BoolArray:
        """True for steps that begin in `[start_hour, end_hour)` local time; a window may pass midnight."""
        hour = self.local_hour
        if start_hour <= end_hour:
            return (hour >= start_hour) & (hour < end_hour)
        return (hour >= start_hour) | (hour < end_hour)


def time_zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name.

    Raises:
        ValueError: the system knows no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: the name of a folder of zones
        raise ValueError(f"time zone {name!r} is unknown; use an IANA name, e.g. 'America/Chicago'") from error
