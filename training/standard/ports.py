"""Ports as environments: one policy for all chargers, each rewarded with its own dollars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv

from ...envs.gym.spaces import Obs, action_space, observation_space
from ...envs.gym.standard import apart
from ...envs.gym.vector import FleetVectorEnv
from .port_dollars import PortDollars
from .shaping import NeedPotential

Array = NDArray[Any]


class PortVecEnv(VecEnv):
    """The ports of `num_worlds` fleets, each an environment of its own that looks like a fleet of one port.

    Environment `w * N + n` is port `n` of world `w`: it sees its own token and the common context, and is paid its
    own dollars and a part of what nobody causes alone (`PortDollars`); the rewards of a world's ports sum to the
    ledger's. All ports of a world end together, with its day.

    Args:
        num_worlds: worlds, `B`; the environments are `B * N`.
        shaped: add the differences of `NeedPotential` to the rewards, which moves dollars in time, not in sum.
        **arguments: see `FleetVectorEnv`.

    Raises:
        ValueError: see `FleetVectorEnv`; also shaped days that are cut, whose last potential nobody would know.
    """

    def __init__(self, num_worlds: int = 1, *, shaped: bool = False, **arguments: Any) -> None:
        if shaped and arguments.get("max_episode_steps") is not None:
            raise ValueError("shaped is true with max_episode_steps; shaped rewards need days played to their end")
        self.fleet = FleetVectorEnv(num_worlds, **(arguments | {"backend": "numba"}))
        self.num_worlds, self.n_ports = num_worlds, self.fleet.bank.first.n_ports
        self._dollars = PortDollars(self.fleet.simulator)
        self._potential = NeedPotential(self.fleet.simulator) if shaped else None
        self._actions: Array | None = None
        super().__init__(num_worlds * self.n_ports, observation_space(1), action_space(1))

    def reset(self) -> Obs:
        """Start a day in every world, with the seed and options (of each world's first port) set before."""
        days = [options.get("day", -1) for options in self._options[:: self.n_ports]]
        observation, infos = self.fleet.reset(seed=self._seeds[0], options={"day": days})
        self.reset_infos = [{"day": int(day)} for day in np.repeat(infos["day"], self.n_ports)]
        self._reset_seeds()
        self._reset_options()
        if self._potential is not None:
            self._potential.begin()
        return apart(observation)

    def step_async(self, actions: Array) -> None:
        """Keep the actions (B * N, 1) for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Obs, Array, Array, list[dict[str, Any]]]:
        """Play one step; returns observations, rewards, which environments ended, and infos."""
        if self._actions is None:
            raise ValueError("no actions are waiting; call step_async before step_wait")
        before = self._dollars.before()
        observation, reward, settled, cut, infos = self.fleet.step(self._actions.reshape(self.num_worlds, -1))
        self._actions = None
        ended = settled | cut
        earned = -self._dollars.split(before, _applied_kw(infos, ended), -reward)
        if self._potential is not None:
            earned += self._potential.gained(ended)
        notes: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for world in np.flatnonzero(ended):
            first = world * self.n_ports
            notes[first : first + self.n_ports] = self._endings(infos["final_obs"][world], bool(cut[world]))
        return apart(observation), earned.reshape(-1).astype(np.float32), np.repeat(ended, self.n_ports), notes

    def close(self) -> None:
        """Release the worlds."""
        self.fleet.close()

    def get_images(self) -> Sequence[Array | None]:
        """None: a port alone has no picture."""
        return [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute that the environments share, once for each."""
        value = getattr(self if attr_name in ("observation_space", "action_space") else self.fleet, attr_name)
        return [value for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the environments are one batch.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"{attr_name!r} cannot be set: the ports are one batch; make a new PortVecEnv")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Refused: the environments are one batch.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(f"the ports have no method {method_name!r}; they are one batch")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No environment is wrapped; wrap the whole, as with `VecMonitor`."""
        return [False for _ in self._get_indices(indices)]

    def _endings(self, last: Obs, cut: bool) -> list[dict[str, Any]]:
        """What the ports of a world that ended are told, from its last observation."""
        seen = apart({name: values[None] for name, values in last.items()})
        return [
            {"terminal_observation": {name: values[port] for name, values in seen.items()}, "TimeLimit.truncated": cut}
            for port in range(self.n_ports)
        ]


def _applied_kw(infos: dict[str, Any], ended: Array) -> Array:
    """Set-points (B, N) of the step that was made, also of the worlds that stand at a new day since."""
    if not ended.any():
        return np.asarray(infos["applied_kw"])
    last: Array = infos["final_info"]["applied_kw"]
    return np.where(ended[:, None], last, infos.get("applied_kw", last))
