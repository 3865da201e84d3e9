"""What meters and cars drew, from the cycles of the ledger: each tells of the time until the next one began.

Symbols: `S` sites, `P` pieces of time, `I` intervals of a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...agents.settlement import Delivery, delivery
from ..messages.answer import DispatchAnswer
from ..messages.request import DispatchRequest

Array = Any

MISSED_S = 30.0
"""Of an interval of the report that may lie between two cycles, and is not made up for: a loop may begin a bit late."""


class Cycle(Protocol):
    """A cycle of the ledger."""

    @property
    def request(self) -> DispatchRequest: ...

    @property
    def answer(self) -> DispatchAnswer: ...


class Piece(NamedTuple):
    """A time of which one cycle tells; Unix seconds, and kW by site."""

    start_s: float
    end_s: float
    without_kw: dict[str, float]  # without the cars
    baseline_kw: dict[str, float]  # of the cars
    cars_kw: dict[str, float]
    cars: int  # that were there
    measured: int  # of them


def piece_of(cycle: Cycle, after: DispatchRequest | None, until_s: float) -> Piece:
    """What a cycle tells, from its start to the next one's and at most for its interval.

    Cycles come off the grid too: a loop begins one when a limit is cut or a car arrives.

    Args:
        cycle: of the ledger.
        after: the request of the next cycle; None: there is none yet.
        until_s: the earliest start of all later cycles. After a clock was put back a time is told of twice; what was
            told last counts.
    """
    request = cycle.request
    end_s = max(min(request.start_s + request.interval_s, until_s), request.start_s)
    power, measured = _drawn_kw(cycle, after)
    names, here = request.sites.id.tolist(), request.ports.plugged == 1
    cars = np.bincount(request.ports.site, power, len(names))
    columns = (request.sites.net_load_kw, request.sites.baseline_kw[:, 0], cars)
    without, baseline, drawn = (dict(zip(names, column.tolist(), strict=True)) for column in columns)
    return Piece(request.start_s, end_s, without, baseline, drawn, int(here.sum()), int((here & measured).sum()))


def _drawn_kw(cycle: Cycle, after: DispatchRequest | None) -> tuple[Array, Array]:
    """What each port's car drew in a cycle, kW (N,), and whether the next one's request measured that in it."""
    request, setpoint_kw = cycle.request, np.nan_to_num(cycle.answer.decisions.setpoint_kw)
    power = np.full(request.n_ports, np.nan)
    since_s = 0.0 if after is None else after.start_s - request.start_s
    if after is not None and 0.0 < since_s <= request.interval_s + MISSED_S:
        told = np.where(after.ports.power_age_s > since_s, np.nan, after.ports.power_kw)
        if np.array_equal(after.ports.id, request.ports.id):
            power = told
        else:
            by_name = dict(zip(after.ports.id.tolist(), told.tolist(), strict=True))
            power = np.array([by_name.get(name, np.nan) for name in request.ports.id.tolist()])
    measured = ~np.isnan(power)
    return np.where(request.ports.plugged == 1, np.where(measured, power, setpoint_kw), 0.0), measured


def energies(pieces: Sequence[Piece], edges_s: Array, pays_export: bool) -> tuple[list[str], Delivery]:
    """The sites, and what each delivered in every interval, kWh (S, I); NaN where a cycle is missing.

    Args:
        pieces: that do not overlap.
        edges_s: of the intervals, Unix seconds (I + 1,).
        pays_export: see `agents.settlement.delivery`.
    """
    sites = list(dict.fromkeys(site for piece in pieces for site in piece.cars_kw))
    without, cars, baseline = (
        np.array([[column.get(site, np.nan) for column in columns] for site in sites])
        for columns in ([p.without_kw for p in pieces], [p.cars_kw for p in pieces], [p.baseline_kw for p in pieces])
    )
    per_hour = delivery(without, cars, baseline, 1.0, 1, pays_export)
    hours = overlap_s(pieces, edges_s) / 3600.0
    missed = np.diff(edges_s) - 3600.0 * hours.sum(axis=0) > MISSED_S
    return sites, Delivery(*(_in_intervals(table, hours, missed) for table in per_hour))


def overlap_s(pieces: Sequence[Piece], edges_s: Array) -> Array:
    """Seconds of each piece in each interval, (P, I)."""
    starts, ends = (np.array([getattr(piece, name) for piece in pieces])[:, None] for name in ("start_s", "end_s"))
    both: Array = np.maximum(np.minimum(ends, edges_s[1:]) - np.maximum(starts, edges_s[:-1]), 0.0)
    return both


def _in_intervals(per_hour: Array, hours: Array, missed: Array) -> Array:
    """kWh (S, I) of powers (S, P); a piece of which a site tells nothing leaves only its own intervals unknown."""
    made = np.full((len(per_hour), hours.shape[1]), np.nan)
    for at in np.flatnonzero(~missed):
        rows = hours[:, at] > 0.0
        made[:, at] = (per_hour[:, rows] * hours[rows, at]).sum(axis=1)
    return made
