"""Rows that are added only where a solution breaks them: most cars never come near their taper."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .battery import full_power
from .columns import NONE
from .layout import Layout
from .problem import Problem
from .rows import Row, RowList, Rows

Array = NDArray[Any]


class Tolerances(NamedTuple):
    """How far a solution may break a rule before a row is added."""

    energy_kwh: float = 1e-5
    share: float = 1e-6


def violated(problem: Problem, layout: Layout, x: Array, tolerances: Tolerances) -> Rows:
    """Valid rows that `x` breaks: tangents to the taper and to what is excused, and the hulls of charge or export."""
    rows = RowList()
    _tapers(problem, layout, x, tolerances.energy_kwh, rows)
    _pairs(problem, layout, x, tolerances.share, rows)
    _excuses(problem, layout, x, tolerances.energy_kwh, rows)
    return rows.made()


def value(x: Array, column: Array, absent: Array | float = 0.0) -> Array:
    """Values of columns, `absent` where there is none."""
    return np.where(column != NONE, x[column] if len(x) else absent, absent)


def energy_before(problem: Problem, layout: Layout, x: Array) -> Array:
    """Energy before each pair of a stay and a step `(L,)`; only where the stay has its energy at each step."""
    before = np.roll(value(x, layout.energy), 1)
    before[layout.first[:-1]] = problem.stays.start_kwh
    return before


def _tapers(problem: Problem, layout: Layout, x: Array, tolerance: float, rows: RowList) -> None:
    at = np.flatnonzero((layout.energy != NONE) & (layout.charge != NONE))
    before, battery, h = energy_before(problem, layout, x)[at], layout.battery.of(layout.stay[at]), problem.step_h
    tangent = full_power(battery, before, h)
    over = np.flatnonzero(x[layout.energy[at]] > tangent.level_kwh + tolerance)
    # Constant power is what the balance says already.
    bent = over[tangent.slope[over] < 1.0]
    at, slope = at[bent], tangent.slope[bent]
    begins = at == layout.first[layout.stay[at]]
    held = np.where(begins, 0.0, slope * before[bent])
    row = np.arange(len(at))
    rows.add(
        Row.TAPER, problem.stays.port[layout.stay[at]], layout.step[at], -np.inf, tangent.level_kwh[bent] - held,
        (row, layout.energy[at], 1.0), (row, np.where(begins, NONE, layout.energy[at - 1]), -slope),
    )  # fmt: skip


def _pairs(problem: Problem, layout: Layout, x: Array, tolerance: float, rows: RowList) -> None:
    both = np.flatnonzero((layout.charge != NONE) & (layout.discharge != NONE))
    take, give = layout.powers.charge_kw[both], layout.powers.discharge_kw[both]
    over = x[layout.charge[both]] / take + x[layout.discharge[both]] / give > 1.0 + tolerance
    at, row = both[over], np.arange(int(over.sum()))
    rows.add(
        Row.PAIR, problem.stays.port[layout.stay[at]], layout.step[at], -np.inf, 1.0,
        (row, layout.charge[at], 1.0 / take[over]), (row, layout.discharge[at], 1.0 / give[over]),
    )  # fmt: skip


def _excuses(problem: Problem, layout: Layout, x: Array, tolerance: float, rows: RowList) -> None:
    """What full power until the said departure could still have given falls as the car is fuller."""
    stay = np.flatnonzero(layout.excused != NONE)
    energy, early_h = x[layout.final[stay]], problem.stays.early_h[stay]
    tangent = full_power(layout.battery.of(stay), energy, early_h)
    over = np.flatnonzero(x[layout.excused[stay]] > tangent.level_kwh - energy + tolerance)
    stay, slope, row = stay[over], tangent.slope[over], np.arange(len(over))
    rows.add(
        Row.EXCUSED_TAPER, problem.stays.port[stay], problem.stays.to_step[stay] - 1, -np.inf,
        tangent.level_kwh[over] - slope * energy[over],
        (row, layout.excused[stay], 1.0), (row, layout.final[stay], 1.0 - slope),
    )  # fmt: skip
