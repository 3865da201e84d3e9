"""HiGHS that begins where the last decision ended: its basis, a step later, for what is still there (contracts 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..planning.columns import Column
from ..planning.rows import Row
from ..planning.solver import Highs

Array = NDArray[Any]

DUAL, PRIMAL = 1, 4
"""HiGHS's `simplex_strategy`: the dual from nothing, the primal from a basis that is nearly feasible."""

AT_LOWER, BASIC = 0, 1
"""As HiGHS numbers the status of a column or row."""

ENTITY_BITS, STEP_BITS = 40, 16


@dataclass(frozen=True)
class Names:
    """Columns or rows by what they stand for, and their status at the optimum; sorted by name."""

    name: Array
    status: Array

    @staticmethod
    def of(keys: Array, status: Array) -> Names:
        """Of keys (kind, entity, step) and statuses."""
        name = _name(keys)
        order = np.argsort(name)
        return Names(name[order], status[order])

    def a_step_later(self, keys: Array, otherwise: Array) -> Array:
        """The status of each of `keys`, whose steps were called one higher a step ago; `otherwise` where it is new."""
        if len(self.name) == 0:
            return otherwise
        name = _name(keys, 1)
        place = np.minimum(np.searchsorted(self.name, name), len(self.name) - 1)
        return np.where(self.name[place] == name, self.status[place], otherwise)


def _name(keys: Array, later: int = 0) -> Array:
    """One number for kind, entity and step; what belongs to no step keeps it."""
    kind, entity, step = keys[:, 0], keys[:, 1], keys[:, 2]
    step = np.where(step < 0, 0, step + 1 + later)
    return np.asarray((kind << (ENTITY_BITS + STEP_BITS)) | (entity << STEP_BITS) | step)


@dataclass(frozen=True)
class Basis:
    """Where a decision ended."""

    columns: Names
    rows: Names


class WarmHighs(Highs):
    """HiGHS with a basis that can be taken and given."""

    def basis(self, column_keys: Array) -> Basis:
        """The present basis, by the keys of columns and rows."""
        found = self._highs.getBasis()
        columns, rows = (
            np.fromiter(map(int, status), np.int64, len(status)) for status in (found.col_status, found.row_status)
        )
        return Basis(Names.of(column_keys, columns), Names.of(self.rows.keys, rows))

    def begin_at(self, basis: Basis, column_keys: Array) -> None:
        """Begin at the basis of a step ago; a new car begins with all that it lacks missing, which is feasible."""
        lacks, due = column_keys[:, 0] == Column.MISSING_KWH, self.rows.keys[:, 0] == Row.MISSING
        columns = basis.columns.a_step_later(column_keys, np.where(lacks, BASIC, AT_LOWER))
        rows = basis.rows.a_step_later(self.rows.keys, np.where(due, AT_LOWER, BASIC))
        kinds = self._highspy.HighsBasisStatus
        by_number = [kinds.kLower, kinds.kBasic, kinds.kUpper, kinds.kZero, kinds.kNonbasic]
        given = self._highspy.HighsBasis()
        given.col_status, given.row_status = ([by_number[n] for n in part.tolist()] for part in (columns, rows))
        # Foreign to this model: HiGHS mends what is singular or of the wrong number.
        given.valid = given.alien = True
        self._must(self._highs.setBasis(given), "the basis")
        self.set(simplex_strategy=PRIMAL)

    def set(self, **options: Any) -> None:
        """Change options by name."""
        for name, value in options.items():
            self._must(self._highs.setOptionValue(name, value), f"option {name}")
