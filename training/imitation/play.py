"""Plays days under a network and keeps what it saw, so that a teacher can be asked about it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ...envs.action import requested_power
from ...envs.encoding import make_encoder
from ...envs.encoding.encoder import Observation
from ...envs.safety.projection import Reserve, make_projector
from ...envs.simulator import Simulator
from ...envs.world.bank import Bank
from ..policy.network import SetNetwork
from ..policy.torch_policy import groups_of_snapshot

Array = NDArray[Any]


class Played(NamedTuple):
    """Days of `B` worlds."""

    seen: Observation  # (T, B, ...) of every step
    take_kw: Array  # (T, B, N) what an action of 1 stands for
    give_kw: Array  # (T, B, N) and one of -1, positive
    setpoint_kw: Array  # (T, B, N) as applied
    cost_usd: Array  # (B,) net cost


class Player:
    """Plays days of one bank.

    Args:
        bank: packed days of one fleet.
        n_worlds: days played side by side, `B`.
        reserve: what the projection keeps back.
        device: where the network computes.
    """

    def __init__(self, bank: Bank, n_worlds: int, reserve: Reserve | None, device: str = "cpu") -> None:
        self.bank, self._device = bank, device
        self._simulator = Simulator(bank, n_worlds, backend="numba")
        self._project, self._encode = make_projector("numba", reserve), make_encoder("numba")
        self._simulator.reset()
        site, feeder = groups_of_snapshot(self._simulator.snapshot())
        self.site, self.feeder = site.to(device), feeder.to(device)

    def play(self, network: SetNetwork, days: Array) -> Played:
        """Play `days` (B,) of the bank without noise."""
        simulator, kept = self._simulator, []
        simulator.reset(days)
        for _ in range(simulator.n_steps):
            snapshot = simulator.snapshot()
            seen = self._encode.encode(snapshot)
            with torch.inference_mode():
                inputs = (torch.from_numpy(part).to(self._device) for part in seen)
                action = network(*inputs, self.site, self.feeder).cpu().numpy()
            one = np.ones_like(action)
            take, give = requested_power(snapshot, one, "numba"), -requested_power(snapshot, -one, "numba")
            applied = self._project.project(snapshot, requested_power(snapshot, action, "numba")).applied_kw
            kept.append((*seen, take, give, np.array(applied)))
            simulator.step(applied)
        ports, context, mask, take, give, applied = (np.stack(column) for column in zip(*kept, strict=True))
        cost_usd = np.asarray(simulator.state.accounts.sum(1))
        return Played(Observation(ports, context, mask), take, give, applied, cost_usd)
