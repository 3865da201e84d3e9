"""Prices as known at each step: what is published, and the last like day for the rest (contracts 1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from .calendar import StepTimes
from .scenario import FloatArray, IntArray

HISTORY_DAYS = 7  # before the first day: holds a like day for every day


@dataclass(frozen=True)
class DailyPrices:
    """Hourly market prices by local date and hour of the wall clock, in $/kWh.

    Attributes:
        usd_per_kwh: `(HISTORY_DAYS + D, 24)`; row HISTORY_DAYS is the local date of step 0.
    """

    usd_per_kwh: FloatArray

    def at(self, times: StepTimes) -> FloatArray:
        """The price of each step, `(L,)`; an hour that comes twice has one price."""
        return self.usd_per_kwh[HISTORY_DAYS + times.day_index, times.local_hour.astype(np.int64)]


@dataclass(frozen=True)
class Issues:
    """The market price as issued.

    Attributes:
        usd_per_kwh: `(V, L)`.
        known_until_step: `(V,)` prices of steps before it are published.
        of_step: `(T,)` the issue in force.
    """

    usd_per_kwh: FloatArray
    known_until_step: IntArray
    of_step: IntArray


def issue(series: FloatArray, history: DailyPrices, times: StepTimes, n_steps: int, published_hour: float) -> Issues:
    """The issues in force during an episode: a new one each day at `published_hour`, for the day after.

    Args:
        series: `(L,)` day-ahead price of each step; what is published of it is exact.
        history: the same market by day, from which a like day is taken.
        times: the L steps.
        n_steps: T.
        published_hour: local hour at which tomorrow is published.
    """
    day = times.day_index[:n_steps]
    last_published = day + (times.local_hour[:n_steps] >= published_hour)
    days, of_step = np.unique(last_published, return_inverse=True)
    known_until = np.searchsorted(times.day_index, days, side="right")
    forecasts = np.stack([like_days(series, history, times, published=int(d)) for d in days])
    return Issues(forecasts, known_until.astype(np.int64), of_step.astype(np.int64))


def like_days(series: FloatArray, history: DailyPrices, times: StepTimes, *, published: int) -> FloatArray:
    """Hours to the end of day `published` as they are, the others as on the last published like day."""
    rows = np.array([_like_day(times, day, published) for day in range(int(times.day_index[-1]) + 1)])
    like = history.usd_per_kwh[HISTORY_DAYS + rows[times.day_index], times.local_hour.astype(np.int64)]
    return np.where(times.day_index <= published, series, like)


def _like_day(times: StepTimes, day: int, published: int) -> int:
    """The last day, not after the last published one, that is a weekday or a weekend as `day` is."""
    first = times.start.date()
    weekend = (first + timedelta(days=day)).weekday() >= 5
    back = min(day, published)
    while ((first + timedelta(days=back)).weekday() >= 5) != weekend:
        back -= 1
    return back
