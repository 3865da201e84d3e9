"""The pathwise trainer behind the interface of stable-baselines3's algorithms."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Self

import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import CallbackList
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, TensorDict
from stable_baselines3.common.vec_env import VecEnv

from ..standard.set_policy import SetPolicy, fleet_kwargs
from .progress import RichProgress
from .settings import PathwiseSettings
from .trainer import PathwiseTrainer, Update

TRAINER = "trainer"
"""The trainer's state among the parameters."""


class Pathwise(BaseAlgorithm):
    """Learns a `SetPolicy` from gradients of whole days' dollars (`PathwiseTrainer`).

    Its environments say which days are played, how many worlds an update has and what the projection keeps back; they
    are not stepped. A time step is one step of one world; an update plays a day of every world, and callbacks are
    called once for each. The schedules run over `total_timesteps` of `learn`. What was saved goes on exactly: `load`
    with the same environments and `learn` of the time steps that are left, with `reset_num_timesteps=False`, give on
    the CPU the same bits as without the pause.

    Args:
        policy: `SetPolicy`, the class or its name.
        env: a `FleetVecEnv`, wrapped or not; None to load weights for prediction alone.
        learning_rate: see `PathwiseSettings`, a number; its schedule is the trainer's.
        pathwise_kwargs: other settings of `PathwiseSettings` by name, without `updates`, `worlds` and `seed`.
        policy_kwargs: `sizes`, as of `SetPolicy`; sites and feeders come from `env`.
        seed: of first weights, days and noise.
        **arguments: `stats_window_size`, `tensorboard_log`, `verbose`, `device`.

    Raises:
        ValueError: an environment without a bank of days or of single ports, or a setting outside its range.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"SetPolicy": SetPolicy}
    policy: SetPolicy

    def __init__(
        self,
        policy: str | type[SetPolicy] = "SetPolicy",
        env: GymEnv | None = None,
        learning_rate: float = PathwiseSettings.learning_rate,
        pathwise_kwargs: dict[str, Any] | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        seed: int | None = None,
        _init_setup_model: bool = True,
        **arguments: Any,
    ) -> None:
        if callable(learning_rate):
            raise ValueError("learning_rate is a schedule; give a number, the trainer lets it fall along a cosine")
        super().__init__(
            policy, env, learning_rate, policy_kwargs=policy_kwargs, seed=seed, support_multi_env=True,
            supported_action_spaces=(spaces.Box,), **arguments,
        )  # fmt: skip
        self.pathwise_kwargs = dict(pathwise_kwargs or {})
        self._trainer: PathwiseTrainer | None = None
        self._state: Mapping[str, Any] | None = None
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        if self.env is not None:
            fleet = fleet_kwargs(self.env)
            ports = self.env.get_attr("bank")[0].first.n_ports
            if len(fleet["port_site"]) != ports:
                raise ValueError(
                    f"each environment is one of {ports} ports; whole fleets are played: give a FleetVecEnv"
                )
            self.policy_kwargs = {**self.policy_kwargs, **fleet}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._settings(1).seed)
            made = self.policy_class(self.observation_space, self.action_space, self.lr_schedule, **self.policy_kwargs)
        assert isinstance(made, SetPolicy)
        self.policy = made.to(self.device)

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str = "Pathwise",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Make the updates that `total_timesteps` are enough for, at least one.

        Args:
            total_timesteps: steps of worlds; rounded up to whole updates.
            callback: called once an update, with the `update` among its locals.
            log_interval: updates between two writings of the log.
            tb_log_name: of the run in TensorBoard.
            reset_num_timesteps: begin anew, with fresh schedules and optimiser, from the present weights; False: go on.
            progress_bar: show updates, time left and dollars.

        Raises:
            FloatingPointError: dollars or gradient are no finite number; that gradient step was not taken.
            ValueError: there is no environment.
        """
        if self.env is None:
            raise ValueError("there is no environment to learn from; call set_env, or load with env")
        total, called = self._setup_learn(total_timesteps, callback, reset_num_timesteps, tb_log_name)
        if progress_bar:
            called = CallbackList([called, RichProgress()])
            called.init_callback(self)
        trainer = self._ready(total, anew=reset_num_timesteps)
        called.on_training_start(locals(), globals())
        while trainer.done < trainer.settings.updates:
            called.on_rollout_start()
            update = trainer.update()
            self.num_timesteps += self._steps_per_update()
            self._update_current_progress_remaining(self.num_timesteps, total)
            self._n_updates = update.number
            self._record(update)
            called.update_locals(locals())
            go_on = called.on_step()
            called.on_rollout_end()
            if log_interval and update.number % log_interval == 0:
                self.dump_logs()
            if not go_on:
                break
        called.on_training_end()
        return self

    def dump_logs(self) -> None:
        """Write what was recorded."""
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.record("time/time_elapsed", (time.time_ns() - self.start_time) / 1e9, exclude="tensorboard")
        self.logger.dump(step=self.num_timesteps)

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Learn from other environments of the same size; the trainer goes on with their days."""
        super().set_env(env, force_reset)
        if self._trainer is not None:
            self._state, self._trainer = self._trainer.state_dict(), None

    def get_parameters(self) -> dict[str, dict[str, Any]]:
        """The policy's parameters and, once there is one, the trainer's state."""
        parameters = super().get_parameters()
        state = self._trainer.state_dict() if self._trainer is not None else self._state
        return parameters if state is None else parameters | {TRAINER: dict(state)}

    def set_parameters(
        self, load_path_or_dict: str | TensorDict, exact_match: bool = True, device: torch.device | str = "auto"
    ) -> None:
        """Take over parameters; with a trainer's state among them, the next `learn` goes on there."""
        from stable_baselines3.common.save_util import load_from_zip_file

        given: Any = load_path_or_dict
        if not isinstance(given, dict):
            given = load_from_zip_file(given, device=device, load_data=False)[1]
        rest = {name: value for name, value in given.items() if name != TRAINER}
        super().set_parameters(rest, exact_match, device)
        if TRAINER in given or exact_match:
            self._state, self._trainer = given.get(TRAINER), None

    def _ready(self, total: int, anew: bool) -> PathwiseTrainer:
        """The trainer with its schedules over `total` time steps, fresh or where it stopped."""
        assert self.env is not None
        settings = self._settings(-(-total // self._steps_per_update()))
        if not anew and self._trainer is not None:
            self._state = self._trainer.state_dict()
        kept = None if anew else self._state
        bank, reserve = (self.env.get_attr(name)[0] for name in ("bank", "reserve"))
        trainer = PathwiseTrainer([bank], settings, network=self.policy.actor, reserve=reserve, device=str(self.device))
        if kept is not None:
            # Its schedules may be longer now, and `set_env` may have brought other days.
            trainer.load_state_dict({**kept, "settings": asdict(settings), "days_of_banks": [bank.n_days]})
        self._trainer, self._state = trainer, None
        return trainer

    def _settings(self, updates: int) -> PathwiseSettings:
        return PathwiseSettings(
            updates=updates, worlds=getattr(self, "n_envs", 1), seed=self.seed or 0,
            learning_rate=float(self.learning_rate), **self.pathwise_kwargs,  # type: ignore[arg-type]
        )  # fmt: skip

    def _steps_per_update(self) -> int:
        env = self.env
        assert isinstance(env, VecEnv)
        return int(env.get_attr("bank")[0].first.n_steps) * env.num_envs

    def _record(self, update: Update) -> None:
        ports = int(self.action_space.shape[0])  # type: ignore[index]
        self.logger.record("rollout/ep_rew_mean", -ports * update.usd_per_car_day)
        self.logger.record("train/n_updates", update.number, exclude="tensorboard")
        for name in ("usd_per_car_day", "gradient_norm", "learning_rate", "noise", "decided_share"):
            self.logger.record(f"train/{name}", getattr(update, name))
        for account, usd in update.accounts_usd.items():
            self.logger.record(f"accounts/{account}", usd)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_trainer", "_state", "_last_obs"]
