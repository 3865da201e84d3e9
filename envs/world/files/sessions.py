"""Charging sessions from files, in the formats of `session_formats`, as one table of stays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from ..parts import ALL, cut
from .session_formats import ACN, HOME_ZONES, NORWAY, RawStays, check_units, read_acn, read_norway
from .tables import CsvTable, open_table, wall_seconds
from .timeline import DAY_S, FloatArray, IntArray, zone_of

BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class SessionTable:
    """Stays of one file, `(J,)` each, sorted by arrival; no two overlap on a port.

    `*_wall_s` are local wall-clock seconds since midnight of ordinal day 0, so that `// 86400` is the
    local date's `date.toordinal()` and `% 86400` its time of day. Energies are metered at the grid side
    of the charger.
    """

    path: str
    kind: Literal["workplace", "home"]
    timezone: str  # of the sites
    arrive_utc_s: IntArray
    depart_utc_s: IntArray
    said_depart_utc_s: FloatArray  # NaN: the driver said nothing
    arrive_wall_s: IntArray
    depart_wall_s: IntArray
    said_depart_wall_s: FloatArray  # NaN as above
    delivered_kwh: FloatArray  # what was charged: the true room
    requested_kwh: FloatArray  # what was asked; NaN: nothing was said
    soc_start: FloatArray  # fraction; NaN: no estimate
    capacity_kwh: FloatArray  # NaN: no estimate
    power_kw: FloatArray  # NaN: no estimate
    port: IntArray  # index into `ports`
    ports: tuple[str, ...]  # station (ACN) or user (Norway)
    site: IntArray  # index into `sites`
    sites: tuple[str, ...]
    session: StrArray
    line: IntArray  # in the file
    notes: tuple[str, ...]  # what was dropped, moved or read as unknown, with counts

    def __len__(self) -> int:
        return len(self.arrive_utc_s)

    @property
    def description(self) -> str:
        """File, kind, sites, years, counts and notes, for a report."""
        first, last = (date.fromordinal(int(self.arrive_wall_s[i]) // DAY_S) for i in (0, -1))
        years = f"{first.year}" if first.year == last.year else f"{first.year} to {last.year}"
        text = (
            f"{Path(self.path).name}: {len(self)} {self.kind} sessions on {len(self.ports)} ports of "
            f"{', '.join(self.sites)}, {years} ({first} to {last}, {self.timezone})"
        )
        return "; ".join((text, *self.notes))

    def part(self, name: str) -> SessionTable:
        """The stays that begin in a part of the file's dates; see `parts.cut`.

        Raises:
            ValueError: the file holds too few dates.
        """
        if name == ALL:
            return self
        day = self.arrive_wall_s // DAY_S
        dates: list[int] = list(cut(np.unique(day).tolist(), name, Path(self.path).name))
        kept = (day >= dates[0]) & (day <= dates[-1])
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        rows: dict[str, Any] = {at: column[kept] for at, column in columns.items() if isinstance(column, np.ndarray)}
        return replace(self, **rows, notes=(*self.notes, f"part {name} of the dates"))

    @cached_property
    def present(self) -> BoolArray:
        """Whether each port is there on each local date from the first arrival's to the last's, `(days, P)`.

        A port is there between its first and its last use, on idle days as well.
        """
        day = self.arrive_wall_s // DAY_S
        first = np.full(len(self.ports), np.iinfo(np.int64).max)
        last = np.full(len(self.ports), -1)
        np.minimum.at(first, self.port, day)
        np.maximum.at(last, self.port, day)
        dates = np.arange(day.min(), day.max() + 1)[:, None]
        there: BoolArray = (first <= dates) & (dates <= last)
        return there


def read_sessions(path: str | Path, timezone: str | None = None) -> SessionTable:
    """Read a table of charging sessions, its format told by its columns.

    Args:
        path: plain or gzip CSV.
        timezone: zone of the file's *sites* (not of a scenario that borrows them); None:
            America/Los_Angeles for ACN, Europe/Oslo for Norway. Times without offset are local in it.

    Raises:
        FileNotFoundError: there is no such file.
        DataFileError: wrong columns, unreadable cells, energies in another unit, or mostly stays of no
            length.
    """
    table = open_table(path, (ACN, NORWAY))
    zone = zone_of(timezone or HOME_ZONES[table.format.name])
    raw = read_acn(table, zone) if table.format is ACN else read_norway(table, zone)
    check_units(table, raw)
    keep = _keep(table, raw)
    order = keep[np.lexsort((raw.depart[keep], raw.arrive[keep]))]
    return _assemble(table, raw, order, zone)


def _keep(table: CsvTable, raw: RawStays) -> IntArray:
    """Rows that are stays: without those of no length, and without exact repetitions."""
    empty = raw.depart <= raw.arrive
    if 2 * empty.sum() > len(empty):
        reason = f"{empty.sum()} of {len(empty)} stays end before or when they begin"
        raise table.refuse(int(np.argmax(empty)), reason, "check that arrival and departure are not exchanged")
    if empty.any():
        raw.notes.append(f"{int(empty.sum())} stays of zero or negative length dropped ({_lines(table, empty)})")
    repeated = table.frame.duplicated().to_numpy(bool) & ~empty
    if repeated.any():
        raw.notes.append(f"{int(repeated.sum())} repeated rows dropped ({_lines(table, repeated)})")
    return np.flatnonzero(~empty & ~repeated)


def _lines(table: CsvTable, chosen: BoolArray, shown: int = 3) -> str:
    lines = [str(n) for n in table.line[chosen]]
    return "line " + ", ".join(lines[:shown]) + (", ..." if len(lines) > shown else "")


def _assemble(table: CsvTable, raw: RawStays, order: IntArray, zone: ZoneInfo) -> SessionTable:
    arrive, depart = (np.round(x[order]).astype(np.int64) for x in (raw.arrive, raw.depart))
    labels, moved = _separate([_port_label(raw.site[i], raw.port[i]) for i in order], arrive, depart)
    if moved.any():
        lines = _lines(table, np.isin(np.arange(len(table)), order[moved]))
        raw.notes.append(f"{int(moved.sum())} stays that overlap another on their port moved to a spare port ({lines})")
    ports, port = np.unique(labels, return_inverse=True)
    sites, site = np.unique([raw.site[i] for i in order], return_inverse=True)
    return SessionTable(
        path=table.path,
        kind="workplace" if table.format is ACN else "home",
        timezone=zone.key,
        arrive_utc_s=arrive,
        depart_utc_s=depart,
        said_depart_utc_s=raw.said[order],
        arrive_wall_s=_wall(arrive, zone).astype(np.int64),
        depart_wall_s=_wall(depart, zone).astype(np.int64),
        said_depart_wall_s=_wall(raw.said[order], zone),
        delivered_kwh=raw.delivered[order],
        requested_kwh=raw.requested[order],
        soc_start=raw.soc[order],
        capacity_kwh=raw.capacity[order],
        power_kw=raw.power[order],
        port=port.astype(np.int64),
        ports=tuple(str(p) for p in ports),
        site=site.astype(np.int64),
        sites=tuple(str(s) for s in sites),
        session=np.array(table.texts("session_id"))[order],
        line=table.line[order],
        notes=tuple(raw.notes),
    )


def _port_label(site: str, port: str) -> str:
    """Unlike across sites; the Norwegian user already names the site."""
    return port if port.startswith(site) else f"{site} {port}"


def _wall(utc_s: FloatArray | IntArray, zone: ZoneInfo) -> FloatArray:
    return wall_seconds(utc_s, zone) + EPOCH_ORDINAL * DAY_S


def _separate(labels: list[str], arrive: IntArray, depart: IntArray) -> tuple[list[str], BoolArray]:
    """Give a stay that begins while its port is taken a spare one, `LABEL (2)`; stays sorted by arrival."""
    free_from: dict[str, list[int]] = {}
    moved = np.zeros(len(labels), bool)
    out = []
    for i, label in enumerate(labels):
        lanes = free_from.setdefault(label, [])
        lane = next((k for k, end in enumerate(lanes) if end <= arrive[i]), len(lanes))
        lanes[lane : lane + 1] = [int(depart[i])]
        moved[i] = lane > 0
        out.append(f"{label} ({lane + 1})" if lane else label)
    return out, moved
