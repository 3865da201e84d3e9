"""Bounds sharper than the linear programme's, site by site: what couples the sites has a price, the rest is solved
with binaries.

With the duals `y` of the rows that join several sites (those of feeders), the cost of any plan is at least
`sum of y rhs + sum over sites of min (c - y A) x` over each site's own rows: a bound for every `y`, and at the duals of
the linear programme no lower than that. A site where the linear programme never takes both of two things that exclude
each other has its minimum there already; the others are small mixed-integer programmes of a car or a few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .choices import candidates, choice_rows
from .layout import Layout
from .problem import Problem
from .rows import Rows
from .solver import Highs, Solution

Array = NDArray[Any]


@dataclass(frozen=True)
class Blocks:
    """A linear programme that falls apart into sites once its joining rows are priced."""

    problem: Problem
    layout: Layout
    cost: Array
    rows: Rows
    solution: Solution  # of the linear programme, with its duals

    def sharpened(self, sites: Array) -> Solution:
        """The solution with these sites solved by binaries; the others keep what they have."""
        proof, x = self.solution.proof, self.solution.x.copy()
        row_site = self._row_sites()
        on_joining = np.where(row_site < 0, proof.dual, 0.0)
        cost = self.cost - self.rows.transposed_times(on_joining, len(self.cost))
        bound, iterations, status = self.solution.bound_usd, self.solution.iterations, self.solution.status
        for site in sites:
            columns, rows = self.layout.column_site == site, row_site == site
            found = self._solve(cost, columns, rows, site)
            bound += max(found.bound_usd - float(proof.on_columns[columns].sum() + proof.on_rows[rows].sum()), 0.0)
            iterations += found.iterations
            x[columns] = found.x[: int(columns.sum())] if found.found else x[columns]
            status = status if found.status == status else found.status
        cost_usd = self.solution.objective_usd + float(self.cost @ (x - self.solution.x))
        return Solution(status, x, bound, cost_usd, iterations, proof)

    def _row_sites(self) -> Array:
        """Site of each row, -1 where it joins several; a row without entries binds nobody and counts as joining."""
        filled = np.flatnonzero(np.diff(self.rows.start))
        site_of, begins = self.layout.column_site[self.rows.column], self.rows.start[filled]
        least, most = np.minimum.reduceat(site_of, begins), np.maximum.reduceat(site_of, begins)
        site = np.full(len(self.rows), -1)
        site[filled] = np.where(least == most, least, -1)
        return site

    def _solve(self, cost: Array, columns: Array, rows: Array, site: int) -> Solution:
        meters, cars = candidates(self.problem, self.layout)
        meters = meters[meters[:, 0] == site]
        cars = cars[self.problem.stays.site[self.layout.stay[cars]] == site]
        count = len(meters) + len(cars)
        own = self.rows.picked(np.flatnonzero(rows)).joined(choice_rows(self.problem, self.layout, meters, cars))
        place = np.cumsum(np.append(columns, np.full(count, True))) - 1
        nothing = np.zeros(count)
        programme = Highs(
            np.append(cost[columns], nothing), np.append(self.layout.lower[columns], nothing),
            np.append(self.layout.upper[columns], nothing + 1.0), own.renamed(place), binaries=count,
        )  # fmt: skip
        return programme.solve()
