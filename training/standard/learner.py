"""PPO as something that a run drives: one update at a time, with a state that goes on exactly."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

from ...agents.days import DrawnDays
from ...agents.policy import Policy
from ...envs.safety.projection import Reserve
from ...envs.world.bank import Bank, pack
from ..policy import SetNetwork, TorchPolicy
from ..run.learners import After, Make, Tick
from ..run.settings import RunSettings, load_training
from ..weights import load_network, network_values
from .build import make_algorithm, make_env
from .finite import check_numbers, numbers_told
from .play import StandardPolicy
from .set_policy import SetPolicy
from .settings import PpoSettings

LOGGED = ("approx_kl", "clip_fraction", "explained_variance", "policy_gradient_loss", "value_loss", "std")
"""Of what PPO records, by the name behind `train/`."""


class PpoLearner:
    """Trains by PPO from roll-outs of whole days; an update is a day of all worlds and what was learned from it.

    A set network is played as it is exported: over the fleet with its sites and feeders, also where each port was an
    environment of its own.

    Args:
        settings: of PPO.
        bank: packed days to train on.
        reserve: what the projection keeps back.
        network: to begin with, as when a pathwise policy is tuned further; None: a fresh one.
        device: where torch computes.

    Raises:
        ValueError: a network for a policy that is none.
    """

    def __init__(
        self,
        settings: PpoSettings,
        bank: Bank,
        *,
        reserve: Reserve | None = None,
        network: SetNetwork | None = None,
        device: str = "cpu",
    ) -> None:
        self.settings = settings
        self._random: dict[str, Any] | None = None
        sizes = None if network is None else network.sizes
        with self._own_randomness():
            self._env = make_env(settings, bank, reserve)
            self._model: Any = make_algorithm("ppo", settings, self._env, device, sizes)
        if network is not None:
            self.network.load_state_dict(network.state_dict())

    @property
    def network(self) -> SetNetwork:
        """The present set network.

        Raises:
            ValueError: the policy is none.
        """
        policy = self._model.policy
        if not isinstance(policy, SetPolicy):
            raise ValueError(
                f"policy is {self.settings.policy!r}; only the set network is kept and exported: use 'set'"
            )
        return policy.actor

    @property
    def total(self) -> int:
        """Updates that it will make."""
        return self.settings.updates

    @property
    def done(self) -> int:
        """Updates made."""
        return int(self._model.num_timesteps) // self._steps

    def run(self, after: After) -> None:
        """Make the updates that are left, and call `after` behind each; what that raises ends the run.

        Raises:
            FloatingPointError: a weight or an answer is no finite number any more.
        """
        left, told = self.settings.updates - self.done, _After(self, after)
        if left > 0:
            with self._own_randomness(), numbers_told(self._model, lambda: told.last + 1):
                self._model.learn(left * self._steps, told, log_interval=None, reset_num_timesteps=self.done == 0)

    def policy(self) -> Policy:
        """What has been learned, played without noise."""
        if self.settings.policy == "set":
            return TorchPolicy(copy.deepcopy(self.network).cpu())
        return StandardPolicy(self._model)

    def network_values(self) -> dict[str, Any]:
        """The present network, as `training.weights.network_of` takes it; copies."""
        return network_values(self.network)

    def report(self, seconds: float) -> Tick:
        """What the last update did."""
        recorded = self._model.logger.name_to_value
        metrics = {name: float(recorded[f"train/{name}"]) for name in LOGGED if f"train/{name}" in recorded}
        episodes = [episode["r"] for episode in self._model.ep_info_buffer]
        return Tick(self.done, seconds, {"reward_per_car_day": float(np.mean(episodes)), **metrics})

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on but the bank: tensors, numbers and words; copies."""
        fleet = self._env.get_attr("simulator")[0]
        generators = self._env.get_attr("np_random")[0]
        kept = {
            "updates": self.settings.updates,
            "timesteps": int(self._model.num_timesteps),
            "policy": self._model.policy.state_dict(),
            "optimiser": self._model.policy.optimizer.state_dict(),
            "days": [int(day) for day in fleet.state.day],
            "generators": [generator.bit_generator.state for generator in generators],
            "random": self._random if self._random is not None else _global_randomness(),
        }
        return copy.deepcopy(kept)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, on the CPU to the same bits.

        Raises:
            ValueError: the state is of another number of updates or worlds.
        """
        if state["updates"] != self.settings.updates or len(state["days"]) != self.settings.worlds:
            raise ValueError(
                f"the state is of {state['updates']} updates of {len(state['days'])} worlds; "
                f"this run has {self.settings.updates} of {self.settings.worlds}"
            )
        state, model = copy.deepcopy(dict(state)), self._model
        model.policy.load_state_dict(state["policy"])
        model.policy.optimizer.load_state_dict(state["optimiser"])
        model.num_timesteps = state["timesteps"]
        each = self._env.num_envs // self.settings.worlds
        self._env.set_options([{"day": day} for day in state["days"] for _ in range(each)])
        model._last_obs = self._env.reset()
        model._last_episode_starts = np.ones(self._env.num_envs, bool)
        generators = self._env.get_attr("np_random")[0]
        for generator, kept in zip(generators, state["generators"], strict=True):
            generator.bit_generator.state = kept
        self._random = state["random"]

    @property
    def _steps(self) -> int:
        """Time steps of an update."""
        return int(self._model.n_steps * self._env.num_envs)

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """stable-baselines3 draws from the global generators of torch and NumPy: lend it ours, and put theirs back."""
        theirs = _global_randomness()
        if self._random is not None:
            _set_global_randomness(self._random)
        self._random = None
        try:
            yield
        finally:
            self._random = _global_randomness()
            _set_global_randomness(theirs)


class _After(BaseCallback):
    """Calls back once PPO has learned from a roll-out: when the next one starts, or the training ends."""

    def __init__(self, learner: PpoLearner, after: After) -> None:
        super().__init__()
        self._learner, self._after, self.last = learner, after, learner.done
        self._began = time.process_time()

    def _on_rollout_start(self) -> None:
        self._tell()

    def _on_training_end(self) -> None:
        self._tell()

    def _on_step(self) -> bool:
        return True

    def _tell(self) -> None:
        if self._learner.done > self.last:
            check_numbers(self._learner._model, self._learner.done)
            self.last = self._learner.done
            self._after(self._learner.report(time.process_time() - self._began))
        self._began = time.process_time()


def ppo_maker(settings: RunSettings, days: DrawnDays) -> Make:
    """The maker of a run's PPO learner.

    Raises:
        ValueError: a setting that is unknown or wrong, or a policy that cannot be exported.
    """
    told = load_training(PpoSettings, settings.algorithm, settings.training)
    if told.policy != "set":
        raise ValueError(f"policy is {told.policy!r}; a run keeps and exports set networks alone: use 'set'")
    return ppo_learners(settings, days)


def ppo_learners(settings: RunSettings, days: DrawnDays) -> Make:
    """The maker of PPO learners with any policy.

    Raises:
        ValueError: a setting that is unknown or wrong.
    """
    torch.set_num_threads(1)  # more only slow a network of this size down
    bank = pack(days.scenarios, "float32")
    load_training(PpoSettings, settings.algorithm, settings.training)  # refuses before anything is timed

    def make(updates: int) -> PpoLearner:
        whole = load_training(PpoSettings, settings.algorithm, settings.training, updates=updates, seed=settings.seed)
        network = load_network(Path(settings.start)).network if settings.start else None
        return PpoLearner(whole, bank, reserve=days.reserve, network=network, device=settings.device)

    return make


def _global_randomness() -> dict[str, Any]:
    state: Any = np.random.get_state()  # noqa: NPY002 - stable-baselines3 draws from it
    kind, keys, *rest = state
    return {"torch": torch.get_rng_state(), "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), *rest]}


def _set_global_randomness(state: Mapping[str, Any]) -> None:
    kind, keys, *rest = state["numpy"]
    torch.set_rng_state(state["torch"])
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
