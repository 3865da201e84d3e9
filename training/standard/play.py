"""A policy of stable-baselines3 as a policy of the evaluator: snapshots in, requested power out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm

from ...envs.action import requested_power
from ...envs.encoding import make_encoder
from ...envs.gym.fleet import resolve_backend
from ...envs.gym.spaces import as_dict
from ...envs.gym.standard import answer, shares_of
from ...envs.snapshot import Snapshot


class StandardPolicy:
    """Plays an algorithm without noise; what `agents.run.run_days` takes.

    Args:
        algorithm: one of `build.make_algorithm`.
        name: by what it is reported.
        backend: who encodes: `auto`, `numba` or `numpy`.
    """

    def __init__(self, algorithm: BaseAlgorithm, name: str = "learned", backend: str = "auto") -> None:
        self.name, self._algorithm, self._backend = name, algorithm, resolve_backend(backend)
        self._encoder = make_encoder(self._backend)
        self._ports = int(algorithm.observation_space["mask"].shape[0])  # type: ignore[index]
        self._masked = hasattr(algorithm.policy, "mlp_extractor") and algorithm.action_space.dtype == np.int64

    def reset(self) -> None:
        """Nothing is remembered between steps."""

    def act(self, snapshot: Snapshot) -> NDArray[Any]:
        """The requested kW (B, N)."""
        observation = as_dict(self._encoder.encode(snapshot))
        action = answer(self._algorithm.predict, observation, self._ports, masked=self._masked)
        return np.asarray(requested_power(snapshot, shares_of(action), self._backend), float)
