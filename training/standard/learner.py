"""An algorithm of stable-baselines3 as something that a run drives: update by update, with a state to go on from."""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from ...agents.policy import Policy
from ...envs.safety.projection import Reserve
from ...envs.world.bank import Bank
from ..policy import SetNetwork, TorchPolicy
from ..run.learners import After, Tick
from ..weights import ZIPPED, network_values
from .build import make_algorithm, make_env
from .finite import check_numbers, numbers_told
from .play import StandardPolicy
from .randomness import global_randomness, set_global_randomness
from .replay import buffer_values, fill_buffer
from .set_policy import SetPolicy
from .settings import PpoSettings, ReplaySettings

LOGGED = (
    "approx_kl", "clip_fraction", "explained_variance", "policy_gradient_loss", "value_loss", "std", "actor_loss",
    "critic_loss", "ent_coef",
)  # fmt: skip
"""Of what the algorithms record, by the name behind `train/`."""

BULKY = ("_last_obs", "_last_original_obs", "ep_info_buffer", "ep_success_buffer")
"""What a zip needs neither to play nor to be trained further."""


class StandardLearner:
    """Trains on whole days; an update is a day of all worlds and what was learned from it.

    A set network is played as it is exported: over the fleet with its sites and feeders, also where each port was an
    environment of its own. Any other policy is kept as a zip of stable-baselines3.

    Args:
        algorithm: a name of `settings.ALGORITHMS`.
        settings: of its kind.
        bank: packed days to train on.
        reserve: what the projection keeps back.
        network: to begin with, as when a pathwise policy is tuned further; None: a fresh one.
        device: where torch computes.

    Raises:
        ValueError: an unknown algorithm, or a network for a policy that is none.
    """

    def __init__(
        self,
        algorithm: str,
        settings: PpoSettings | ReplaySettings,
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
            self._model: Any = make_algorithm(algorithm, settings, self._env, device, sizes)
        self._model.set_logger(Logger(None, []))  # its own makes a folder in the machine's temporary one
        self._buffer: Any = getattr(self._model, "replay_buffer", None)
        self._steps = int(self._env.get_attr("simulator")[0].n_steps * self._env.num_envs)  # of an update
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
            raise ValueError(f"policy is {self.settings.policy!r}, which is no set network; use 'set'")
        return policy.actor

    @property
    def total(self) -> int:
        """Updates that it will make."""
        return self.settings.updates

    @property
    def done(self) -> int:
        """Updates made."""
        return int(self._model.num_timesteps) // self._steps

    @property
    def untypical(self) -> int:
        """Updates at the start that say nothing about the time of the others: compiling, filling a buffer."""
        return 1 + int(getattr(self.settings, "warm_up", 0)) // self._steps

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
        """The present network; of any other policy, the bytes of stable-baselines3's zip under `ZIPPED`; copies."""
        if self.settings.policy == "set":
            return network_values(self.network)
        whole = io.BytesIO()
        self._model.save(whole, exclude=BULKY)
        return {ZIPPED: torch.frombuffer(bytearray(whole.getvalue()), dtype=torch.uint8)}

    def report(self, seconds: float) -> Tick:
        """What the last update did."""
        recorded = self._model.logger.name_to_value
        metrics = {name: float(recorded[f"train/{name}"]) for name in LOGGED if f"train/{name}" in recorded}
        episodes = [episode["r"] for episode in self._model.ep_info_buffer]
        return Tick(self.done, seconds, {"reward_per_car_day": float(np.mean(episodes)), **metrics})

    def state_dict(self) -> dict[str, Any]:
        """All that the next update depends on but the bank, a replay buffer included: tensors, numbers, words; copies.

        Between two updates all worlds stand at the start of a day, so that the days and the generators are all there
        is to know of them. What the last days earned is not kept: the reward that is reported is a mean over those
        since the run was gone on with.
        """
        fleet = self._env.get_attr("simulator")[0]
        generators = self._env.get_attr("np_random")[0]
        kept = {
            "updates": self.settings.updates,
            "timesteps": int(self._model.num_timesteps),
            "gradient_steps": int(self._model._n_updates),
            "parameters": self._model.get_parameters(),
            "variables": {name: tensor.detach() for name, tensor in self._variables()},
            "days": [int(day) for day in fleet.state.day],
            "generators": [generator.bit_generator.state for generator in generators],
            "warm_up_generator": self._model.action_space.np_random.bit_generator.state,
            "random": self._random if self._random is not None else global_randomness(),
        }
        buffer = {} if self._buffer is None else {"buffer": buffer_values(self._buffer)}
        return copy.deepcopy(kept) | buffer

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken, on the CPU to the same bits, whatever the algorithm.

        Raises:
            ValueError: the state is of another number of updates or worlds.
        """
        if state["updates"] != self.settings.updates or len(state["days"]) != self.settings.worlds:
            raise ValueError(
                f"the state is of {state['updates']} updates of {len(state['days'])} worlds; "
                f"this run has {self.settings.updates} of {self.settings.worlds}"
            )
        model = self._model
        model.set_parameters(copy.deepcopy(state["parameters"]))
        for name, tensor in self._variables():
            tensor.data.copy_(state["variables"][name])
        model.num_timesteps, model._n_updates = state["timesteps"], state["gradient_steps"]
        if self._buffer is not None:
            fill_buffer(self._buffer, state["buffer"])
        self._stand_at(state["days"], state["generators"])
        model.action_space.np_random.bit_generator.state = state["warm_up_generator"]
        self._random = copy.deepcopy(state["random"])

    def _stand_at(self, days: list[int], generators: list[Any]) -> None:
        """Bring all worlds to the start of these days."""
        each = self._env.num_envs // self.settings.worlds
        self._env.set_options([{"day": day} for day in days for _ in range(each)])
        self._model._last_obs = self._env.reset()
        self._model._last_episode_starts = np.ones(self._env.num_envs, bool)
        for generator, kept in zip(self._env.get_attr("np_random")[0], generators, strict=True):
            generator.bit_generator.state = kept

    def _variables(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Tensors that belong to no module or optimiser, such as the logarithm of SAC's weight of the entropy."""
        for name in self._model._get_torch_save_params()[1]:
            yield name, getattr(self._model, name)

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """stable-baselines3 draws from the global generators of torch and NumPy: lend it ours, and put theirs back."""
        theirs = global_randomness()
        if self._random is not None:
            set_global_randomness(self._random)
        self._random = None
        try:
            yield
        finally:
            self._random = global_randomness()
            set_global_randomness(theirs)


class _After(BaseCallback):
    """Calls back once an update has been learned from: when the next roll-out starts, or the training ends."""

    def __init__(self, learner: StandardLearner, after: After) -> None:
        super().__init__()
        self._learner, self._after, self.last = learner, after, learner.done
        self._began = time.process_time()

    def _on_training_start(self) -> None:
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
