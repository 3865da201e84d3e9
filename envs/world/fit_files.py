"""From price files to the arrays that `fit` wants: local days of hours, five-minute pairs; gaps are NaN."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from .files import PriceTable
from .fit import fit_day_ahead, fit_real_time
from .scenario import FloatArray, IntArray

FIVE_MINUTES_S = 300
DIGITS = 4


def fit_files(
    day_ahead: PriceTable,
    real_time: PriceTable | None,
    timezone: ZoneInfo,
    *,
    least_usd_per_kwh: float | None = None,
    scale_usd_per_kwh: float = 0.02,
    scarce_usd_per_kwh: float = 1.0,
) -> dict[str, dict[str, Any]]:
    """Parameters of the price generator, rounded to four significant digits.

    Args:
        day_ahead: hourly prices.
        real_time: prices of the same place and days, or None.
        timezone: zone of the local day.
        least_usd_per_kwh: leave out prices below it, for files with rows that are no prices.
        scale_usd_per_kwh: about a usual price.
        scarce_usd_per_kwh: days with a price above it stand outside the fit.

    Returns:
        `day_ahead` with the figures of a `Market`, and `deviation` where real-time prices are given.

    Raises:
        ValueError: too few days, or files that do not overlap.
    """
    dates, hourly = local_hours(day_ahead, timezone)
    if least_usd_per_kwh is not None:
        hourly = np.where(hourly < least_usd_per_kwh, np.nan, hourly)
    usable = ~np.all(np.isnan(hourly), axis=1)
    fitted = {
        "day_ahead": fit_day_ahead(
            hourly[usable],
            [day for day, use in zip(dates, usable, strict=True) if use],
            scale_usd_per_kwh=scale_usd_per_kwh,
            scarce_usd_per_kwh=scarce_usd_per_kwh,
        )
    }
    if real_time is not None:
        before, now = five_minute_pairs(day_ahead, real_time)
        fitted["deviation"] = fit_real_time(before, now, least_usd_per_kwh=least_usd_per_kwh)
    return {name: {key: _rounded(value) for key, value in part.items()} for name, part in fitted.items()}


def local_hours(table: PriceTable, timezone: ZoneInfo) -> tuple[list[date], FloatArray]:
    """Local dates and their prices by wall-clock hour (D, 24); NaN where the file has none."""
    first, last = (
        datetime.fromtimestamp(t, timezone).date()
        for t in (int(table.timeline.start_utc_s[0]), table.timeline.end_utc_s)
    )
    dates = [first + timedelta(days=d) for d in range((last - first).days + 1)]
    hours = [datetime(d.year, d.month, d.day, h, tzinfo=timezone).timestamp() for d in dates for h in range(24)]
    return dates, _values_at(table, np.array(hours, np.int64)).reshape(-1, 24)


def five_minute_pairs(day_ahead: PriceTable, real_time: PriceTable) -> tuple[FloatArray, FloatArray]:
    """Both prices on one five-minute grid over the time that both files span; NaN where either has none.

    Raises:
        ValueError: the files have no time in common.
    """
    begin = max(int(t.timeline.start_utc_s[0]) for t in (day_ahead, real_time))
    end = min(t.timeline.end_utc_s for t in (day_ahead, real_time))
    if begin >= end:
        names = f"{day_ahead.timeline.names} and {real_time.timeline.names}"
        raise ValueError(f"{names} have no time in common; give files of the same days")
    moments = np.arange(begin, end, FIVE_MINUTES_S)
    return _values_at(day_ahead, moments), _values_at(real_time, moments)


def _values_at(table: PriceTable, utc_s: IntArray) -> FloatArray:
    starts = table.timeline.start_utc_s
    row = np.searchsorted(starts, utc_s, side="right") - 1
    held = (row >= 0) & (utc_s - starts[row] < table.timeline.interval_s)
    return np.where(held, table.price_usd_per_kwh[row], np.nan)


def _rounded(value: Any) -> Any:
    array = np.asarray(value, float)
    if array.ndim:
        return [_rounded(item) for item in array]
    return float(f"{float(array):.{DIGITS}g}")
