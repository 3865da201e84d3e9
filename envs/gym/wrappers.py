"""Other action spaces over the same environments."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorActionWrapper, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .standard import SHARES, Obs

Choices = NDArray[np.int64]
Shares = NDArray[np.float32]


class PauseChargeExport(gymnasium.ActionWrapper[Obs, Choices, Shares], RecordConstructorArgs):
    """Three choices per charger, `MultiDiscrete([3] * N)`: 0 pause, 1 charge, 2 export; at full power each.

    Args:
        env: a `FleetEnv`, wrapped or not.
    """

    def __init__(self, env: gymnasium.Env[Obs, Shares]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self.action_space = _choices(env.action_space)

    def action(self, action: Choices) -> Shares:
        """Shares (N,) of the choices (N,)."""
        return SHARES[action]


class VectorPauseChargeExport(VectorActionWrapper[Obs, Choices, Any, Shares]):
    """`PauseChargeExport` for `FleetVectorEnv`: choices (B, N).

    Args:
        env: a `FleetVectorEnv`, wrapped or not.
    """

    def __init__(self, env: VectorEnv[Obs, Shares, Any]) -> None:
        super().__init__(env)
        self.single_action_space = _choices(env.single_action_space)
        self.action_space = batch_space(self.single_action_space, env.num_envs)

    def actions(self, actions: Choices) -> Shares:
        """Shares (B, N) of the choices (B, N)."""
        return SHARES[actions]


def _choices(shares: spaces.Space[Any]) -> spaces.MultiDiscrete:
    assert shares.shape is not None
    return spaces.MultiDiscrete(np.full(shares.shape, len(SHARES)))
