"""What a fleet delivered in each programme event, from the cycles of the ledger: the report that a utility settles by.

The terms are those of the simulator's report (`agents.settlement`). Load without cars and baseline are as each cycle's
request told them; what the cars drew in an interval is the power that the next cycle's request measured. Where no
reading came, the set-point stands in, and the report tells for how much.

Symbols: `S` sites, `T` steps of the event, `I` intervals of 15 minutes (of an hour at hourly steps).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...agents.settlement import Delivery, delivery
from ..messages.answer import DispatchAnswer
from ..messages.request import DispatchRequest

Array = Any

REPORT_S = 900


class Cycle(Protocol):
    """A cycle of the ledger."""

    @property
    def request(self) -> DispatchRequest: ...

    @property
    def answer(self) -> DispatchAnswer: ...


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
        cycles, cycles_missing: of the event, so far.
        measured_share: of the cars' energy readings that were there; for the rest set-points stand in.
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
    """What cycles told of an event, by step."""

    interval_s: int
    zone: Any
    end_s: int
    rate_usd_per_kwh: float
    pays_export: bool
    without_kw: dict[int, dict[str, float]] = field(default_factory=dict)
    baseline_kw: dict[int, dict[str, float]] = field(default_factory=dict)
    cars_kw: dict[int, dict[str, float]] = field(default_factory=dict)
    readings: int = 0
    measured: int = 0


def event_reports(cycles: Iterable[Cycle], now_s: float | None = None) -> list[EventReport]:
    """The events of a fleet, the earliest first.

    Args:
        cycles: of one fleet, the latest first. The cycle after an event's last one gives its last readings.
        now_s: for `finished`; None: the end of the last cycle.
    """
    found: dict[EventKey, _Series] = {}
    after: DispatchRequest | None = None
    for cycle in cycles:
        now_s = cycle.request.start_s + cycle.request.interval_s if now_s is None else now_s
        _take(found, cycle, after)
        after = cycle.request
    return [_report(key, found[key], now_s or 0.0) for key in sorted(found, key=lambda key: (key.start_s, key.type))]


def _take(found: dict[EventKey, _Series], cycle: Cycle, after: DispatchRequest | None) -> None:
    """Add a cycle to the events that run in it."""
    request, e = cycle.request, cycle.request.events
    for at, kind in enumerate(e.type.tolist()):
        start, end = (round(request.start_s + float(column[at])) for column in (e.start_in_s, e.end_in_s))
        if end <= request.start_s or start >= request.start_s + request.interval_s:
            continue
        key = EventKey(kind, start)
        if key not in found:  # what was told last counts
            zone, rate, pays = request.cycle_start.tzinfo, float(e.rate_usd_per_kwh[at]), bool(e.pays_export[at] == 1)
            found[key] = _Series(request.interval_s, zone, end, rate, pays)
        if request.interval_s == found[key].interval_s:  # else it counts as missing
            _add(found[key], cycle, after)


def _add(series: _Series, cycle: Cycle, after: DispatchRequest | None) -> None:
    request = cycle.request
    step, sites = round(request.start_s), request.sites.id.tolist()
    power, measured = drawn_kw(cycle, after)
    here = request.ports.plugged == 1
    series.readings += int(here.sum())
    series.measured += int((here & measured).sum())
    cars = np.bincount(request.ports.site, power, len(sites))
    for store, values in (
        (series.without_kw, request.sites.net_load_kw), (series.baseline_kw, request.sites.baseline_kw[:, 0]),
        (series.cars_kw, cars),
    ):  # fmt: skip
        store[step] = dict(zip(sites, values.tolist(), strict=True))


def drawn_kw(cycle: Cycle, after: DispatchRequest | None) -> tuple[Array, Array]:
    """What each port's car drew in a cycle, kW (N,), and whether that was measured."""
    request, setpoint_kw = cycle.request, np.nan_to_num(cycle.answer.decisions.setpoint_kw)
    power = np.full(request.n_ports, np.nan)
    if after is not None and round(after.start_s - request.start_s) == request.interval_s:
        if np.array_equal(after.ports.id, request.ports.id):
            power = after.ports.power_kw
        else:
            told = dict(zip(after.ports.id.tolist(), after.ports.power_kw.tolist(), strict=True))
            power = np.array([told.get(name, np.nan) for name in request.ports.id.tolist()])
    measured = ~np.isnan(power)
    return np.where(request.ports.plugged == 1, np.where(measured, power, setpoint_kw), 0.0), measured


def _report(key: EventKey, series: _Series, until_s: float) -> EventReport:
    interval, seen = series.interval_s, sorted(series.cars_kw)
    early = max(seen[0] - key.start_s, 0)
    first = seen[0] + early // -interval * interval  # on the grid of the cycles, with those that are missing
    steps = list(range(first, min(series.end_s, int(until_s)), interval)) or seen
    sites = list(dict.fromkeys(site for step in seen for site in series.cars_kw[step]))
    without, cars, baseline = (
        np.array([[store.get(step, {}).get(site, np.nan) for step in steps] for site in sites])
        for store in (series.without_kw, series.cars_kw, series.baseline_kw)
    )
    width = max(1, REPORT_S // interval)
    made = delivery(without, cars, baseline, interval / 3600, width, series.pays_export)
    starts = [datetime.fromtimestamp(step, UTC).astimezone(series.zone) for step in steps[::width]]
    return EventReport(
        type=key.type,
        start=datetime.fromtimestamp(key.start_s, UTC).astimezone(series.zone),
        end=datetime.fromtimestamp(series.end_s, UTC).astimezone(series.zone),
        rate_usd_per_kwh=series.rate_usd_per_kwh,
        pays_export=series.pays_export,
        rows=_rows(sites, starts, made),
        cycles=len(steps),
        cycles_missing=len(set(steps) - set(seen)),
        measured_share=series.measured / series.readings if series.readings else 1.0,
        finished=until_s >= series.end_s,
    )


def _rows(sites: Sequence[str], starts: Sequence[datetime], made: Delivery) -> tuple[EventRow, ...]:
    plain = [[[None if np.isnan(x) else x for x in row] for row in table.tolist()] for table in made]
    return tuple(
        EventRow(site, start, *(table[at][interval] for table in plain))
        for at, site in enumerate(sites)
        for interval, start in enumerate(starts)
    )
