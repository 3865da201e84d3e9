"""What a plan costs, account by account, as the ledger books it (contracts 4): linear in the columns.

Programme payments are kept apart: the performance of an event is linear, its payment floored at 0 is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.ledger import CALENDAR_AT_EMPTY, CALENDAR_PER_HOUR, CALENDAR_PER_SOC, Account
from .columns import NONE
from .layout import Layout, window_mean_kw
from .problem import Problem

Array = NDArray[Any]


@dataclass(frozen=True)
class Costs:
    """Dollars of each account as `usd @ x + constant_usd`, performance of each event as `kwh @ x + constant_kwh`."""

    usd: Array  # (A, n)
    constant_usd: Array  # (A,)
    kwh: Array  # (E, n)
    constant_kwh: Array  # (E,) with what came before the window


def costs_of(problem: Problem, layout: Layout) -> Costs:
    """The costs of all columns."""
    made = Costs(
        np.zeros((len(Account), layout.n_columns)), np.zeros(len(Account)),
        np.zeros((len(problem.events), layout.n_columns)), problem.events.so_far_kwh.astype(float),
    )  # fmt: skip
    _book_energy(problem, layout, made)
    _book_batteries(problem, layout, made)
    _book_peaks(problem, layout, made)
    _book_settlements(problem, layout, made)
    made.constant_usd[Account.FIXED_USD] = problem.fixed_usd
    for event in range(len(problem.events)):
        _count_performance(problem, layout, made, event)
    return made


def _add(to: Array, column: Array, value: Array | float) -> None:
    """Add to a row of coefficients; `NONE` is left out, each column occurs once."""
    kept = column != NONE
    to[column[kept]] += np.broadcast_to(value, column.shape)[kept]


def _book_energy(problem: Problem, layout: Layout, made: Costs) -> None:
    """Imports and exports at the meters: what a meter can only do is billed straight."""
    s, h, powers = problem.sites, problem.step_h, layout.powers
    buy, sell = h * s.import_price_usd_per_kwh, h * s.export_price_usd_per_kwh
    bought, sold = made.usd[Account.ENERGY_IMPORT_USD], made.usd[Account.EXPORT_REVENUE_USD]
    here = (problem.stays.site[layout.stay], layout.step)
    imports = powers.most_net_kw > 0
    for column, sign in ((layout.charge, 1.0), (layout.discharge, -1.0)):
        _add(bought, column, sign * np.where(imports, buy, 0.0)[here])
        _add(sold, column, sign * np.where(imports, 0.0, sell)[here])
    _add(bought, layout.export, buy)
    _add(sold, layout.export, -sell)
    # Without the cars the site would have paid for its own load, and been paid for its own surplus.
    surplus = np.where(layout.export != NONE, np.maximum(-s.net_load_kw, 0.0), 0.0)
    made.constant_usd[Account.ENERGY_IMPORT_USD] -= (buy * surplus).sum()
    made.constant_usd[Account.EXPORT_REVENUE_USD] += (sell * surplus).sum()
    carbon = h * problem.carbon_usd_per_kwh[layout.step]
    _add(made.usd[Account.CARBON_USD], layout.charge, carbon)
    _add(made.usd[Account.CARBON_USD], layout.discharge, -carbon)


def _book_batteries(problem: Problem, layout: Layout, made: Costs) -> None:
    """Wear per kWh taken out for export, and of time at a state of charge."""
    wear, h = made.usd[Account.WEAR_USD], problem.step_h
    _add(wear, layout.discharge, h * problem.wear_usd_per_kwh * layout.battery.drain[layout.stay])
    _add(wear, layout.discharge_waste, h * problem.wear_usd_per_kwh)
    if problem.calendar_usd_per_kwh == 0:
        return
    hourly = problem.calendar_usd_per_kwh * CALENDAR_PER_HOUR * h
    half = 0.5 * hourly * CALENDAR_PER_SOC
    inner = np.full(len(layout.energy), 2.0)
    inner[layout.last] = 1.0
    _add(wear, layout.energy, half * inner)
    constant = hourly * CALENDAR_AT_EMPTY * layout.battery.capacity_kwh[layout.stay].sum()
    made.constant_usd[Account.WEAR_USD] += constant + half * problem.stays.start_kwh.sum()


def _book_peaks(problem: Problem, layout: Layout, made: Costs) -> None:
    s = problem.sites
    _add(made.usd[Account.DEMAND_CHARGE_USD], layout.peak, s.demand_usd_per_kw)
    alone = window_mean_kw(problem, np.maximum(s.net_load_kw, 0.0), without_cars=True).max(1, initial=0.0)
    unavoidable = s.peak_kw + np.maximum(alone, s.peak_base_kw) - s.peak_base_kw
    made.constant_usd[Account.DEMAND_CHARGE_USD] -= (s.demand_usd_per_kw * unavoidable).sum()


def _book_settlements(problem: Problem, layout: Layout, made: Costs) -> None:
    stays = problem.stays
    _add(made.usd[Account.UNSERVED_USD], layout.missing, stays.unserved_usd_per_kwh)
    _add(made.usd[Account.UNSERVED_USD], layout.excused, -stays.unserved_usd_per_kwh)
    _add(made.usd[Account.EARLY_LEAVE_USD], layout.excused, stays.early_usd_per_kwh)
    _add(made.usd[Account.END_VALUE_USD], layout.credited, -stays.end_usd_per_kwh)
    made.constant_usd[Account.END_VALUE_USD] += (stays.end_usd_per_kwh * stays.end_from_kwh).sum()


def _count_performance(problem: Problem, layout: Layout, made: Costs, event: int) -> None:
    """Baseline minus the change of import that the cars cause, and of export where that is paid."""
    s, e, h, powers = problem.sites, problem.events, problem.step_h, layout.powers
    inside = np.zeros(problem.n_steps)
    inside[e.from_step[event] : e.to_step[event]] = h
    pays = bool(e.pays_export[event])
    counted = inside * (pays | (powers.most_net_kw > 0))
    here = (problem.stays.site[layout.stay], layout.step)
    _add(made.kwh[event], layout.charge, -counted[here])
    _add(made.kwh[event], layout.discharge, counted[here])
    constant = s.baseline_kw
    if not pays:
        _add(made.kwh[event], layout.export, -np.broadcast_to(inside, layout.export.shape))
        # The site's own surplus: net load plus its export part would count it.
        constant = constant - np.where(layout.export != NONE, np.minimum(s.net_load_kw, 0.0), 0.0)
    made.constant_kwh[event] += (inside * constant).sum()
