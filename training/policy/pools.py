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

    def share(self, mask: Tensor) -> Tensor:
        """Share of the group's ports that have a car (B, G)."""
        return self.total(mask) / torch.clamp(self.total(torch.ones_like(mask)), min=1.0)


def groups_of(index: Tensor) -> Groups:
    """Groups from an index alone: as many as it names."""
    return Groups(index, int(index.max()) + 1 if len(index) else 1)
