"""The set network as a policy of stable-baselines3's actor-critic algorithms, and of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn

from ...envs.world.bank import Bank
from ..policy import SetNetwork, SetNetworkSizes
from ..policy.pools import Groups
from .critic import SetCritic
from .gaussian import MaskedGaussian

FIRST_LOG_STD = -1.6
"""A standard deviation of 0.2 on the action: the actor's answers lie in [-1, 1], and more is mostly clipped."""


class SetPolicy(ActorCriticPolicy):
    """Actor: the very `SetNetwork` that is exported; critic: a set network of its own.

    The actor's answer, which the network itself clamps to [-1, 1], is the mean of a Gaussian per port; one standard
    deviation is shared by all ports, and only connected cars count in log-probability and entropy. The weights depend
    on no number of ports: those of one fleet fit another. Which site and feeder a port belongs to is no weight;
    `fleet_kwargs` finds it out.

    Args:
        observation_space: `ports`, `context`, `mask` of a fleet.
        action_space: a share per port.
        lr_schedule: learning rate by remaining progress.
        port_site: (N,) site of each port; None: a fleet of one port.
        port_feeder: (N,) feeder of each port; None: a fleet of one port.
        sizes: widths of `SetNetworkSizes`, by name.
        log_std_init: of the Gaussian at the start.
        use_sde: refused.
        **arguments: `optimizer_class`, `optimizer_kwargs`.

    Raises:
        ValueError: indices that are missing or do not fit the ports, or state-dependent exploration.
    """

    actor: SetNetwork
    _site: Tensor
    _feeder: Tensor

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Box[Any],
        lr_schedule: Schedule,
        *,
        port_site: Sequence[int] | None = None,
        port_feeder: Sequence[int] | None = None,
        sizes: dict[str, int] | None = None,
        log_std_init: float = FIRST_LOG_STD,
        use_sde: bool = False,
        **arguments: Any,
    ) -> None:
        if use_sde:
            raise ValueError("use_sde is True; a set policy explores by one standard deviation for all ports")
        n_ports = action_space.shape[0]
        self._indices = tuple(_index(name, given, n_ports) for name, given in
                              (("port_site", port_site), ("port_feeder", port_feeder)))  # fmt: skip
        self._sizes = SetNetworkSizes(**(sizes or {}))
        super().__init__(observation_space, action_space, lr_schedule, log_std_init=log_std_init, **arguments)

    def forward(self, obs: PyTorchObs, deterministic: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Actions (B, N), values (B, 1) and log-probabilities (B,)."""
        distribution = self.get_distribution(obs)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, self.predict_values(obs), distribution.log_prob(actions)

    def evaluate_actions(self, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (B, 1), and log-probabilities and entropies (B,) of the connected cars' actions."""
        distribution = self.get_distribution(obs)
        return self.predict_values(obs), distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: PyTorchObs) -> MaskedGaussian:
        """The Gaussians around the actor's answers."""
        ports, context, mask = _parts(obs)
        mean = self.actor(ports, context, mask, *self.groups)
        return MaskedGaussian(mask.shape[1]).of(mean, self.log_std, mask)

    def predict_values(self, obs: PyTorchObs) -> Tensor:
        """The critic's (B, 1)."""
        value: Tensor = self.critic(*_parts(obs))
        return value

    @property
    def groups(self) -> tuple[Groups, Groups]:
        """Sites and feeders of the ports."""
        return Groups(self._site, self._site_count), Groups(self._feeder, self._feeder_count)

    def _build(self, lr_schedule: Schedule) -> None:
        self.actor, self.critic = SetNetwork(self._sizes), SetCritic(self._sizes)
        self.log_std = nn.Parameter(torch.tensor(float(self.log_std_init)))
        # No part of the weights: those of one fleet fit another.
        for name, index in zip(("_site", "_feeder"), self._indices, strict=True):
            self.register_buffer(name, torch.tensor(index), persistent=False)
        self._site_count, self._feeder_count = (max(index) + 1 for index in self._indices)
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)  # type: ignore[call-arg]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        site, feeder = (list(index) for index in self._indices)
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "port_site": site,
            "port_feeder": feeder,
            "sizes": asdict(self._sizes),
            "log_std_init": self.log_std_init,
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
        }


def fleet_kwargs(env: VecEnv) -> dict[str, list[int]]:
    """`port_site` and `port_feeder` for the policy of `env`'s fleet.

    Raises:
        ValueError: `env` is no `FleetVecEnv` or `PortVecEnv`, wrapped or not.
    """
    try:
        bank: Bank = env.get_attr("bank")[0]
    except AttributeError:
        raise ValueError(f"{type(env).__name__} plays no bank of days; give a FleetVecEnv or a PortVecEnv") from None
    if env.observation_space["mask"].shape == (1,):  # type: ignore[index]
        return {"port_site": [0], "port_feeder": [0]}
    site, feeder = bank.days.port_site, bank.days.site_feeder
    return {"port_site": [int(s) for s in site], "port_feeder": [int(feeder[s]) for s in site]}


def _index(name: str, given: Sequence[int] | None, n_ports: int) -> tuple[int, ...]:
    if given is None and n_ports == 1:
        return (0,)
    if given is None or len(given) != n_ports or min(given) < 0:
        raise ValueError(
            f"{name} is {given}; give one number from 0 for each of the {n_ports} ports, as fleet_kwargs(env) does"
        )
    return tuple(int(i) for i in given)


def _parts(obs: PyTorchObs) -> tuple[Tensor, Tensor, Tensor]:
    if not isinstance(obs, dict):
        raise ValueError("a set policy wants ports, context and mask; its environment gives one array")
    return obs["ports"].float(), obs["context"].float(), obs["mask"].float()
