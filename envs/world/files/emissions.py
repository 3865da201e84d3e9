"""Marginal emission rates from files, with the forecasts as they were issued.

Format (California SGIP signal, as published with SustainGym): `time` (with offset), `moer` (kg CO2/kWh)
at 5 minutes, and `f1 ... f36`, the forecasts issued at `time` for the next 36 five-minute steps. The
forecast columns may be fewer or absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .columns import Column, describe, merge, path_list, usual_interval_s
from .errors import DataFileError
from .tables import CsvTable, Format, open_table
from .timeline import DayList, FloatArray, IntArray, Timeline

MAX_FORECASTS = 36
MOER = Format("marginal emission rates (MOER)", ("time", "moer"))
FORECAST_S = 300  # f1, f2, ... are 5 minutes apart
HIGHEST_KG_PER_KWH = 3.0  # lignite emits about 1.2
LOWEST_MAXIMUM_KG_PER_KWH = 0.005


@dataclass(frozen=True)
class EmissionTable:
    """Marginal emission rates `(K,)` and what had been forecast of them `(K, F)`, kg CO2/kWh."""

    timeline: Timeline
    moer_kg_per_kwh: FloatArray
    forecast_kg_per_kwh: FloatArray  # column i: issued at the row's time for 5 (i + 1) minutes later; may hold NaN
    notes: tuple[str, ...]

    @property
    def description(self) -> str:
        """File, span and gaps, for a report."""
        subject = f"marginal emission rate with {self.forecast_kg_per_kwh.shape[1]} issued forecasts a row"
        return describe(self.timeline, subject, self.notes)

    def days(self, timezone: str, start_hour: float = 0, hours: float | None = None) -> DayList:
        """Local dates with and without all their rates; see `Timeline.days`."""
        return self.timeline.days(timezone, start_hour, hours)

    def series(self, start_utc_s: int, interval_minutes: int, count: int) -> FloatArray:
        """Rates kg/kWh `(count,)` of successive steps, the mean over each.

        Raises:
            DataFileError: a time that is needed has no rate.
        """
        return self.series_at(_steps(start_utc_s, interval_minutes, count), interval_minutes)

    def series_at(self, step_start_utc_s: IntArray, interval_minutes: int) -> FloatArray:
        """Rates kg/kWh of the given steps `(n,)`; see `series`."""
        return self.timeline.to_steps(self.moer_kg_per_kwh, step_start_utc_s, interval_minutes)

    def issued(self, start_utc_s: int, interval_minutes: int, count: int) -> FloatArray:
        """Forecasts kg/kWh `(count, Q)` as issued at the start of each step for the steps after it.

        Column `j` is the mean of the five-minute forecasts that fall into the `(j + 1)`-th step from now.
        Only wholly covered steps count: 36 forecasts make Q = 36, 11 or 2 at 5, 15 or 60 minutes.

        Raises:
            DataFileError: a time that is needed has no row.
        """
        return self.issued_at(_steps(start_utc_s, interval_minutes, count), interval_minutes)

    def issued_at(self, step_start_utc_s: IntArray, interval_minutes: int) -> FloatArray:
        """Forecasts `(n, Q)` issued at the given step starts `(n,)`; see `issued`."""
        per_step = interval_minutes * 60 // FORECAST_S
        issued = self.forecast_kg_per_kwh[self.timeline.rows_at(step_start_utc_s)]
        first = per_step - 1  # f(per_step) is the first that falls into the next step
        horizon = (issued.shape[1] - first) // per_step
        if horizon <= 0:
            return np.zeros((len(issued), 0))
        used = issued[:, first : first + horizon * per_step]
        mean: FloatArray = used.reshape(len(issued), horizon, per_step).mean(axis=2)
        return mean


def read_emissions(path: str | Path | Sequence[str | Path]) -> EmissionTable:
    """Read marginal emission rates from one file or several of successive months.

    Raises:
        FileNotFoundError: there is no such file.
        DataFileError: wrong columns or cells, rates not in kg/kWh, contradicting duplicates.
    """
    tables = [open_table(p, (MOER,)) for p in path_list(path)]
    count = min(_forecast_count(t) for t in tables)
    columns = [_column(t, count) for t in tables]
    interval_s = usual_interval_s(tables[0], tables[0].times("time", None))
    timeline, values, notes = merge(columns, "emission rate", interval_s)
    return EmissionTable(timeline, values[:, 0], values[:, 1:], notes)


def _forecast_count(table: CsvTable) -> int:
    count = next((i for i in range(MAX_FORECASTS) if not table.has(f"f{i + 1}")), MAX_FORECASTS)
    later = [i + 1 for i in range(count, MAX_FORECASTS) if table.has(f"f{i + 1}")]
    if later:
        reason = f"has a forecast column 'f{later[0]}' but no 'f{count + 1}'"
        raise DataFileError(table.path, 1, reason, "give all forecasts from f1 on")
    return count


def _column(table: CsvTable, forecasts: int) -> Column:
    moer = table.numbers("moer", empty=True)
    _check_unit(table, moer)
    issued = [table.numbers(f"f{i + 1}", empty=True) for i in range(forecasts)]
    there = np.isfinite(moer)  # an empty cell is a gap
    values = np.column_stack([moer, *issued])
    return Column(table.path, table.line[there], table.times("time", None)[there], values[there])


def _check_unit(table: CsvTable, moer: FloatArray) -> None:
    if not np.isfinite(moer).any():
        raise table.refuse(None, "column 'moer' is empty throughout", "give rates in kg CO2/kWh")
    highest = float(np.nanmax(moer))
    row = int(np.nanargmax(moer))
    if highest > HIGHEST_KG_PER_KWH:
        reason = f"a rate of {highest:g} kg CO2/kWh looks like lb/MWh, kg/MWh or g/kWh"
        raise table.refuse(row, reason, "give kg CO2/kWh")
    if 0 < highest < LOWEST_MAXIMUM_KG_PER_KWH:
        raise table.refuse(
            row, f"the highest rate is {highest:g} kg CO2/kWh, which looks like t/kWh", "give kg CO2/kWh"
        )


def _steps(start_utc_s: int, interval_minutes: int, count: int) -> IntArray:
    return start_utc_s + np.arange(count, dtype=np.int64) * (interval_minutes * 60)
