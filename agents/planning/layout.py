"""The columns of the linear programme: what each stands for, where it is, and between which bounds it lies.

A column stands only where a car is connected. A car that may discharge, taper or gain by losses has its energy after
every step; of any other only the energy at the end matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .battery import Battery, Waste, battery_of, waste_of
from .powers import Powers, powers_of
from .problem import Problem

Array = NDArray[Any]

NONE = -1
"""Where a column would stand if there were one."""

NO_STEP = -1
"""The step of a column that belongs to the whole window."""


class Column(IntEnum):
    """Kinds of columns; kW at the grid side, kWh in the battery unless said otherwise."""

    CHARGE_KW = 0  # mean power drawn over the step
    DISCHARGE_KW = 1  # mean power given over the step, positive
    ENERGY_KWH = 2  # after the step
    CHARGE_WASTE_KW = 3  # battery power lost beyond the best efficiency
    DISCHARGE_WASTE_KW = 4
    MISSING_KWH = 5  # below what is due when the car leaves
    EXCUSED_KWH = 6  # of that
    CREDITED_KWH = 7  # level that has worth at the window's end
    EXPORT_KW = 8  # export part of a meter's net load
    PEAK_KW = 9  # highest average import in a clock window


@dataclass(frozen=True)
class Layout:
    """Columns by what they stand for; `L` pairs of a stay and one of its steps, `NONE` where there is no column."""

    battery: Battery
    waste: Waste
    powers: Powers
    leaky: Array  # (J,) its balance is an equation: energy vanishes by losses alone
    stay: Array  # (L,)
    step: Array  # (L,)
    first: Array  # (J + 1,) where each stay's pairs begin
    charge: Array  # (L,)
    discharge: Array  # (L,)
    energy: Array  # (L,)
    charge_waste: Array  # (L,)
    discharge_waste: Array  # (L,)
    final: Array  # (J,) energy at the end of the stay
    missing: Array  # (J,)
    excused: Array  # (J,)
    credited: Array  # (J,)
    export: Array  # (S, T)
    peak: Array  # (S,)
    lower: Array  # (n,) bounds of all columns
    upper: Array  # (n,)
    keys: Array  # (n, 3) kind, port or site, step: how a column is known in another window

    @property
    def n_columns(self) -> int:
        return len(self.lower)

    @property
    def last(self) -> Array:
        """The last pair of each stay `(J,)`."""
        return np.asarray(self.first[1:] - 1)


def lay_out(problem: Problem, every_loss: bool = False) -> Layout:
    """The columns of a problem.

    Args:
        problem: the window.
        every_loss: give every stay the columns of its losses, so that any physical plan can be told exactly; else
            only those to which a loss may be worth something, and the others may drop energy for nothing.
    """
    stays, battery, waste = problem.stays, battery_of(problem.stays), waste_of(problem.stays, battery_of(problem.stays))
    length = stays.to_step - stays.from_step
    first = np.concatenate([[0], np.cumsum(length)])
    stay = np.repeat(np.arange(len(stays)), length)
    step = np.arange(first[-1]) - np.repeat(first[:-1] - stays.from_step, length)
    powers = powers_of(problem, battery, stay, step)
    leaky = np.full(len(stays), True) if every_loss else _gains_by_losses(problem)
    taken = _Columns(problem, stay, step)
    charges = powers.charge_kw > 0
    exports = powers.discharge_kw > 0
    tapers = stays.top_kwh > battery.capacity_kwh - battery.bend_kwh
    each_step = leaky | tapers | (np.bincount(stay, exports, len(stays)) > 0)
    low = np.where(stays.max_discharge_kw > 0, np.minimum(stays.start_kwh, stays.export_floor_kwh), stays.start_kwh)
    most_missing = stays.needed_kwh - low
    credit = stays.end_usd_per_kwh > 0
    charge = taken.of_steps(Column.CHARGE_KW, charges, powers.charge_kw)
    discharge = taken.of_steps(Column.DISCHARGE_KW, exports, powers.discharge_kw)
    energy = taken.of_steps(Column.ENERGY_KWH, each_step[stay], stays.top_kwh[stay], low[stay])
    wastes_in, wastes_out = ((leaky & (most > 0))[stay] for most in (waste.charge_kw, waste.discharge_kw))
    charge_waste = taken.of_steps(Column.CHARGE_WASTE_KW, charges & wastes_in, waste.charge_kw[stay])
    discharge_waste = taken.of_steps(Column.DISCHARGE_WASTE_KW, exports & wastes_out, waste.discharge_kw[stay])
    alone = taken.of_stays(Column.ENERGY_KWH, ~each_step, stays.top_kwh, low)
    missing = taken.of_stays(Column.MISSING_KWH, most_missing > 0, most_missing)
    late = np.minimum(most_missing, battery.full_kw * stays.early_h)
    excused = taken.of_stays(Column.EXCUSED_KWH, (most_missing > 0) & (stays.early_h > 0), late)
    credited = taken.of_stays(Column.CREDITED_KWH, credit, stays.end_to_kwh)
    steps = np.arange(problem.n_steps)
    export = taken.of_sites(Column.EXPORT_KW, powers.changes_sign, np.maximum(-powers.least_net_kw, 0.0), steps)
    paid = (problem.sites.demand_usd_per_kw > 0)[:, None]
    ceiling = powers.most_net_kw.max(1, initial=0.0, keepdims=True)
    peak = taken.of_sites(Column.PEAK_KW, paid, ceiling, np.array([NO_STEP]), least_peak_kw(problem, powers)[:, None])
    final = np.where(each_step, energy[first[1:] - 1] if len(energy) else alone, alone)
    return Layout(
        battery, waste, powers, leaky, stay, step, first, charge, discharge, energy, charge_waste, discharge_waste,
        final, missing, excused, credited, export, peak[:, 0], *taken.bounds(), taken.keys(),
    )  # fmt: skip


def _gains_by_losses(problem: Problem) -> Array:
    """Stays to which losing energy may be worth something: a price below 0 comes, or time at high SoC is priced."""
    s, stays = problem.sites, problem.stays
    least = np.minimum(s.import_price_usd_per_kwh, s.export_price_usd_per_kwh) + problem.carbon_usd_per_kwh
    below = np.concatenate([np.zeros((len(s), 1)), np.cumsum(least < 0, axis=1)], axis=1)
    negative = below[stays.site, stays.to_step] > below[stays.site, stays.from_step]
    return np.asarray(negative | (problem.calendar_usd_per_kwh > 0))


def least_peak_kw(problem: Problem, powers: Powers) -> Array:
    """The peak that is billed whatever is planned `(S,)`: the floor, or what the load alone makes of a window."""
    least = window_mean_kw(problem, np.maximum(powers.least_net_kw, 0.0)).max(1, initial=0.0)
    return np.asarray(np.maximum(problem.sites.peak_floor_kw, least))


def window_mean_kw(problem: Problem, import_kw: Array, without_cars: bool = False) -> Array:
    """Average import in each clock window that ends within the problem, `(S, W)`, from the import per step `(S, T)`."""
    s = problem.sites
    w, done = problem.window_steps, problem.window_done
    whole = (problem.n_steps + done) // w
    early = np.zeros((len(s), done))
    if done:
        early[:, 0] = (s.window_base_kwh if without_cars else s.window_kwh) / problem.step_h
    steps = np.concatenate([early, import_kw], axis=1)[:, : whole * w]
    return np.asarray(steps.reshape(len(steps), whole, w).mean(2))


class _Columns:
    """Hands out columns, one after the other, and keeps their bounds and keys."""

    def __init__(self, problem: Problem, stay: Array, step: Array) -> None:
        self._problem, self._stay, self._step = problem, stay, step
        self._lower: list[Array] = [np.zeros(0)]
        self._upper: list[Array] = [np.zeros(0)]
        self._keys: list[Array] = [np.zeros((0, 3), np.int64)]
        self._count = 0

    def of_steps(self, kind: Column, where: Array, upper: Array, lower: Array | float = 0.0) -> Array:
        return self._take(kind, where, upper, lower, self._problem.stays.port[self._stay], self._step)

    def of_stays(self, kind: Column, where: Array, upper: Array, lower: Array | float = 0.0) -> Array:
        stays = self._problem.stays
        return self._take(kind, where, upper, lower, stays.port, stays.to_step - 1)

    def of_sites(self, kind: Column, where: Array, upper: Array, steps: Array, lower: Array | float = 0.0) -> Array:
        return self._take(kind, where, upper, lower, np.arange(len(where))[:, None], steps)

    def _take(
        self, kind: Column, where: Array, upper: Array, lower: Array | float, entity: Array, step: Array
    ) -> Array:
        place = np.full(where.shape, NONE)
        count = int(where.sum())
        place[where] = self._count + np.arange(count)
        self._count += count
        self._lower.append(np.broadcast_to(lower, where.shape)[where])
        self._upper.append(np.maximum(np.broadcast_to(upper, where.shape)[where], self._lower[-1]))
        parts = (np.broadcast_to(part, where.shape)[where] for part in (np.int64(kind), entity, step))
        self._keys.append(np.stack(list(parts), axis=1))
        return place

    def bounds(self) -> tuple[Array, Array]:
        return np.concatenate(self._lower), np.concatenate(self._upper)

    def keys(self) -> Array:
        return np.concatenate(self._keys)
