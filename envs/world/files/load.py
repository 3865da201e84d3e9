"""Base load of sites from a file: the load that is there without the cars.

Format: CSV, plain or gzip. Column `time` is the start of each interval, ISO 8601 with offset (or without,
in the `timezone` given to the reader); every other column that ends in `_kw` is one site's average power
over the interval in kW, positive = import (negative where PV exceeds the load). All intervals have one
length that divides or is a multiple of an hour, e.g. 15 minutes or an hour. Columns of other names are
refused, so that no site is lost silently.

    time,load_kw                          time,house_1_kw,house_2_kw
    2025-08-01 00:00:00-07:00,0.82        2025-08-01T07:00:00Z,0.82,1.4
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .columns import Column, describe, merge, usual_interval_s
from .errors import DataFileError
from .tables import CsvTable, Format, open_table
from .timeline import DayList, FloatArray, IntArray, Timeline

LOAD = Format("site load", ("time",))
HIGHEST_SITE_KW = 5_000.0
LOWEST_MAXIMUM_KW = 0.01


@dataclass(frozen=True)
class LoadTable:
    """Average power of sites, `(K, M)` kW, positive = import."""

    names: tuple[str, ...]  # (M,) column names without `_kw`
    timeline: Timeline
    load_kw: FloatArray
    notes: tuple[str, ...]

    @property
    def description(self) -> str:
        """File, sites, span and gaps, for a report."""
        return describe(self.timeline, f"load of {len(self.names)} sites ({', '.join(self.names)})", self.notes)

    def days(self, timezone: str, start_hour: float = 0, hours: float | None = None) -> DayList:
        """Local dates with and without all their load; see `Timeline.days`."""
        return self.timeline.days(timezone, start_hour, hours)

    def series(self, start_utc_s: int, interval_minutes: int, count: int) -> FloatArray:
        """Load kW `(M, count)` of successive steps, the mean over a step or repeated to it.

        Raises:
            DataFileError: a time that is needed has no load.
        """
        return self.series_at(start_utc_s + np.arange(count) * (interval_minutes * 60), interval_minutes)

    def series_at(self, step_start_utc_s: IntArray, interval_minutes: int) -> FloatArray:
        """Load kW `(M, n)` of the given steps `(n,)`; see `series`."""
        return self.timeline.to_steps(self.load_kw, step_start_utc_s, interval_minutes).T


def read_load(path: str | Path, timezone: str | None = None, *, highest_kw: float = HIGHEST_SITE_KW) -> LoadTable:
    """Read the base load of one or more sites.

    Args:
        path: plain or gzip CSV in the format above.
        timezone: zone of times without offset; None: such times are refused.
        highest_kw: a power beyond it is taken for watts; for homes 100 is a better guard.

    Raises:
        FileNotFoundError: there is no such file.
        DataFileError: wrong columns or cells, power that looks like watts, unequal intervals.
    """
    table = open_table(path, (LOAD,))
    columns = _power_columns(table)
    start = table.times("time", timezone)
    values = np.column_stack([table.numbers(c, low=-highest_kw, high=highest_kw) for c in columns])
    if 0 < np.abs(values).max() < LOWEST_MAXIMUM_KW:
        reason = f"no power exceeds {np.abs(values).max():g} kW, which looks like MW"
        raise table.refuse(None, reason, "give kW")
    rows = Column(table.path, table.line, start, values)
    timeline, load, notes = merge([rows], "load", usual_interval_s(table, start))
    return LoadTable(tuple(c.removesuffix("_kw") for c in columns), timeline, load, notes)


def _power_columns(table: CsvTable) -> list[str]:
    others = [str(c) for c in table.frame.columns if c != "time"]
    strange = [c for c in others if not c.endswith("_kw")]
    if strange:
        reason = f"has a column '{strange[0]}', which is neither 'time' nor a power that ends in '_kw'"
        raise DataFileError(table.path, 1, reason, f"name it '{strange[0]}_kw' if it is kW, or remove it")
    if not others:
        raise DataFileError(table.path, 1, "has no power column", "add 'load_kw' or one column '..._kw' a site")
    return others
