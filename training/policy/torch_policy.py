"""A set network as a policy of the evaluator: snapshots in, requested power out, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...envs.action import requested_power
from ...envs.encoding import make_encoder
from ...envs.gym.fleet import resolve_backend
from ...envs.snapshot import Snapshot
from .network import SetNetwork
from .pools import Groups


class TorchPolicy:
    """Plays a network without noise; what `agents.run.run_days` takes.

    Args:
        network: the network, float32, on the CPU.
        name: by what it is reported.
        backend: who encodes: `auto`, `numba` or `numpy`.
    """

    def __init__(self, network: SetNetwork, name: str = "learned", backend: str = "auto") -> None:
        self.name, self._network, self._backend = name, network, resolve_backend(backend)
        self._encoder = make_encoder(self._backend)

    def reset(self) -> None:
        """Nothing is remembered between steps."""

    def act(self, snapshot: Snapshot) -> NDArray[Any]:
        """The requested kW (B, N)."""
        seen = self._encoder.encode(snapshot)
        site, feeder = groups_of_snapshot(snapshot)
        with torch.inference_mode():
            action = self._network(*(torch.from_numpy(part) for part in seen), site, feeder)
        return np.asarray(requested_power(snapshot, action.numpy(), self._backend), float)


def groups_of_snapshot(snapshot: Snapshot) -> tuple[Groups, Groups]:
    """Sites and feeders of the ports of a snapshot of NumPy arrays."""
    site_of, feeder_of = np.asarray(snapshot.port_site), np.asarray(snapshot.sites.feeder)
    feeders = snapshot.feeders.net_load_kw.shape[1]
    return (
        Groups(torch.from_numpy(site_of.astype(np.int64)), len(feeder_of)),
        Groups(torch.from_numpy(feeder_of[site_of].astype(np.int64)), feeders),
    )
