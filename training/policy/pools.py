"""Sums and means over the cars of a group: any number of ports, any number of groups."""

from __future__ import annotations

import torch
from torch import Tensor


class Groups:
    """Which group (site or feeder) each port belongs to.

    Args:
        index: (N,) integers from 0; groups without ports are allowed.
        count: number of groups, at least `index.max() + 1`.
    """

    def __init__(self, index: Tensor, count: int) -> None:
        self.index, self.count = index, count

    def to(self, device: str) -> Groups:
        """The same groups on another device."""
        return Groups(self.index.to(device), self.count)

    def total(self, values: Tensor) -> Tensor:
        """Sum over the ports of each group: (B, N, ...) to (B, G, ...)."""
        shape = (values.shape[0], self.count, *values.shape[2:])
        return values.new_zeros(shape).index_add(1, self.index, values)

    def each(self, groups: Tensor) -> Tensor:
        """Each port's group's value: (B, G, ...) to (B, N, ...)."""
        return groups.index_select(1, self.index)

    def mean(self, values: Tensor, mask: Tensor) -> Tensor:
        """Mean over the connected cars of each group, 0 where there is none: (B, N, K) to (B, G, K)."""
        cars = self.total(mask)[..., None]
        return self.total(values * mask[..., None]) / torch.clamp(cars, min=1.0)

    def before(self, values: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of the values, none below 0, of those in the same group with a lower key, and with the same one.

        In double, since the sum runs through all groups: 10,000 cars' rounding would outweigh a small site's.

        Args:
            values: (B, N).
            key: (B, N).

        Returns:
            (B, N) and, the port itself included, (B, N).
        """
        # One sort for both: squashed between two groups' numbers, in double, single keys stay apart.
        wide = key.double()
        order = torch.argsort(self.index + 0.5 * wide / (1.0 + wide.abs()), dim=1)
        ranked, keys, member = values.gather(1, order), key.gather(1, order), self.index[order]
        before = ranked.double().cumsum(1) - ranked
        # Groups stand one after the other, and in each the keys rise.
        first = _differs(member)
        rises = first | _differs(keys)
        of_group, of_tie = _first_of_run(before, first), _first_of_run(before, rises)
        tie = _run(rises)
        together = torch.zeros_like(values).scatter_add(1, tie, ranked).gather(1, tie)
        back = torch.zeros_like(values)
        return back.scatter(1, order, (of_tie - of_group).to(values.dtype)), back.scatter(1, order, together)

    def share(self, mask: Tensor) -> Tensor:
        """Share of the group's ports that have a car (B, G)."""
        return self.total(mask) / torch.clamp(self.total(torch.ones_like(mask)), min=1.0)


def _differs(ranked: Tensor) -> Tensor:
    """Where each one differs from the one before it (B, N); the first does."""
    return torch.cat([torch.ones_like(ranked[:, :1], dtype=torch.bool), ranked[:, 1:] != ranked[:, :-1]], 1)


def _run(begins: Tensor) -> Tensor:
    """The number of each one's run (B, N), from where runs begin."""
    return begins.to(torch.int64).cumsum(1) - 1


def _first_of_run(sums: Tensor, begins: Tensor) -> Tensor:
    """The rising `sums` (B, N), none below 0, where each one's run begins."""
    run, start = _run(begins), torch.where(begins, sums, 0.0)
    return torch.zeros_like(sums).scatter_reduce(1, run, start, "amax").gather(1, run)


def groups_of(index: Tensor) -> Groups:
    """Groups from an index alone: as many as it names."""
    return Groups(index, int(index.max()) + 1 if len(index) else 1)
