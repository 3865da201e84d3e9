"""The columns of the linear programme: what each stands for, where it is, and between which bounds it lies.

A column stands only where a car is connected. A car that may discharge, taper or gain by losses has its energy after
every step; of any other only the energy at the end matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .battery import Battery, Waste, battery_of, waste_of
from .columns import NO_STEP, Column, ColumnList
from .powers import Powers, powers_of, surely_kwh
from .problem import Problem

Array = NDArray[Any]


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
    column_site: Array  # (n,) to whose meter each column belongs

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
    taken = ColumnList(problem, stay, step)
    charges = powers.charge_kw > 0
    exports = powers.discharge_kw > 0
    tapers = stays.top_kwh > battery.capacity_kwh - battery.bend_kwh
    sure = surely_kwh(problem, powers.rooms, stay, step, first)
    rises = np.bincount(stay, sure > stays.start_kwh[stay], len(stays)) > 0
    each_step = leaky | tapers | rises | (np.bincount(stay, exports, len(stays)) > 0)
    drained = (stays.max_discharge_kw > 0) & (stays.start_kwh > stays.export_floor_kwh)
    least = np.where(drained[stay], stays.export_floor_kwh[stay], sure)
    low = np.where(drained, stays.export_floor_kwh, stays.start_kwh)
    most_missing = stays.needed_kwh - low
    credit = stays.end_usd_per_kwh > 0
    charge = taken.of_steps(Column.CHARGE_KW, charges, powers.charge_kw)
    discharge = taken.of_steps(Column.DISCHARGE_KW, exports, powers.discharge_kw)
    energy = taken.of_steps(Column.ENERGY_KWH, each_step[stay], stays.top_kwh[stay], least)
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
        final, missing, excused, credited, export, peak[:, 0], *taken.bounds(), *taken.names(),
    )  # fmt: skip


def _gains_by_losses(problem: Problem) -> Array:
    """Stays to which losing energy may be worth something: a price below 0 comes, or time at high SoC is priced."""
    stays, negative_price = problem.stays, least_price(problem) < 0
    below = np.concatenate([np.zeros((len(problem.sites), 1)), np.cumsum(negative_price, axis=1)], axis=1)
    negative = below[stays.site, stays.to_step] > below[stays.site, stays.from_step]
    return np.asarray(negative | (problem.calendar_usd_per_kwh > 0))


def least_price(problem: Problem) -> Array:
    """The least that a kWh more drawn from the grid can cost, carbon included, $/kWh `(S, T)`."""
    s = problem.sites
    least = np.minimum(s.import_price_usd_per_kwh, s.export_price_usd_per_kwh) + problem.carbon_usd_per_kwh
    return np.asarray(least)


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
