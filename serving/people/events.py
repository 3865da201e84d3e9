"""What a fleet delivered in each programme event, from the cycles of the ledger: the report that a utility settles by.

The terms are those of the simulator's report (`agents.settlement`). Load without cars and baseline are as each cycle's
request told them; what the cars drew in it is the power that the next cycle's request measured. Where no reading
came, the set-point stands in, and the report tells for how much. Cycles may begin at any time: each counts until the
next one (`metered`), and the intervals are those of the event, 15 minutes from its start (an hour at hourly cycles).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any, NamedTuple

import numpy as np

from ...agents.settlement import Delivery
from ..messages.request import DispatchRequest
from .metered import MISSED_S, Cycle, Piece, energies, overlap_s, piece_of

Array = Any

REPORT_S = 900


class EventKey(NamedTuple):
    """Which event: cycles tell of it in seconds from themselves."""

    type: str
    start_s: int


@dataclass(frozen=True)
class EventRow:
    """A site in an interval; None where a cycle is missing."""

    site: str
    start: datetime
    baseline_kwh: float | None
    metered_import_kwh: float | None
    metered_export_kwh: float | None
    export_without_cars_kwh: float | None
    delivered_kwh: float | None


@dataclass(frozen=True)
class EventReport:
    """An event.

    Args:
        type, start, end: as it was told.
        rate_usd_per_kwh, pays_export: of the programme.
        rows: by site and interval.
        cycles, cycles_missing: of the event, so far; those that are missing by the interval.
        measured_share: of the time of the cars that were there; for the rest set-points stand in.
        finished: whether its last interval is in the ledger.
    """

    type: str
    start: datetime
    end: datetime
    rate_usd_per_kwh: float
    pays_export: bool
    rows: tuple[EventRow, ...]
    cycles: int
    cycles_missing: int
    measured_share: float
    finished: bool

    def total(self, name: str) -> float:
        """The sum of a column over the rows that are known, kWh."""
        return float(sum(getattr(row, name) or 0.0 for row in self.rows))

    @property
    def payment_usd(self) -> float:
        """What the programme pays: nothing below 0 (contracts 4)."""
        return self.rate_usd_per_kwh * max(self.total("delivered_kwh"), 0.0)

    def document(self) -> dict[str, Any]:
        """As plain values."""
        plain = {**vars(self), "start": self.start.isoformat(), "end": self.end.isoformat()}
        plain["rows"] = [{**vars(row), "start": row.start.isoformat()} for row in self.rows]
        return {
            **plain,
            "totals": {name: self.total(name) for name in Delivery._fields},
            "payment_usd": self.payment_usd,
        }


@dataclass
class _Series:
    """What cycles told of an event, the latest first."""

    interval_s: int
    zone: Any
    end_s: int
    rate_usd_per_kwh: float
    pays_export: bool
    pieces: list[Piece] = field(default_factory=list)


def event_reports(cycles: Iterable[Cycle], now_s: float | None = None) -> list[EventReport]:
    """The events of a fleet, the earliest first.

    Args:
        cycles: of one fleet, the latest first. The cycle after an event's last one gives its last readings.
        now_s: for `finished`; None: the end of the last cycle.
    """
    found: dict[EventKey, _Series] = {}
    after: DispatchRequest | None = None
    until_s = np.inf
    for cycle in cycles:
        now_s = cycle.request.start_s + cycle.request.interval_s if now_s is None else now_s
        _take(found, cycle, after, until_s)
        after, until_s = cycle.request, min(until_s, cycle.request.start_s)
    return [_report(key, found[key], now_s or 0.0) for key in sorted(found, key=lambda key: (key.start_s, key.type))]


def _take(found: dict[EventKey, _Series], cycle: Cycle, after: DispatchRequest | None, until_s: float) -> None:
    """Add a cycle to the events that run in it."""
    request, e = cycle.request, cycle.request.events
    for at, kind in enumerate(e.type.tolist()):
        start, end = (round(request.start_s + float(column[at])) for column in (e.start_in_s, e.end_in_s))
        if end <= request.start_s or start >= min(request.start_s + request.interval_s, until_s):
            continue
        key = EventKey(kind, start)
        if key not in found:  # what was told last counts
            zone, rate, pays = request.cycle_start.tzinfo, float(e.rate_usd_per_kwh[at]), bool(e.pays_export[at] == 1)
            found[key] = _Series(request.interval_s, zone, end, rate, pays)
        found[key].pieces.append(piece_of(cycle, after, until_s))


def _report(key: EventKey, series: _Series, now_s: float) -> EventReport:
    pieces = series.pieces[::-1]
    until_s = min(max(now_s, *(piece.end_s for piece in pieces)), series.end_s)
    starts_s = np.arange(key.start_s, until_s, max(REPORT_S, series.interval_s))
    sites, made = energies(pieces, np.append(starts_s, until_s), series.pays_export)
    told_s = overlap_s(pieces, np.array([key.start_s, until_s]))[:, 0]
    cars_s, measured_s = (
        float(np.dot(told_s, [getattr(piece, name) for piece in pieces])) for name in ("cars", "measured")
    )
    missing = max(ceil((until_s - key.start_s - told_s.sum() - MISSED_S) / series.interval_s), 0)
    local = [datetime.fromtimestamp(second, UTC).astimezone(series.zone) for second in starts_s.tolist()]
    return EventReport(
        type=key.type,
        start=local[0],
        end=datetime.fromtimestamp(series.end_s, UTC).astimezone(series.zone),
        rate_usd_per_kwh=series.rate_usd_per_kwh,
        pays_export=series.pays_export,
        rows=_rows(sites, local, made),
        cycles=len(pieces) + missing,
        cycles_missing=missing,
        measured_share=measured_s / cars_s if cars_s else 1.0,
        finished=now_s >= series.end_s,
    )


def _rows(sites: Sequence[str], starts: Sequence[datetime], made: Delivery) -> tuple[EventRow, ...]:
    plain = [[[None if np.isnan(x) else x for x in row] for row in table.tolist()] for table in made]
    return tuple(
        EventRow(site, start, *(table[at][interval] for table in plain))
        for at, site in enumerate(sites)
        for interval, start in enumerate(starts)
    )
