"""What was seen and what the teacher said of it, of all rounds, by fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Examples(NamedTuple):
    """Fleets with a label; `M` of them."""

    ports: Tensor  # (M, N, K) as encoded
    context: Tensor  # (M, C)
    mask: Tensor  # (M, N)
    share: Tensor  # (M, N) the teacher's request as an action, in [-1, 1]
    weight: Tensor  # (M, N) 1 where the port can do anything and the teacher knew what; else 0
    take_kw: Tensor  # (M, N) what an action of 1 stands for
    give_kw: Tensor  # (M, N) and one of -1, positive

    def __len__(self) -> int:
        return len(self.ports)

    def of(self, rows: Tensor) -> Examples:
        """Those rows."""
        return Examples(*(column[rows] for column in self))

    def and_then(self, later: Examples, most: int) -> Examples:
        """These and later ones, of which the last `most` are kept."""
        return Examples(*(torch.cat(both)[-most:] for both in zip(self, later, strict=True)))


class Memory:
    """Examples of several fleets.

    Args:
        most: fleets seen that are kept of each; the oldest are forgotten first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: dict[int, Examples] = {}

    def add(self, fleet: int, examples: Examples) -> None:
        """Keep examples of that fleet."""
        self._of[fleet] = self._of[fleet].and_then(examples, self._most) if fleet in self._of else examples

    def __len__(self) -> int:
        return sum(len(examples) for examples in self._of.values())

    def draw(self, batch: int, rng: torch.Generator) -> tuple[int, Examples]:
        """A fleet, the likelier the more is known of it, and a batch of its examples."""
        fleets = list(self._of)
        counts = torch.tensor([float(len(self._of[fleet])) for fleet in fleets])
        fleet = fleets[int(torch.multinomial(counts, 1, generator=rng))]
        examples = self._of[fleet]
        return fleet, examples.of(torch.randint(len(examples), (min(batch, len(examples)),), generator=rng))

    def state_dict(self) -> dict[str, Any]:
        """The examples of each fleet."""
        return {str(fleet): examples._asdict() for fleet, examples in self._of.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the examples of `state` in place of the own."""
        self._of = {int(fleet): Examples(**columns) for fleet, columns in state.items()}
