"""Prices as they were read: rows with a start in absolute time, laid over the intervals of a cycle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from .source import PriceTable, intervals

Array = Any

GRAIN_S = 300
"""The shortest interval that markets price."""


@dataclass(frozen=True)
class PriceSeries:
    """Prices by absolute time, rows sorted, none twice.

    Args:
        start_s: Unix seconds, (K,).
        step_s: how long a row holds.
        import_usd_per_kwh, export_usd_per_kwh: (K,), NaN where there is none.
        published_s: Unix seconds.
        source: who published it, or which file it is.
    """

    start_s: Array
    step_s: int
    import_usd_per_kwh: Array
    export_usd_per_kwh: Array
    published_s: float
    source: str

    def table(self, start: datetime, interval_s: int) -> PriceTable:
        """The prices of the intervals from `start` on: means over an interval, NaN where a part of it has none.

        By absolute time: a day of 23 or 25 hours needs no thought here.
        """
        grain_s = min(GRAIN_S, self.step_s)
        moments = start.timestamp() + interval_s * np.arange(intervals(interval_s))[:, None]
        moments = moments + np.arange(0, interval_s, grain_s)
        row = np.searchsorted(self.start_s, moments, side="right") - 1
        held = (row >= 0) & (moments - self.start_s[row] < self.step_s)
        both = (self.import_usd_per_kwh, self.export_usd_per_kwh)
        buy, sell = (_mean(np.where(held, prices[row], np.nan)) for prices in both)
        return PriceTable(buy, sell, max(start.timestamp() - self.published_s, 0.0), self.source)


def _mean(parts: Array) -> Array:
    """Means of rows; of equal parts exactly that, so that a price is shown as it was published."""
    equal = (parts == parts[:, :1]).all(axis=1)
    return np.where(equal, parts[:, 0], parts.mean(axis=1))
