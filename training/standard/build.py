"""Environments and algorithms of the standard route, from settings."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecMonitor
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvWrapper

from ...configs.load import unknown_name
from ...envs.gym.sb3 import FleetVecEnv
from ...envs.safety.projection import Reserve
from ...envs.world.bank import Bank
from ..policy import SetNetworkSizes
from .ports import PortVecEnv
from .set_policy import SetPolicy, fleet_kwargs
from .settings import ALGORITHMS, EnvSettings, PpoSettings, ReplaySettings
from .three_way import ThreeWay


def make_env(settings: EnvSettings, bank: Bank, reserve: Reserve | None = None) -> VecEnv:
    """The environments that `settings` name, over packed days; rewards are dollars per car."""
    common: dict[str, Any] = {"scenario": bank, "reserve": reserve, "backend": "numba", "threads": 1}
    env: VecEnv
    if settings.ports_as_environments:
        env = PortVecEnv(settings.worlds, shaped=settings.shaped, **common)
    else:
        env = PerCar(FleetVecEnv(settings.worlds, **common), bank.first.n_ports)
    if isinstance(settings, PpoSettings) and settings.three_way:
        env = ThreeWay(env)
    env = VecMonitor(env)
    env.seed(settings.seed)
    return env


def make_algorithm(
    name: str,
    settings: PpoSettings | ReplaySettings,
    env: VecEnv,
    device: str = "cpu",
    sizes: SetNetworkSizes | None = None,
) -> BaseAlgorithm:
    """The algorithm `name` of `ALGORITHMS` over the environments of `make_env`.

    Args:
        name: of the algorithm.
        settings: of the kind that it wants.
        env: of `make_env`.
        device: where torch computes.
        sizes: of the set network; None: `hidden` everywhere.

    Raises:
        ValueError: unknown algorithm, or settings of another one.
    """
    if name not in ALGORITHMS:
        raise ValueError(unknown_name("algorithm", name, ALGORITHMS))
    if isinstance(settings, PpoSettings) and name == "ppo":
        return _ppo(settings, env, device, sizes or SetNetworkSizes(*3 * (settings.hidden,)))
    if isinstance(settings, ReplaySettings) and name != "ppo":
        return _replay(name, settings, env, device)
    raise ValueError(f"{name} wants {ALGORITHMS[name].__name__}, not {type(settings).__name__}")


class PerCar(VecEnvWrapper):
    """Rewards of a whole fleet, per car: the same scale for any size.

    Args:
        venv: fleets.
        n_ports: of each.
    """

    def __init__(self, venv: VecEnv, n_ports: int) -> None:
        super().__init__(venv)
        self._n_ports = n_ports

    def reset(self) -> Any:
        """Start anew; see the wrapped environments."""
        return self.venv.reset()

    def step_wait(self) -> tuple[Any, NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Play one step; see the wrapped environments."""
        observation, rewards, dones, infos = self.venv.step_wait()
        return observation, rewards / self._n_ports, dones, infos


def _ppo(s: PpoSettings, env: VecEnv, device: str, sizes: SetNetworkSizes) -> BaseAlgorithm:
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import PPO

    n_steps = env.get_attr("simulator")[0].n_steps
    common: dict[str, Any] = {
        "learning_rate": LinearSchedule(s.learning_rate, s.last_rate * s.learning_rate, 1.0),
        "n_steps": n_steps, "batch_size": max(2, n_steps * env.num_envs // s.minibatches), "n_epochs": s.epochs,
        "gamma": s.gamma, "gae_lambda": s.gae_lambda, "clip_range": s.clip_range, "ent_coef": s.ent_coef,
        "vf_coef": s.vf_coef, "max_grad_norm": s.max_grad_norm, "target_kl": s.target_kl or None,
        "seed": s.seed, "device": device,
    }  # fmt: skip
    if s.three_way:
        return MaskablePPO("MultiInputPolicy", env, policy_kwargs=_layers(s), **common)
    if s.policy == "mlp":
        return PPO("MultiInputPolicy", env, policy_kwargs=_layers(s) | {"log_std_init": s.log_std}, **common)
    own = {"sizes": asdict(sizes), "log_std_init": s.log_std}
    return PPO(SetPolicy, env, policy_kwargs={**fleet_kwargs(env), **own}, **common)


def _replay(name: str, s: ReplaySettings, env: VecEnv, device: str) -> BaseAlgorithm:
    from sb3_contrib import TQC
    from stable_baselines3 import SAC, TD3
    from stable_baselines3.common.noise import NormalActionNoise

    width = int(np.prod(env.action_space.shape or ()))
    noise = NormalActionNoise(np.zeros(width), np.full(width, s.noise))
    entropy = f"auto_{s.first_ent_coef}"
    choices: dict[str, tuple[Any, dict[str, Any]]] = {
        "sac": (SAC, {"ent_coef": entropy}),
        "td3": (TD3, {"action_noise": noise}),
        "tqc": (TQC, {"ent_coef": entropy, "top_quantiles_to_drop_per_net": s.hold_back}),
    }
    kind, own = choices[name]
    made: BaseAlgorithm = kind(
        "MultiInputPolicy", env, learning_rate=s.learning_rate, gamma=s.gamma, tau=s.tau,
        buffer_size=s.buffer_size, batch_size=s.batch_size, learning_starts=s.warm_up, train_freq=1,
        gradient_steps=s.gradient_steps, policy_kwargs=_layers(s), seed=s.seed, device=device, **own,
    )  # fmt: skip
    return made


def _layers(s: EnvSettings) -> dict[str, Any]:
    return {"net_arch": [s.hidden, s.hidden], "activation_fn": torch.nn.SiLU}
