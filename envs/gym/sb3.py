"""Many fleets at once for stable-baselines3, on the same batched simulator as `FleetVectorEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from .vector import FleetVectorEnv, Infos

Array = NDArray[Any]

_SPACES = {"observation_space": "single_observation_space", "action_space": "single_action_space"}


class FleetVecEnv(VecEnv):
    """A `FleetVectorEnv` as stable-baselines3 wants it.

    A world that ends starts its next day in the same step; its info then has `terminal_observation`, `ledger`
    (the day's accounts and tallies) and `TimeLimit.truncated`, which is true only for a day that
    `max_episode_steps` cut: the end of a day is settled, so its value must not be bootstrapped.

    Args:
        num_envs: worlds.
        step_infos: give every world its accounts and powers in each step; off, infos are empty but at an end.
        **arguments: see `FleetVectorEnv`.

    Raises:
        ValueError: see `FleetVectorEnv`.
    """

    def __init__(self, num_envs: int = 1, *, step_infos: bool = False, **arguments: Any) -> None:
        self.fleet = FleetVectorEnv(num_envs, **arguments)
        self._step_infos = step_infos
        self._actions: Array | None = None
        super().__init__(num_envs, self.fleet.single_observation_space, self.fleet.single_action_space)

    def reset(self) -> dict[str, Array]:
        """Start a day in every world, with the seeds and options set before."""
        days = [options.get("day", -1) for options in self._options]
        observation, infos = self.fleet.reset(seed=self._seeds, options={"day": days})
        self.reset_infos = [{"day": int(day)} for day in infos["day"]]
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: Array) -> None:
        """Keep the actions (B, N) for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[dict[str, Array], Array, Array, list[dict[str, Any]]]:
        """Play one step; returns observations, rewards, which worlds ended, and infos."""
        if self._actions is None:
            raise ValueError("no actions are waiting; call step_async before step_wait")
        observation, reward, settled, cut, infos = self.fleet.step(self._actions)
        self._actions = None
        ended = settled | cut
        worlds: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if self._step_infos:
            worlds = [_world(infos, world) for world in range(self.num_envs)]
        for world in np.flatnonzero(ended):
            worlds[world] = self._ending(infos, int(world), bool(cut[world]))
        return observation, reward.astype(np.float32), ended, worlds

    def close(self) -> None:
        """Release the worlds."""
        self.fleet.close()

    def get_images(self) -> Sequence[Array | None]:
        """The day so far of every world, None without a render mode."""
        return [self.fleet.frame(world) for world in range(self.num_envs)]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute that the worlds share, once for each."""
        value = getattr(self.fleet, _SPACES.get(attr_name, attr_name))
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of all worlds.

        Raises:
            ValueError: only some worlds are named; they are one batch and share their attributes.
        """
        if len(set(self._get_indices(indices))) != self.num_envs:
            raise ValueError(f"{attr_name!r} is shared by all {self.num_envs} worlds; leave indices out")
        setattr(self.fleet, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call `ledger` or `render` of the worlds.

        Raises:
            AttributeError: another method; the worlds are one batch, not environments of their own.
        """
        methods = {"ledger": self.fleet.ledger, "render": self.fleet.frame}
        if method_name not in methods:
            raise AttributeError(f"the worlds have no method {method_name!r}; they have {' and '.join(methods)}")
        method = methods[method_name]
        return [method(world, *method_args, **method_kwargs) for world in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No world is wrapped; wrap the whole, as with `VecMonitor`."""
        return [False for _ in self._get_indices(indices)]

    def _ending(self, infos: Infos, world: int, cut: bool) -> dict[str, Any]:
        kept = _world(infos["final_info"], world) if self._step_infos else {}
        kept |= {"terminal_observation": infos["final_obs"][world], "TimeLimit.truncated": cut}
        return kept if cut else kept | {"ledger": _world(infos["final_info"]["ledger"], world)}


def _world(infos: Infos, world: int) -> dict[str, Any]:
    """One world's part of batched infos, plain numbers where there is one number."""
    names = [name for name in infos if f"_{name}" in infos and infos[f"_{name}"][world]]
    values = {name: infos[name][world] for name in names if isinstance(infos[name], np.ndarray)}
    return {name: value if isinstance(value, np.ndarray) else value.item() for name, value in values.items()}
