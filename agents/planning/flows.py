"""What cars physically did, told in the columns of the linear programme: to price it there, and to see that it fits.

Every physical plan under the limits has such columns within all bounds and rows, at the ledger's price in each account:
that is why the programme's least cost is a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .battery import full_power
from .columns import NONE
from .layout import Layout, window_mean_kw
from .problem import Problem

Array = NDArray[Any]


@dataclass(frozen=True)
class Flows:
    """Mean powers over each step and the energy after it; `L` pairs of a stay and one of its steps."""

    charge_kw: Array  # (L,) at the grid side
    discharge_kw: Array  # (L,) positive
    energy_kwh: Array  # (L,) in the battery


def columns_of(problem: Problem, layout: Layout, flows: Flows) -> Array:
    """The columns of what was done; losses are told where the layout has columns for them.

    Raises:
        ValueError: a car drew or gave where the layout has no column for it.
    """
    x = np.zeros(layout.n_columns)
    energy = flows.energy_kwh
    before = np.roll(energy, 1)
    before[layout.first[:-1]] = problem.stays.start_kwh
    gained, b = (energy - before) / problem.step_h, layout.battery.of(layout.stay)
    _put(x, layout.charge, flows.charge_kw, needed=True)
    _put(x, layout.discharge, flows.discharge_kw, needed=True)
    _put(x, layout.energy, energy)
    _put(x, layout.charge_waste, np.where(flows.charge_kw > 0, b.gain * flows.charge_kw - gained, 0.0))
    _put(x, layout.discharge_waste, np.where(flows.discharge_kw > 0, -gained - b.drain * flows.discharge_kw, 0.0))
    _put_settlements(problem, layout, energy[layout.last], x)
    net = problem.sites.net_load_kw.copy()
    here = (problem.stays.site[layout.stay], layout.step)
    np.add.at(net, here, flows.charge_kw - flows.discharge_kw)
    _put(x, layout.export, np.maximum(-net, 0.0))
    peak = window_mean_kw(problem, np.maximum(net, 0.0)).max(1, initial=0.0)
    _put(x, layout.peak, np.maximum(peak, problem.sites.peak_floor_kw))
    return x


def _put_settlements(problem: Problem, layout: Layout, end_kwh: Array, x: Array) -> None:
    """What the ledger settles at the end of each stay (contracts 3)."""
    stays = problem.stays
    missing = np.maximum(stays.needed_kwh - end_kwh, 0.0)
    later = np.minimum(full_power(layout.battery, end_kwh, stays.early_h).level_kwh, stays.top_kwh)
    _put(x, layout.final, end_kwh)
    _put(x, layout.missing, missing)
    _put(x, layout.excused, np.minimum(missing, np.maximum(later - end_kwh, 0.0)))
    _put(x, layout.credited, np.minimum(end_kwh, stays.end_to_kwh))


def _put(x: Array, column: Array, values: Array, needed: bool = False) -> None:
    kept = column != NONE
    x[column[kept]] = values[kept]
    if needed and np.any(values[~kept] > 1e-9):
        raise ValueError(f"{values[~kept].max():g} kW where no car can draw or give; the plan breaks a limit")
