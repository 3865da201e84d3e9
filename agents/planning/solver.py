"""HiGHS, by `highspy`: one model that grows by rows, and the bound that its duals prove.

Its errors are a status and no exception, and an empty integrality array is an error to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .quiet import quiet_highspy
from .rows import Rows

Array = NDArray[Any]


BRANCHING = {
    "mip_rel_gap": 1e-4, "mip_abs_gap": 1e-3, "mip_max_nodes": 2000, "mip_heuristic_effort": 0.0,
    "mip_heuristic_run_feasibility_jump": False, "mip_heuristic_run_rens": False, "mip_heuristic_run_rins": False,
    "mip_heuristic_run_root_reduced_cost": False, "mip_detect_symmetry": False, "mip_root_presolve_only": True,
    "mip_allow_cut_separation_at_nodes": False,
}  # fmt: skip
"""Options where there are binaries: a fifth of the time of HiGHS's own, measured on programmes of one home. A limit on
nodes, not on time: a second run ends at the same bound."""


class DualBound(NamedTuple):
    """The bound that row duals prove, whatever their accuracy: wrong signs clipped, columns at their bounds.

    `min c x` over `l <= x <= u`, `rl <= A x <= ru` is at least
    `sum_i (rl_i y_i+ - ru_i y_i-) + min over l <= x <= u of (c - y A) x` for every `y`.
    """

    dual: Array  # (r,)
    on_rows: Array  # (r,) the terms of the first sum
    on_columns: Array  # (n,) and of the second

    @property
    def usd(self) -> float:
        """The bound."""
        return float(self.on_rows.sum() + self.on_columns.sum())


def dual_bound(cost: Array, lower: Array, upper: Array, rows: Rows, dual: Array) -> DualBound:
    """The bound of these row duals."""
    y = np.where(np.isneginf(rows.lower), np.minimum(dual, 0.0), dual)
    y = np.where(np.isposinf(rows.upper), np.maximum(y, 0.0), y)
    reduced = cost - rows.transposed_times(y, len(cost))
    on_rows = y * np.where(y > 0, np.where(y > 0, rows.lower, 0.0), np.where(y < 0, rows.upper, 0.0))
    return DualBound(y, on_rows, np.where(reduced > 0, reduced * lower, reduced * upper))


@dataclass(frozen=True)
class Solution:
    """What one run found."""

    status: str
    x: Array  # (n,) empty where nothing was found
    bound_usd: float  # no feasible point costs less
    objective_usd: float  # cost of `x`
    iterations: int
    proof: DualBound  # of the rows' duals; with binaries it says nothing

    @property
    def found(self) -> bool:
        """Whether `x` is a plan, if not of the best ones."""
        return bool(np.isfinite(self.objective_usd))

    def plus(self, constant_usd: float) -> Solution:
        """With a constant added to what it costs."""
        return replace(self, bound_usd=self.bound_usd + constant_usd, objective_usd=self.objective_usd + constant_usd)


class Highs:
    """A minimisation over bounded columns and rows that may be added.

    Args:
        cost: of each column.
        lower: bounds of the columns, all finite.
        upper: as `lower`.
        rows: the rows to begin with.
        binaries: how many of the last columns are 0 or 1; none: a linear programme.
        options: HiGHS options by name.

    Raises:
        RuntimeError: HiGHS refuses an option or the model.
    """

    def __init__(
        self, cost: Array, lower: Array, upper: Array, rows: Rows, *, binaries: int = 0, **options: Any
    ) -> None:
        self._highspy = quiet_highspy()
        self._highs = self._highspy.Highs()
        defaults = {"output_flag": False, "threads": 1, "random_seed": 0, "presolve": "off", "solver": "simplex"}
        for name, value in {**defaults, **(BRANCHING if binaries else {}), **options}.items():
            self._must(self._highs.setOptionValue(name, value), f"option {name}")
        self.cost, self.lower, self.upper, self.rows = cost, lower, upper, rows
        self._binaries = binaries
        self._must(self._highs.passModel(self._model()), "the model")

    def _model(self) -> Any:
        model = self._highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self.cost), len(self.rows)
        model.col_cost_, model.col_lower_, model.col_upper_ = self.cost, self.lower, self.upper
        model.row_lower_, model.row_upper_ = self.rows.lower, self.rows.upper
        matrix = model.a_matrix_
        matrix.format_ = self._highspy.MatrixFormat.kRowwise
        matrix.num_col_, matrix.num_row_ = len(self.cost), len(self.rows)
        matrix.start_, matrix.index_, matrix.value_ = self.rows.start, self.rows.column, self.rows.value
        if self._binaries:
            kinds = self._highspy.HighsVarType
            real = len(self.cost) - self._binaries
            model.integrality_ = [kinds.kContinuous] * real + [kinds.kInteger] * self._binaries
        return model

    def price(self, cost: Array) -> None:
        """Change the cost of the columns; the present basis stays feasible."""
        self.cost = cost
        index = np.arange(len(cost), dtype=np.int32)
        self._must(self._highs.changeColsCost(len(cost), index, cost), "the cost")

    def add(self, rows: Rows) -> None:
        """Add rows."""
        if len(rows) == 0:
            return
        entries = len(rows.value)
        start, column = rows.start[:-1].astype(np.int32), rows.column.astype(np.int32)
        status = self._highs.addRows(len(rows), rows.lower, rows.upper, entries, start, column, rows.value)
        self._must(status, "rows")
        self.rows = self.rows.joined(rows)

    def solve(self) -> Solution:
        """Solve, a linear programme from the present basis where there is one; nothing to decide costs nothing."""
        if not len(self.cost):
            return Solution("Optimal", self.cost, 0.0, 0.0, 0, dual_bound(*self._all(), np.zeros(len(self.rows))))
        self._must(self._highs.run(), "the run")
        found, info = self._highs.getSolution(), self._highs.getInfo()
        status = self._highs.modelStatusToString(self._highs.getModelStatus())
        x = np.asarray(found.col_value) if found.value_valid else np.zeros(0)
        cost = float(self.cost @ x) if found.value_valid else np.inf
        dual = np.asarray(found.row_dual) if found.dual_valid else np.zeros(len(self.rows))
        proof = dual_bound(*self._all(), dual)
        bound = float(info.mip_dual_bound) if self._binaries else proof.usd
        return Solution(status, x, bound, cost, int(info.simplex_iteration_count), proof)

    def _all(self) -> tuple[Array, Array, Array, Rows]:
        return self.cost, self.lower, self.upper, self.rows

    def _must(self, status: Any, what: str) -> None:
        if status == self._highspy.HighsStatus.kError:
            raise RuntimeError(f"HiGHS refused {what}")
