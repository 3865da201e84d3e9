"""Stays on the step grid and on ports: arrivals up, departures down, one car at a port at a time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from .behaviour import StayDraws
from .scenario import BoolArray, FloatArray, IntArray
from .settings import ScenarioSettings

GRID_SLACK = 1e-9  # of a step, so that a time on the grid stays there


@dataclass(frozen=True)
class Placed:
    """Stays on the grid and on a port, sorted by (port, arrival); steps may lie before 0."""

    row: IntArray  # into the draws, or the session table
    port: IntArray
    arrive: IntArray
    depart: IntArray
    too_short: int  # cover no whole step
    no_port: int  # turned away, or the same port's car had not left


def place(draws: StayDraws, settings: ScenarioSettings) -> Placed:
    """Give generated stays, sorted by arrival, their steps and ports."""
    on_grid = to_grid(draws.arrive_h, draws.depart_h, settings)
    row, arrive, depart = on_grid.row, on_grid.arrive, on_grid.depart
    if settings.behaviour.kind == "home":
        port = draws.port[row]
        kept = own_port_free(port, arrive, depart)
    else:
        port = _any_free_port(arrive, depart, settings.ports)
        kept = port >= 0
    return settle(row[kept], port[kept], arrive[kept], depart[kept], on_grid.too_short, int((~kept).sum()))


@dataclass(frozen=True)
class OnGrid:
    """Stays that cover a whole step of the episode."""

    row: IntArray
    arrive: IntArray
    depart: IntArray
    too_short: int


def to_grid(arrive_h: FloatArray, depart_h: FloatArray, settings: ScenarioSettings) -> OnGrid:
    """Round arrivals up and departures down (contracts 1); stays that cover no step are counted."""
    step_h = settings.interval_minutes / 60
    arrive = np.ceil(arrive_h / step_h - GRID_SLACK).astype(np.int64)
    depart = np.floor(depart_h / step_h + GRID_SLACK).astype(np.int64)
    within = (depart_h > 0) & (arrive_h < settings.n_steps * step_h)
    whole = (depart > arrive) & (depart > 0) & (arrive < settings.n_steps)
    row = np.nonzero(within & whole)[0]
    return OnGrid(row, arrive[row], depart[row], int((within & ~whole).sum()))


def settle(row: IntArray, port: IntArray, arrive: IntArray, depart: IntArray, too_short: int, no_port: int) -> Placed:
    """Sort by (port, arrival), as the scenario wants it."""
    order = np.lexsort((arrive, port))
    return Placed(row[order], port[order], arrive[order], depart[order], too_short, no_port)


def own_port_free(port: IntArray, arrive: IntArray, depart: IntArray) -> BoolArray:
    """False for stays whose port's car has not left; rows are sorted by arrival."""
    kept = np.zeros(len(port), dtype=bool)
    free_from: dict[int, int] = {}
    for i, (p, a, d) in enumerate(zip(port.tolist(), arrive.tolist(), depart.tolist(), strict=True)):
        if a >= free_from.get(p, a):
            kept[i] = True
            free_from[p] = d
    return kept


def _any_free_port(arrive: IntArray, depart: IntArray, ports: int) -> IntArray:
    """First come, first served: the free port of the lowest number, -1 where all are taken."""
    free, busy = list(range(ports)), list[tuple[int, int]]()
    port = np.full(len(arrive), -1, dtype=np.int64)
    for i, (a, d) in enumerate(zip(arrive.tolist(), depart.tolist(), strict=True)):
        while busy and busy[0][0] <= a:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            port[i] = heapq.heappop(free)
            heapq.heappush(busy, (d, int(port[i])))
    return port
