"""Where a linear programme takes both of what can only be one: what that is worth, and binaries that forbid it.

A meter imports or exports, a car charges or discharges. Prices mostly see to it; where export pays more than import, or
a price is negative, the hulls among the rows are looser than the truth, and a binary is set in the steps that use it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .columns import NONE
from .constraints import of_cells
from .cuts import value
from .layout import Layout, least_price
from .problem import Problem
from .rows import Row, RowList, Rows

Array = NDArray[Any]


class Choices(NamedTuple):
    """Things that can only be one, and the dollars that a solution gains by both; not more than these are missing."""

    meters: Array  # (m, 2) site and step
    meters_usd: Array  # (m,)
    cars: Array  # (c,) pairs of a stay and a step
    cars_usd: Array  # (c,)

    @property
    def usd(self) -> float:
        """All of them."""
        return float(self.meters_usd.sum() + self.cars_usd.sum())


def taken_both(problem: Problem, layout: Layout, x: Array) -> Choices:
    """Where `x` gains by taking both."""
    here = (problem.stays.site[layout.stay], layout.step)
    charge, discharge = value(x, layout.charge), value(x, layout.discharge)
    return Choices(
        *_meters(problem, layout, x, here, charge - discharge), *_cars(problem, layout, here, charge, discharge)
    )


def _meters(problem: Problem, layout: Layout, x: Array, here: tuple[Array, Array], power: Array) -> tuple[Array, Array]:
    s = problem.sites
    net = s.net_load_kw.copy()
    np.add.at(net, here, power)
    export = value(x, layout.export)
    both = np.where(layout.export != NONE, np.minimum(export, net + export), 0.0)
    gain = s.export_price_usd_per_kwh - s.import_price_usd_per_kwh
    usd = problem.step_h * np.maximum(gain, 0.0) * np.maximum(both, 0.0)
    cells = np.argwhere(usd > 0)
    return cells, usd[tuple(cells.T)]


def _cars(
    problem: Problem, layout: Layout, here: tuple[Array, Array], charge: Array, discharge: Array
) -> tuple[Array, Array]:
    """The same change of the battery by one of the two draws less power, of which more was paid for."""
    b, price = layout.battery.of(layout.stay), least_price(problem)[here]
    lost = np.minimum(b.gain * charge, b.drain * discharge) * (1.0 / np.maximum(b.gain, 1e-9) - 1.0 / b.drain)
    usd = problem.step_h * np.maximum(-price, 0.0) * np.where(charge > 0, lost, 0.0)
    pairs = np.flatnonzero(usd > 0)
    return pairs, usd[pairs]


def candidates(problem: Problem, layout: Layout) -> tuple[Array, Array]:
    """Everything that could gain by both: cells `(m, 2)` of site and step, pairs `(c,)` of a stay and a step."""
    s, here = problem.sites, (problem.stays.site[layout.stay], layout.step)
    pays_more = (s.export_price_usd_per_kwh > s.import_price_usd_per_kwh) & (layout.export != NONE)
    two_ways = (layout.charge != NONE) & (layout.discharge != NONE)
    return np.argwhere(pays_more), np.flatnonzero(two_ways & (least_price(problem)[here] < 0))


def choice_rows(problem: Problem, layout: Layout, meters: Array, cars: Array) -> Rows:
    """Rows that make each candidate one or the other by binaries after all other columns: of meters, then of cars."""
    rows, first = RowList(), layout.n_columns
    site, step = meters.T
    _choose_meters(problem, layout, site, step, first + np.arange(len(site)), rows)
    _choose_cars(problem, layout, cars, first + len(site) + np.arange(len(cars)), rows)
    return rows.made()


def _choose_meters(problem: Problem, layout: Layout, site: Array, step: Array, choice: Array, rows: RowList) -> None:
    """Import is at most its most times the choice, export at most its most times the rest."""
    powers, row = layout.powers, np.arange(len(site))
    charge, discharge = of_cells(problem, layout, site, step)
    export, most = layout.export[site, step], powers.most_net_kw[site, step]
    rows.add(
        Row.CHOICE, site, step, -np.inf, -problem.sites.net_load_kw[site, step],
        (row, export, 1.0), (row, choice, -most), (*charge, 1.0), (*discharge, -1.0),
    )  # fmt: skip
    least = -powers.least_net_kw[site, step]
    rows.add(Row.CHOICE, site, step, -np.inf, least, (row, export, 1.0), (row, choice, least))


def _choose_cars(problem: Problem, layout: Layout, pairs: Array, choice: Array, rows: RowList) -> None:
    row, port, step = np.arange(len(pairs)), problem.stays.port[layout.stay[pairs]], layout.step[pairs]
    take, give = layout.powers.charge_kw[pairs], layout.powers.discharge_kw[pairs]
    rows.add(Row.CHOICE, port, step, -np.inf, 0.0, (row, layout.charge[pairs], 1.0), (row, choice, -take))
    rows.add(Row.CHOICE, port, step, -np.inf, give, (row, layout.discharge[pairs], 1.0), (row, choice, give))
