"""A price file by local date and hour: the like days that stand in for hours not yet published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from .calendar import StepTimes
from .issued import HISTORY_DAYS, DailyPrices
from .scenario import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from .files import PriceTable

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, eq=False)
class PriceGrid:
    """A file's mean price by local date and hour of the wall clock.

    Attributes:
        first: ordinal of the first local date.
        usd_per_kwh: `(D, 24)`; NaN where the file has no price.
    """

    first: int
    usd_per_kwh: FloatArray

    @property
    def spread_usd_per_kwh(self) -> float:
        """Mean over the days of the standard deviation within a day."""
        return float(np.nanmean(np.nanstd(self.usd_per_kwh, axis=1)))

    def history(self, times: StepTimes) -> DailyPrices:
        """Hourly prices of the local dates from a week before the start to the end of the look-ahead.

        A date or hour that the file lacks takes the last like day before it that the file holds, or where
        there is none the file's mean of such days.
        """
        start = times.start.date().toordinal()
        days = range(start - HISTORY_DAYS, start + int(times.day_index[-1]) + 1)
        return DailyPrices(np.stack([self._filled(day) for day in days]))

    def _filled(self, day: int) -> FloatArray:
        dates = self.first + np.arange(len(self.usd_per_kwh))
        like = self.usd_per_kwh[_is_weekend(dates) == _is_weekend(np.array(day))]
        before = self.usd_per_kwh[(dates <= day) & (_is_weekend(dates) == _is_weekend(np.array(day)))]
        values = np.full(24, np.nan)
        for row in before[::-1]:
            values = np.where(np.isnan(values), row, values)
            if not np.isnan(values).any():
                return values
        typical = np.nanmean(like if len(like) else self.usd_per_kwh, axis=0)
        return np.where(np.isnan(values), typical, values)


def price_grid(table: PriceTable, zone: ZoneInfo) -> PriceGrid:
    """Lay a price file over local dates and hours; an hour that comes twice holds the mean."""
    from .files.tables import wall_seconds

    hour = np.floor_divide(wall_seconds(table.timeline.start_utc_s, zone), 3600).astype(np.int64)
    first = int(hour.min()) // 24
    cell = hour - first * 24
    days = int(cell.max()) // 24 + 1
    count = np.bincount(cell, minlength=days * 24)
    total = np.bincount(cell, weights=table.price_usd_per_kwh, minlength=days * 24)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return PriceGrid(first + EPOCH_ORDINAL, mean.reshape(days, 24))


def _is_weekend(ordinal: IntArray) -> BoolArray:
    """Saturday or Sunday, of `date.toordinal()`."""
    return np.asarray((ordinal + 6) % 7 >= 5)
