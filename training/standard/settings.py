"""What the algorithms of stable-baselines3 and sb3-contrib may be told here, beside what they are for.

The presets in `configs/presets/training` say what was tried; the defaults are those of `ppo-fleet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EnvSettings:
    """What the algorithm sees as its environments.

    Args:
        policy: `set`: the set network; `mlp`: one hidden layer after the other, for a fixed size.
        ports_as_environments: each port an environment with its own dollars; otherwise the fleet is one.
        shaped: rewards told early by `NeedPotential`; for ports as environments.
        worlds: fleets side by side.
        hidden: width of each layer; a set network to begin with brings its own.
        updates: of the run; for PPO a roll-out and what is learned from it, otherwise a day of all worlds.
        seed: of weights, days and noise.
    """

    policy: Literal["set", "mlp"] = "set"
    ports_as_environments: bool = False
    shaped: bool = False
    worlds: int = 32
    hidden: int = 64
    updates: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        _at_least_one(self, "worlds", "hidden", "updates")
        if self.shaped and not self.ports_as_environments:
            raise ValueError("shaped is true; rewards are told early for ports as environments alone: set both or none")


@dataclass(frozen=True)
class PpoSettings(EnvSettings):
    """PPO; with `three_way`, MaskablePPO of sb3-contrib.

    Args:
        three_way: pause, charge or export at full power, with what cannot be done masked; needs `mlp`.
        epochs: passes over a roll-out of a day.
        minibatches: into which each pass is cut.
        learning_rate: of Adam at the start; it falls linearly.
        last_rate: share of it at the end.
        gamma: discount per step.
        gae_lambda: between bootstrapped and whole returns.
        clip_range: of the ratio between new and old policy.
        ent_coef: weight of the entropy.
        vf_coef: weight of the critic's loss.
        max_grad_norm: the gradient is cut to.
        target_kl: ends an update early; 0: never.
        log_std: of the action at the start.

    Raises:
        ValueError: a number outside its range, or a three-way action for the set network.
    """

    three_way: bool = False
    epochs: int = 4
    minibatches: int = 8
    learning_rate: float = 1e-3
    last_rate: float = 0.1
    gamma: float = 1.0
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    ent_coef: float = 0.0
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float = 0.0
    log_std: float = -1.6

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_one(self, "epochs", "minibatches")
        _above_zero(self, "learning_rate", "clip_range", "max_grad_norm")
        _shares(self, "last_rate", "gamma", "gae_lambda")
        if self.three_way and self.policy != "mlp":
            raise ValueError("three_way is true with policy 'set', which answers with shares; set policy to 'mlp'")


@dataclass(frozen=True)
class ReplaySettings(EnvSettings):
    """SAC, TD3 and TQC: what is common to those that learn from a replay buffer; the policy is `mlp`.

    Args:
        learning_rate: of Adam.
        gamma: discount per step. Shaped rewards bear a short view; with 0.999 TD3 ended at charging at once.
        tau: share of the new weights that moves into the target networks.
        buffer_size: transitions kept, in every checkpoint too: 0.8 MB per thousand.
        batch_size: transitions of a gradient step.
        warm_up: transitions before the first gradient step, under random actions.
        gradient_steps: after each step of all environments.
        first_ent_coef: weight of the entropy at the start, learned from there (SAC and TQC). Rewards are cents: from
            the library's 1 it takes longer than a training to come down.
        noise: standard deviation of the action noise (TD3 alone).
        hold_back: quantiles of each critic that are left out (TQC alone).

    Raises:
        ValueError: a number outside its range, or another policy.
    """

    policy: Literal["set", "mlp"] = "mlp"
    ports_as_environments: bool = True
    worlds: int = 8
    hidden: int = 128
    learning_rate: float = 3e-4
    gamma: float = 0.9
    tau: float = 0.005
    buffer_size: int = 200_000
    batch_size: int = 512
    warm_up: int = 10_000
    gradient_steps: int = 8
    first_ent_coef: float = 0.001
    noise: float = 0.2
    hold_back: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_one(self, "buffer_size", "batch_size", "gradient_steps")
        _above_zero(self, "learning_rate", "first_ent_coef")
        _shares(self, "gamma", "tau")
        if self.policy != "mlp":
            raise ValueError(f"policy is {self.policy!r}; algorithms with a replay buffer have 'mlp' here")
        if self.warm_up < 0 or self.noise < 0.0 or self.hold_back < 0:
            raise ValueError(f"warm_up {self.warm_up}, noise {self.noise}, hold_back {self.hold_back}: none below 0")


ALGORITHMS: dict[str, type[PpoSettings | ReplaySettings]] = {
    "ppo": PpoSettings,
    "sac": ReplaySettings,
    "td3": ReplaySettings,
    "tqc": ReplaySettings,
}
"""Settings by the name of the algorithm, as a preset names it."""


def _at_least_one(settings: EnvSettings, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} is {getattr(settings, name)}; it must be at least 1")


def _above_zero(settings: EnvSettings, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0.0:
            raise ValueError(f"{name} is {getattr(settings, name)}; it must be above 0")


def _shares(settings: EnvSettings, *names: str) -> None:
    for name in names:
        if not 0.0 <= getattr(settings, name) <= 1.0:
            raise ValueError(f"{name} is {getattr(settings, name)}; it must be between 0 and 1")
