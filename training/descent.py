"""What the trainers that follow a gradient share: Adam under a cosine, and a state that goes on to the same bits."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import torch

from .policy.network import SetNetwork


class Schedule(Protocol):
    """How a network descends; each trainer's settings say it."""

    @property
    def learning_rate(self) -> float:
        """Of Adam at the start; it falls along a cosine."""

    @property
    def last_rate(self) -> float:
        """Share of it at the end."""

    @property
    def clip_norm(self) -> float:
        """Greatest norm of the gradient."""

    @property
    def seed(self) -> int:
        """Of all random numbers."""


class Descent:
    """A network that follows a gradient, and the random numbers that it is shown days and examples by.

    Args:
        network: already on its device.
        schedule: rates, clipping and seed.

    Attributes:
        days: draws days.
        draws: draws what torch needs.
    """

    def __init__(self, network: SetNetwork, schedule: Schedule) -> None:
        self._network, self._schedule = network, schedule
        self._optimiser = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate)
        self.days = np.random.default_rng(schedule.seed)
        self.draws = torch.Generator().manual_seed(schedule.seed)

    def rate(self, done_share: float) -> float:
        """The learning rate, from the share of the training that is done."""
        s, wave = self._schedule, 0.5 * (1.0 + math.cos(math.pi * done_share))
        return s.learning_rate * (s.last_rate + (1.0 - s.last_rate) * wave)

    def step(self, loss: torch.Tensor, done_share: float, where: str) -> float:
        """A gradient step; returns the norm before clipping.

        Args:
            loss: of the network.
            done_share: sets the rate.
            where: named where the step cannot be taken.

        Raises:
            FloatingPointError: loss or gradient are no finite number; the weights are as before.
        """
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._schedule.clip_norm))
        if not (math.isfinite(norm) and bool(torch.isfinite(loss))):
            raise FloatingPointError(
                f"{where}: loss {float(loss.detach())}, gradient norm {norm}; that step was not taken"
            )
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate(done_share)
        self._optimiser.step()
        return norm

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and words; copies, which `torch.load(weights_only=True)` reads."""
        return copy.deepcopy({
            "sizes": vars(self._network.sizes),
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "days": self.days.bit_generator.state,
            "draws": self.draws.get_state(),
        })  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where `state` was taken: on the CPU to the same bits as without the pause."""
        self._network.load_state_dict(state["network"])
        # It would keep these tensors; what else is set here is copied.
        self._optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))
        self.days.bit_generator.state = state["days"]
        self.draws.set_state(state["draws"].cpu())


def refuse_other(state: Mapping[str, Any], own: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse the state of another training.

    Args:
        state: to go on from.
        own: of the trainer that shall do so.
        names: what must be equal.

    Raises:
        ValueError: the state is of other settings, other widths, other banks or another program than this trainer's.
    """
    if missing := sorted(own.keys() - state.keys()):
        raise ValueError(f"the state lacks {', '.join(missing)}: it is of another version of ebbflow; begin anew")
    for name in names:
        if state[name] != own[name]:
            raise ValueError(f"the state was taken with {name} {state[name]}; this trainer has {own[name]}")
