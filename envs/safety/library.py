"""What NumPy and torch spell differently beyond the elementwise operations of `physics.backends`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..physics.backends import operations


class Library:
    """One array library; `B` worlds are always the first axis.

    Args:
        backend: `numpy` or `torch`.
    """

    def __init__(self, backend: str) -> None:
        self.torch: Any = importlib.import_module("torch") if backend == "torch" else None
        self.ops = operations(backend)

    def doubles(self, value: Any) -> Any:
        """`value` in double precision: the compiled loops plan in it whatever the arrays hold."""
        return value.double() if self.torch is not None else value.astype(np.float64, copy=False)

    def array(self, value: Any, like: Any) -> Any:
        """`value` as an array of the type and on the device of `like`."""
        if self.torch is not None:
            return self.torch.as_tensor(value, dtype=like.dtype, device=like.device)
        return np.asarray(value, like.dtype)

    def count(self, start: int, stop: int, like: Any) -> Any:
        """`start`, ..., `stop - 1` where `like` lives."""
        return self.torch.arange(start, stop, device=like.device) if self.torch is not None else np.arange(start, stop)

    def whole(self, value: Any) -> Any:
        """The whole part of numbers that are not negative, as integers."""
        return value.long() if self.torch is not None else value.astype(np.int64)

    def clip(self, values: Any, low: float, high: float) -> Any:
        """The values, none below `low` or above `high`."""
        return self.torch.clamp(values, low, high) if self.torch is not None else np.clip(values, low, high)

    def repeat(self, values: Any, times: int) -> Any:
        """Each value so many times, along the last axis."""
        if self.torch is not None:
            return self.torch.repeat_interleave(values, times, -1)
        return np.repeat(values, times, -1)

    def frozen(self, value: Any) -> Any:
        """`value` without a gradient: for decisions and for solvers that get theirs at the end."""
        return value.detach() if self.torch is not None else value

    def take(self, column: Any, index: Any) -> Any:
        """`column[b, index[b, k]]`, (B, K)."""
        if self.torch is not None:
            return column.gather(1, index)
        return column[np.arange(len(column))[:, None], index]

    def less_at(self, groups: Any, index: Any, less: Any) -> Any:
        """`groups` (B, G) with `less` (B,) taken off at `index` (B, 1)."""
        if self.torch is not None:
            return groups.scatter_add(1, index, -less[:, None])
        np.put_along_axis(groups := groups.copy(), index, self.take(groups, index) - less[:, None], 1)
        return groups

    def argsort(self, values: Any) -> Any:
        """Order of each row; equal ones stay in theirs."""
        if self.torch is not None:
            return self.torch.argsort(values, dim=1, stable=True)
        return np.argsort(values, axis=1, kind="stable")

    def places(self, flags: Any) -> tuple[Any, ...]:
        """Indices of the set flags, an array per axis."""
        return tuple(flags.nonzero(as_tuple=True) if self.torch is not None else flags.nonzero())

    def sums(self, index: Any, values: Any, count: int) -> Any:
        """Sum of the values (K,) by their index (K,), (count,): one after the other, as the compiled loops add."""
        if self.torch is not None:
            return values.new_zeros(count).index_add(0, index, values)
        return np.bincount(index, values, count)

    def join(self, parts: list[Any], axis: int) -> Any:
        """Arrays one after the other."""
        return self.torch.cat(parts, axis) if self.torch is not None else np.concatenate(parts, axis)

    def stack(self, columns: list[Any]) -> Any:
        """Columns (B,) side by side, (B, K)."""
        return self.torch.stack(columns, 1) if self.torch is not None else np.stack(columns, 1)

    def select(self, record: Any, places: Any) -> Any:
        """The given places, worlds for the most part, of an array or of a named tuple of arrays."""
        if isinstance(record, tuple):
            return type(record)(*(self.select(part, places) for part in record))
        return record[places]

    def in_worlds(
        self, flags: Any, function: Callable[..., tuple[Any, ...]], old: tuple[Any, ...], *records: Any
    ) -> tuple[Any, ...]:
        """`function(*records)` where `flags` (B,) hold and `old` elsewhere: worlds that need nothing cost nothing."""
        if not bool(flags.any()):
            return old
        if bool(flags.all()):
            return function(*records)
        worlds = self.places(flags)
        new = function(*(self.select(record, worlds) for record in records))
        return tuple(self.put(whole, worlds, part) for whole, part in zip(old, new, strict=True))

    def put(self, whole: Any, places: tuple[Any, ...], part: Any) -> Any:
        """`whole` with `part` at the given places."""
        if self.torch is not None:
            return whole.index_put(places, part)
        whole = whole.copy()
        whole[places] = part
        return whole

    def group(self, index: Any, count: int) -> Group:
        """The ports' `count` sites or feeders from their `index` (N,)."""
        return NumpyGroup(self, index, count) if self.torch is None else TorchGroup(self, index.long(), count)


class Group:
    """Which of `count` groups each port belongs to; sums over members, (B, N) to (B, G)."""

    def __init__(self, lib: Library, index: Any, count: int) -> None:
        self._lib, self.index, self._count = lib, index, count

    def each(self, groups: Any) -> Any:
        """The port's group's value, (B, N)."""
        return groups[:, self.index]

    def total(self, ports: Any, start: Any = None) -> Any:
        """Sum of (B, N) by group, (B, G), on top of `start`: member after member, as the compiled loops add."""
        raise NotImplementedError


class NumpyGroup(Group):
    def __init__(self, lib: Library, index: Any, count: int) -> None:
        super().__init__(lib, index, count)
        self._flat: Any = np.zeros((0, 0), np.int64)  # each port's group, counted through all worlds

    def total(self, ports: Any, start: Any = None) -> Any:
        worlds, groups = len(ports), len(ports) * self._count
        if len(self._flat) != worlds:
            self._flat = np.arange(0, groups, self._count)[:, None] + self.index
        where, what = self._flat.ravel(), ports.ravel()
        if start is not None:
            where, what = np.concatenate([np.arange(groups), where]), np.concatenate([start.ravel(), what])
        return np.bincount(where, what, groups).reshape(worlds, self._count)


class TorchGroup(Group):
    def total(self, ports: Any, start: Any = None) -> Any:
        start = ports.new_zeros(len(ports), self._count) if start is None else start
        return start.index_add(1, self.index, ports)
