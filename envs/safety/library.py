"""What NumPy and torch spell differently beyond the elementwise operations of `physics.backends`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

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

    def argsort(self, values: Any, stable: bool = True) -> Any:
        """Order of each row; of NumPy's whole numbers those of 16 bits are counted, not compared."""
        if self.torch is not None:
            return self.torch.argsort(values, dim=1, stable=stable)
        return np.argsort(values, axis=1, kind="stable" if stable else None)

    def short(self, values: Any, most: int) -> Any:
        """Whole numbers below `most` in as few bits as sorting them needs."""
        return values.astype(np.uint16) if self.torch is None and most < 1 << 16 else values

    def join(self, parts: list[Any], axis: int) -> Any:
        """Arrays one after the other."""
        return self.torch.cat(parts, axis) if self.torch is not None else np.concatenate(parts, axis)

    def select(self, record: Any, worlds: Any) -> Any:
        """The given worlds of an array (B, ...) or of a named tuple of such arrays."""
        if isinstance(record, tuple):
            return type(record)(*(self.select(part, worlds) for part in record))
        return record[worlds]

    def in_worlds(
        self, flags: Any, function: Callable[..., tuple[Any, ...]], old: tuple[Any, ...], *records: Any
    ) -> tuple[Any, ...]:
        """`function(*records)` where `flags` (B,) hold and `old` elsewhere: worlds that need nothing cost nothing."""
        if not bool(flags.any()):
            return old
        if bool(flags.all()):
            return function(*records)
        worlds = flags.nonzero()[0] if self.torch is None else flags.nonzero()[:, 0]
        new = function(*(self.select(record, worlds) for record in records))
        return tuple(self._put(whole, worlds, part) for whole, part in zip(old, new, strict=True))

    def _put(self, whole: Any, worlds: Any, part: Any) -> Any:
        if self.torch is not None:
            return whole.index_put((worlds,), part)
        whole = whole.copy()
        whole[worlds] = part
        return whole

    def group(self, index: Any, count: int) -> Group:
        """The ports' `count` sites or feeders from their `index` (N,)."""
        return NumpyGroup(self, index, count) if self.torch is None else TorchGroup(self, index.long(), count)


class Twice(NamedTuple):
    """Two rows per port, sorted by group: what begins and ends at the ports of a group, in one list."""

    index: Any  # (2N,) the group of the row before the sorting
    sorted: Group
    goes_on: Any  # (2N - 1,) whether the next row is of the same group
    first: Any  # (G,) row of each group
    last: Any


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

    def highest(self, ports: Any) -> Any:
        """Maximum of (B, N) by group, (B, G); 0 for a group without ports."""
        raise NotImplementedError

    def profile(self, ports: Any) -> Any:
        """Sum of (B, N, H) by group, (B, G, H)."""
        raise NotImplementedError

    @cached_property
    def twice(self) -> Twice:
        lib, index = self._lib, self._lib.join([self.index, self.index], 0)
        rows = index[lib.argsort(index[None])[0]]
        group = lib.group(rows, self._count)
        members = lib.whole(group.total(lib.doubles(rows[None]) * 0 + 1))[0]
        first = lib.ops.minimum(members.cumsum(0) - members, len(rows) - 1)  # a group may be empty
        return Twice(lib.short(index, self._count), group, rows[1:] == rows[:-1], first, first + members - 1)


class NumpyGroup(Group):
    def __init__(self, lib: Library, index: Any, count: int) -> None:
        super().__init__(lib, index, count)
        self._order = np.argsort(index, kind="stable")
        self._present, self._first = np.unique(index[self._order], return_index=True)
        self._flat: Any = np.zeros((0, 0), np.int64)  # each port's group, counted through all worlds

    def total(self, ports: Any, start: Any = None) -> Any:
        worlds, groups = len(ports), len(ports) * self._count
        if len(self._flat) != worlds:
            self._flat = np.arange(0, groups, self._count)[:, None] + self.index
        where, what = self._flat.ravel(), ports.ravel()
        if start is not None:
            where, what = np.concatenate([np.arange(groups), where]), np.concatenate([start.ravel(), what])
        return np.bincount(where, what, groups).reshape(worlds, self._count)

    def highest(self, ports: Any) -> Any:
        return self._reduced(np.maximum, ports)

    def profile(self, ports: Any) -> Any:
        return self._reduced(np.add, ports)

    def _reduced(self, operation: Any, ports: Any) -> Any:
        out = np.zeros((len(ports), self._count, *ports.shape[2:]))
        out[:, self._present] = operation.reduceat(ports[:, self._order], self._first, axis=1)
        return out


class TorchGroup(Group):
    def total(self, ports: Any, start: Any = None) -> Any:
        start = ports.new_zeros(len(ports), self._count) if start is None else start
        return start.index_add(1, self.index, ports)

    def highest(self, ports: Any) -> Any:
        index = self.index.expand(ports.shape)
        return ports.new_zeros(len(ports), self._count).scatter_reduce(1, index, ports, "amax")

    def profile(self, ports: Any) -> Any:
        return ports.new_zeros(len(ports), self._count, ports.shape[2]).index_add(1, self.index, ports)
