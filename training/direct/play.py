"""Days of one bank under many sets of a rule's numbers side by side: the simulator, the network's rule, no layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...envs.action import requested_power
from ...envs.encoding import make_encoder
from ...envs.safety.projection import Reserve, make_projector
from ...envs.simulator import Simulator
from ...envs.world.bank import Bank
from ..policy.network import by_rule
from ..policy.torch_policy import groups_of_snapshot

Array = NDArray[Any]


class RulePlayer:
    """Plays days of one bank, a world for each set of numbers and day.

    Args:
        bank: packed days of one fleet.
        n_worlds: worlds side by side.
        reserve: what the projection keeps back.
    """

    def __init__(self, bank: Bank, n_worlds: int, reserve: Reserve | None = None) -> None:
        self.bank = bank
        self._simulator = Simulator(bank, n_worlds, backend="numba")
        self._project, self._encode = make_projector("numba", reserve), make_encoder("numba")
        self._simulator.reset()
        self._capped = pays_peak(bank)
        self._site, _ = groups_of_snapshot(self._simulator.snapshot())

    def accounts_usd(self, days: Array, numbers: Array) -> Array:
        """Dollars of each account of each world's day (W, A).

        Args:
            days: (W,) of the bank.
            numbers: (W, R) of `policy.rule.NUMBERS`.
        """
        simulator, rule = self._simulator, torch.as_tensor(numbers, dtype=torch.float32)
        simulator.reset(days)
        for _ in range(simulator.n_steps):
            snapshot = simulator.snapshot()
            ports, context, mask = (torch.from_numpy(part) for part in self._encode.encode(snapshot))
            with torch.inference_mode():
                action = by_rule(ports, context, mask.float(), self._site, rule, capped=self._capped).numpy()
            projected = self._project.project(snapshot, requested_power(snapshot, action, "numba"))
            simulator.step(projected.applied_kw)
        return np.array(simulator.state.accounts, float)


def pays_peak(bank: Bank) -> bool:
    """Whether any site pays a demand charge on any of the days."""
    return bool((bank.days.demand_rate > 0).any())
