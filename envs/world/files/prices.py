"""Wholesale prices from files: CAISO in the `gridstatus` convention and ERCOT's day-ahead settlement points.

gridstatus: `Interval Start, Interval End` (with offset), `Market, Location` and `LMP` (or `SPP`), $/MWh,
any length of interval. ERCOT (report NP4-180-ER): `Delivery Date, Hour Ending` ("24:00" ends the day),
`Repeated Hour Flag` (Y: the second 02:00 of the autumn change), `Settlement Point, Settlement Point
Price`, $/MWh, in Central prevailing time. Negative prices and prices at an offer cap of thousands of
dollars are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from .columns import Column, describe, merge, path_list
from .ercot import HOUR_S, ercot_starts
from .errors import nearest
from .tables import CsvTable, Format, open_table
from .timeline import DAY_S, DayList, FloatArray, IntArray, Timeline, zone_of

GRIDSTATUS = Format("gridstatus prices", ("Interval Start", "Interval End", "Market", "Location", "LMP"))
GRIDSTATUS_SPP = Format(
    "gridstatus settlement point prices", ("Interval Start", "Interval End", "Market", "Location", "SPP")
)
ERCOT = Format(
    "ERCOT day-ahead settlement point prices",
    ("Delivery Date", "Hour Ending", "Repeated Hour Flag", "Settlement Point", "Settlement Point Price"),
)
ERCOT_MARKET = "DAY_AHEAD_HOURLY"
KWH_PER_MWH = 1000.0
HIGHEST_USD_PER_MWH = 20_000.0  # offer caps reach 9,000 (ERCOT until 2021)
LOWEST_90TH_PERCENTILE_USD_PER_MWH = 1.0  # of |price|; in $/kWh ordinary prices lie below


@dataclass(frozen=True)
class PriceTable:
    """Prices of one settlement point in one market, `(K,)`."""

    market: str
    location: str
    timeline: Timeline
    price_usd_per_kwh: FloatArray
    notes: tuple[str, ...]

    @property
    def max_usd_per_kwh(self) -> float:
        """The highest price of the file, which stands for its market's offer cap (contracts 1)."""
        return float(self.price_usd_per_kwh.max())

    @property
    def description(self) -> str:
        """File, settlement point, market, span and gaps, for a report."""
        return describe(self.timeline, f"prices at {self.location} ({self.market})", self.notes)

    def days(self, timezone: str, start_hour: float = 0, hours: float | None = None) -> DayList:
        """Local dates with and without all their prices; see `Timeline.days`."""
        return self.timeline.days(timezone, start_hour, hours)

    def series(self, start_utc_s: int, interval_minutes: int, count: int) -> FloatArray:
        """Prices $/kWh `(count,)` of successive steps, the mean over a step or repeated to it.

        Raises:
            DataFileError: an hour that is needed has no price.
        """
        return self.series_at(start_utc_s + np.arange(count) * (interval_minutes * 60), interval_minutes)

    def series_at(self, step_start_utc_s: IntArray, interval_minutes: int) -> FloatArray:
        """Prices $/kWh of the given steps `(n,)`; see `series`."""
        return self.timeline.to_steps(self.price_usd_per_kwh, step_start_utc_s, interval_minutes)


@dataclass(frozen=True)
class _Rows:
    """A price file's rows before one settlement point is chosen."""

    table: CsvTable
    location: NDArray[np.str_]
    market: NDArray[np.str_]
    start_utc_s: FloatArray
    length_s: FloatArray
    usd_per_mwh: FloatArray


def read_prices(
    path: str | Path | Sequence[str | Path],
    *,
    location: str | None = None,
    market: str | None = None,
    timezone: str = "America/Chicago",
) -> PriceTable:
    """Read wholesale prices, the format told by the columns.

    Args:
        path: plain or gzip CSV, or several of one kind (months, years).
        location: settlement point; needed where a file holds several.
        market: as in the column `Market`; needed where a file holds several.
        timezone: prevailing time of ERCOT files; the gridstatus convention carries its own offsets.

    Raises:
        FileNotFoundError: there is no such file.
        DataFileError: wrong columns or cells, several settlement points and none chosen, prices not in $/MWh,
            contradicting duplicates.
    """
    zone = zone_of(timezone)
    parts = [_choose(_rows(p, zone), location, market) for p in path_list(path)]
    first = parts[0]
    for part in parts:
        _check_unit(part)
        _check_one(part, first)
    interval_s = int(first.length_s[0])
    columns = [Column(p.table.path, p.table.line, p.start_utc_s, p.usd_per_mwh[:, None]) for p in parts]
    timeline, values, notes = merge(columns, "price", interval_s)
    return PriceTable(str(first.market[0]), str(first.location[0]), timeline, values[:, 0] / KWH_PER_MWH, notes)


