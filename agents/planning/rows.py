"""Rows of a linear programme, gathered piece by piece into one compressed matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import NONE

Array = NDArray[Any]


class Row(IntEnum):
    """Kinds of rows."""

    BALANCE = 0  # energy after a step
    FINAL = 1  # energy after a stay, where no step's energy matters
    LOSS = 2  # losses shrink with power
    IDLE_LOSS = 3  # who takes nothing wastes nothing
    EXPORT_FLOOR = 4  # who exports ends above the floor
    MISSING = 5
    EXCUSED = 6
    EXCUSED_ROOM = 7
    CREDITED = 8
    SITE_IMPORT = 9
    SITE_EXPORT = 10
    FEEDER_IMPORT = 11
    FEEDER_EXPORT = 12
    METER = 13  # what a meter exports
    METER_HULL = 14  # it imports or exports, not both
    DEMAND = 15
    TAPER = 16  # a tangent, added where violated
    PAIR = 17  # a car charges or discharges, not both
    EXCUSED_TAPER = 18
    CHOICE = 19  # rows of a binary


@dataclass(frozen=True)
class Rows:
    """Rows `lower <= A x <= upper`, `A` compressed by rows."""

    start: Array  # (r + 1,)
    column: Array
    value: Array
    lower: Array  # (r,)
    upper: Array  # (r,)
    keys: Array  # (r, 3) kind, port, site or feeder, step: how a row is known in another window

    def __len__(self) -> int:
        return len(self.lower)

    def times(self, x: Array) -> Array:
        """`A x`."""
        row = np.repeat(np.arange(len(self)), np.diff(self.start))
        return np.bincount(row, self.value * x[self.column], len(self))

    def transposed_times(self, y: Array, n_columns: int) -> Array:
        """`y A`."""
        row = np.repeat(np.arange(len(self)), np.diff(self.start))
        return np.bincount(self.column, self.value * y[row], n_columns)

    def picked(self, which: Array) -> Rows:
        """Some of the rows, by number in rising order."""
        length = np.diff(self.start)
        entry = np.repeat(np.isin(np.arange(len(self)), which), length)
        start = np.concatenate([[0], np.cumsum(length[which])])
        bounds = self.lower[which], self.upper[which]
        return Rows(start, self.column[entry], self.value[entry], *bounds, self.keys[which])

    def renamed(self, place: Array) -> Rows:
        """The rows with column `c` at `place[c]`."""
        return replace(self, column=place[self.column])

    def joined(self, more: Rows) -> Rows:
        """These rows and `more` after them."""
        return Rows(
            np.concatenate([self.start, self.start[-1] + more.start[1:]]),
            *(np.concatenate([getattr(self, name), getattr(more, name)]) for name in _AFTER_START),
        )


_AFTER_START = ("column", "value", "lower", "upper", "keys")


class RowList:
    """Gathers rows; entries at the column `NONE` are left out."""

    def __init__(self) -> None:
        self._entries: list[tuple[Array, Array, Array]] = []
        self._lower: list[Array] = [np.zeros(0)]
        self._upper: list[Array] = [np.zeros(0)]
        self._keys: list[Array] = [np.zeros((0, 3), np.int64)]
        self._count = 0

    def add(
        self, kind: Row, entity: Array, step: Array, lower: Array | float, upper: Array | float,
        *entries: tuple[Array, Array, Array | float],
    ) -> None:  # fmt: skip
        """Add one row per entity and step; each of `entries` holds row numbers within these, columns and values."""
        count = len(entity)
        for row, column, value in entries:
            self._entries.append((self._count + row, column, np.broadcast_to(value, np.shape(column))))
        self._lower.append(np.broadcast_to(np.asarray(lower, float), count))
        self._upper.append(np.broadcast_to(np.asarray(upper, float), count))
        self._keys.append(np.stack([np.full(count, int(kind)), entity, np.broadcast_to(step, count)], axis=1))
        self._count += count

    def made(self) -> Rows:
        """All rows so far."""
        empty = np.zeros(0, np.int64)
        row, column, value = (
            np.concatenate([part, *(e[i] for e in self._entries)]) for i, part in enumerate((empty, empty, np.zeros(0)))
        )
        kept = column != NONE
        row, column, value = row[kept].astype(np.int64), column[kept], value[kept]
        order = np.argsort(row, kind="stable")
        start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=self._count))])
        bounds = np.concatenate(self._lower), np.concatenate(self._upper)
        return Rows(start, column[order], value[order], *bounds, np.concatenate(self._keys))
