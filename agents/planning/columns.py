"""Kinds of columns of the linear programme, and the list that hands them out."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


class ColumnList:
    """Hands out columns, one after the other, and keeps their bounds and names."""

    def __init__(self, problem: Problem, stay: Array, step: Array) -> None:
        self._stays, self._stay, self._step = problem.stays, stay, step
        self._lower: list[Array] = [np.zeros(0)]
        self._upper: list[Array] = [np.zeros(0)]
        self._names: list[Array] = [np.zeros((0, 4), np.int64)]
        self._count = 0

    def of_steps(self, kind: Column, where: Array, upper: Array, lower: Array | float = 0.0) -> Array:
        """Columns for those pairs of a stay and a step `(L,)` where `where` holds; their places, `NONE` elsewhere."""
        names = (kind, self._stays.port[self._stay], self._step, self._stays.site[self._stay])
        return self._take(where, upper, lower, names)

    def of_stays(self, kind: Column, where: Array, upper: Array, lower: Array | float = 0.0) -> Array:
        """Columns for those stays `(J,)`, known by their last step."""
        return self._take(where, upper, lower, (kind, self._stays.port, self._stays.to_step - 1, self._stays.site))

    def of_sites(self, kind: Column, where: Array, upper: Array, steps: Array, lower: Array | float = 0.0) -> Array:
        """Columns for those sites and steps `(S, len(steps))`."""
        site = np.arange(len(where))[:, None]
        return self._take(where, upper, lower, (kind, site, steps, site))

    def _take(self, where: Array, upper: Array, lower: Array | float, names: tuple[Any, ...]) -> Array:
        place = np.full(where.shape, NONE)
        count = int(where.sum())
        place[where] = self._count + np.arange(count)
        self._count += count
        self._lower.append(np.broadcast_to(lower, where.shape)[where])
        self._upper.append(np.maximum(np.broadcast_to(upper, where.shape)[where], self._lower[-1]))
        self._names.append(np.stack([np.broadcast_to(np.int64(n), where.shape)[where] for n in names], axis=1))
        return place

    def bounds(self) -> tuple[Array, Array]:
        """Lower and upper bound of every column."""
        return np.concatenate(self._lower), np.concatenate(self._upper)

    def names(self) -> tuple[Array, Array]:
        """Kind, port or site, and step of every column `(n, 3)`, and its site `(n,)`."""
        names = np.concatenate(self._names)
        return names[:, :3], names[:, 3]
