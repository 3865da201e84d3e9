"""The tables of the report: plain text, ready to be laid out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np

from ...envs.world.scenario import Scenario
from ..figures import Figures
from ..flexibility import Flexibility
from ..report import NOT_KNOWN
from .events import EventTotal
from .result import UNCONTROLLED, EvaluationResult

PARTS_OF_DAY_H = 3
"""Rows of the table of flexibility."""

LARGE = 10_000.0


class Cell(NamedTuple):
    """A figure, and under it what it lies between."""

    text: str
    range: str = ""


class Table(NamedTuple):
    """A table; the first cell of a row is its name."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class _Column(NamedTuple):
    heading: str
    cell: Callable[[Figures], Cell]


def figures_table(title: str, by_policy: Mapping[str, Figures], days: int) -> Table:
    """The chief figures over some days, with a row per controller; `days` turns sums into figures a day."""
    base = by_policy[UNCONTROLLED]
    columns = _columns(base, days)
    rows = [[Cell(name), *(column.cell(figures) for column in columns)] for name, figures in by_policy.items()]
    return Table(title, ["controller", *(column.heading for column in columns)], rows)


def _columns(base: Figures, days: int) -> list[_Column]:
    def kept_out(figures: Figures) -> Cell:
        before, after = base["peaker_window_kwh"], figures["peaker_window_kwh"]
        return Cell(NOT_KNOWN if before is None or after is None else number((before - after) / days, 1))

    return [
        _Column("net cost\n$ a day", lambda f: _with_interval(f, "net_cost_usd", 2, 1.0 / days)),
        _Column("captured\n%", lambda f: _with_interval(f, "captured_percent", 1)),
        _Column("earned\n$ a day", lambda f: _figure(f, "driver_earnings_usd", 2, 1.0 / days)),
        _Column("delivered\n%", lambda f: _figure(f, "feasible_energy_delivered_percent", 2)),
        _Column("met\n%", lambda f: _figure(f, "departures_met_percent", 2)),
        _Column("worst\nkWh", lambda f: _figure(f, "worst_shortfall_kwh", 1)),
        _Column("highest\npeak kW", lambda f: _figure(f, "peak_kw", 1)),
        _Column("overload\nkWh", lambda f: _figure(f, "overload_kwh", 2)),
        _Column("kept out\nkWh a day", kept_out),
        _Column("CO\u2082\nkg a day", lambda f: _figure(f, "co2_kg", 1, 1.0 / days)),
        _Column("commands a\ncar and day", lambda f: _figure(f, "commands_per_car_day", 1)),
    ]


def number(value: float | None, digits: int) -> str:
    """A figure for people, large ones whole; `-` where it is not known."""
    if value is None:
        return NOT_KNOWN
    digits = 0 if abs(value) >= LARGE else digits
    return f"{round(value, digits) + 0.0:,.{digits}f}"


def span(hours: float) -> str:
    """A duration for people."""
    return f"{hours * 60:.0f} min" if hours < 1 else f"{hours:g} h"


def _figure(figures: Figures, name: str, digits: int, scale: float = 1.0) -> Cell:
    value = figures.get(name)
    return Cell(number(None if value is None else value * scale, digits))


def _with_interval(figures: Figures, name: str, digits: int, scale: float = 1.0) -> Cell:
    low, high = figures.get(f"{name}_low"), figures.get(f"{name}_high")
    between = ""
    if low is not None and high is not None:
        ends = [number(end * scale, digits) for end in (low, high)]
        between = " to ".join(ends) if ends[0] != ends[1] else ""
    return Cell(_figure(figures, name, digits, scale).text, between)


def timings_table(result: EvaluationResult) -> Table:
    """What a clock said of each controller."""
    rows = [
        [
            Cell(name), Cell(number(t.decision_ms_p50, 2)), Cell(number(t.decision_ms_p99, 2)),
            Cell(number(t.decision_cpu_ms, 3)), Cell(number(t.cpu_s, 1)),
        ]
        for name, t in result.timings.items()
    ]  # fmt: skip
    headings = ["one fleet,\np50 ms", "one fleet,\np99 ms", "side by side,\nCPU ms a fleet", "all runs,\nCPU s"]
    return Table("Time of a decision", ["controller", *headings], rows)


def flexibility_table(policy: str, scenario: Scenario, found: Flexibility) -> Table:
    """Flexibility through the day, means over every three hours."""
    width = max(1, round(PARTS_OF_DAY_H / scenario.step_h))
    starts = np.arange(0, len(found.draw_kw), width)
    columns = ["from", "drawn\nkW"]
    series = [found.draw_kw]
    for word, kw in (("down", found.down_kw), ("up", found.up_kw)):
        columns += [f"{word} for\n{span(hours)}, kW" for hours in found.hours]
        series += list(kw.T)
    steps = np.diff([*starts, len(found.draw_kw)])
    means = np.stack([np.add.reduceat(kw, starts) / steps for kw in series], axis=1)
    rows = [
        [Cell(scenario.time_of(int(start)).strftime("%H:%M")), *(Cell(number(float(kw), 1)) for kw in row)]
        for start, row in zip(starts, means, strict=True)
    ]
    return Table(f"Flexibility under {policy}", columns, rows)


def events_table(totals: Iterable[EventTotal]) -> Table:
    """Each event under each controller, all sites together."""
    rows = []
    for one in sorted(totals, key=lambda total: total.start):
        start, end = (datetime.fromisoformat(text) for text in (one.start, one.end))
        when = f"{start.day} {start:%b %Y, %H:%M} to {end:%H:%M}"
        numbers = ((one.baseline_kwh, 1), (one.metered_import_kwh, 1), (one.delivered_kwh, 1), (one.payment_usd, 2))
        rows.append([Cell(when), Cell(one.policy), *(Cell(number(value, digits)) for value, digits in numbers)])
    columns = ["event", "controller", "baseline\nkWh", "metered import\nkWh", "delivered\nkWh", "payment\n$"]
    return Table("Programme events", columns, rows)
