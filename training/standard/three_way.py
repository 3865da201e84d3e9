"""Pause, charge or export: the three-way action for stable-baselines3, with what cannot be done masked."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvWrapper

from ...envs.gym.standard import MASKS, SHARES, Obs, choices_open

Array = NDArray[Any]


class ThreeWay(VecEnvWrapper):
    """`MultiDiscrete([3] * N)` over a `FleetVecEnv` or `PortVecEnv`: 0 pause, 1 charge, 2 export, at full power.

    Args:
        venv: with `ports` in its observations and a share per port as its action.
    """

    def __init__(self, venv: VecEnv) -> None:
        assert venv.action_space.shape is not None
        choices = spaces.MultiDiscrete(np.full(venv.action_space.shape, len(SHARES)))
        super().__init__(venv, action_space=choices)
        self._masks = np.ones((venv.num_envs, len(SHARES) * venv.action_space.shape[0]), bool)

    def reset(self) -> Obs:
        """Start anew; see the wrapped environments."""
        return self._noted(self.venv.reset())

    def step_async(self, actions: Array) -> None:
        """Keep the choices (B, N) for `step_wait`."""
        self.venv.step_async(SHARES[actions])

    def step_wait(self) -> tuple[Obs, Array, Array, list[dict[str, Any]]]:
        """Play one step; see the wrapped environments."""
        observation, rewards, dones, infos = self.venv.step_wait()
        return self._noted(observation), rewards, dones, infos

    def has_attr(self, attr_name: str) -> bool:
        """Whether the environments have the attribute; `action_masks` they have."""
        return attr_name == MASKS or self.venv.has_attr(attr_name)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call a method of the environments; `action_masks` gives what each can do now (3 N,)."""
        if method_name == MASKS:
            return [self._masks[i] for i in self._get_indices(indices)]
        return self.venv.env_method(method_name, *method_args, indices=indices, **method_kwargs)

    def _noted(self, observation: Any) -> Obs:
        self._masks = choices_open(observation)
        seen: Obs = observation
        return seen