def _rows(path: str | Path, zone: ZoneInfo) -> _Rows:
    table = open_table(path, (GRIDSTATUS, GRIDSTATUS_SPP, ERCOT))
    return _ercot(table, zone) if table.format is ERCOT else _gridstatus(table)


def _gridstatus(table: CsvTable) -> _Rows:
    start, end = table.times("Interval Start", None), table.times("Interval End", None)
    return _Rows(
        table,
        np.array(table.texts("Location")),
        np.array(table.texts("Market")),
        start,
        end - start,
        table.numbers("SPP" if table.format is GRIDSTATUS_SPP else "LMP"),
    )


def _ercot(table: CsvTable, zone: ZoneInfo) -> _Rows:
    location = np.array(table.texts("Settlement Point"))
    return _Rows(
        table,
        location,
        np.full(len(table), ERCOT_MARKET),
        ercot_starts(table, zone),
        np.full(len(table), float(HOUR_S)),
        table.numbers("Settlement Point Price"),
    )


def _choose(rows: _Rows, location: str | None, market: str | None) -> _Rows:
    """The rows of one settlement point and one market."""
    for wanted, of, what in ((location, "location", "settlement point"), (market, "market", "market")):
        held = getattr(rows, of)
        if wanted is None and (held == held[0]).all():
            continue
        rows = _take(rows, held == _one(rows.table, wanted, sorted(set(held.tolist())), what, of))
    return rows


def _one(table: CsvTable, wanted: str | None, held: list[str], what: str, argument: str) -> str:
    shown = ", ".join(held[:20]) + (f" and {len(held) - 20} more" if len(held) > 20 else "")
    if wanted is None:
        raise table.refuse(None, f"holds {len(held)} {what}s: {shown}", f"choose one as `{argument}`")
    if wanted not in held:
        fix = f"it holds {shown}; the nearest is '{nearest(wanted, held)}'"
        raise table.refuse(None, f"holds no {what} '{wanted}'", fix)
    return wanted


def _take(rows: _Rows, mask: NDArray[np.bool_]) -> _Rows:
    return _Rows(
        CsvTable(rows.table.path, rows.table.format, rows.table.frame[mask], rows.table.line[mask]),
        rows.location[mask],
        rows.market[mask],
        rows.start_utc_s[mask],
        rows.length_s[mask],
        rows.usd_per_mwh[mask],
    )


def _check_unit(rows: _Rows) -> None:
    size = np.abs(rows.usd_per_mwh)
    if size.max() > HIGHEST_USD_PER_MWH:
        row = int(np.argmax(size))
        reason = f"a price of {rows.usd_per_mwh[row]:g} $/MWh is beyond any market's cap"
        raise rows.table.refuse(row, reason, "give $/MWh, or correct the row")
    usual = float(np.quantile(size, 0.9))
    if 0 < usual < LOWEST_90TH_PERCENTILE_USD_PER_MWH:
        reason = f"nine prices of ten lie within {usual:g} $/MWh, which looks like $/kWh"
        raise rows.table.refuse(None, reason, "give $/MWh")


def _check_one(rows: _Rows, first: _Rows) -> None:
    """Equal intervals, one settlement point and market over all rows and files."""
    odd = (rows.length_s != first.length_s[0]) | (rows.length_s <= 0) | (rows.length_s > DAY_S)
    if odd.any():
        row = int(np.argmax(odd))
        minutes = rows.length_s[row] / 60
        reason = f"an interval of {minutes:g} minutes, where the first has {first.length_s[0] / 60:g}"
        raise rows.table.refuse(row, reason, "give a file of equal intervals, or choose one `market`")
    for mine, other, what in (
        (rows.location, first.location, "settlement point"),
        (rows.market, first.market, "market"),
    ):
        if mine[0] != other[0]:
            raise rows.table.refuse(0, f"{what} '{mine[0]}' differs from '{other[0]}' of the first file", "choose one")
