"""The pathwise trainer as an algorithm of stable-baselines3: what its users may rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from ebbflow.envs.gym.env import FleetEnv
from ebbflow.envs.gym.sb3 import FleetVecEnv
from ebbflow.envs.world.bank import Bank, pack
from ebbflow.envs.world.build import build_bank_days, load_settings
from ebbflow.training.pathwise import PathwiseSettings, PathwiseTrainer
from ebbflow.training.pathwise.algorithm import Pathwise
from ebbflow.training.standard.ports import PortVecEnv

WORLDS, STEPS = 3, 24
UPDATE = WORLDS * STEPS


@pytest.fixture(scope="module")
def bank() -> Bank:
    settings = load_settings("home-california", ["ports=5", "interval_minutes=60"])
    return pack(list(build_bank_days(settings, 1, range(4), "train")), "float32")


@pytest.fixture
def env(bank: Bank) -> Any:
    return VecMonitor(FleetVecEnv(WORLDS, scenario=bank))


class Stop(BaseCallback):
    """Counts updates, saves and stops at one."""

    def __init__(self, at: int, file: Path) -> None:
        super().__init__()
        self.at, self.file, self.seen = at, file, list[int]()

    def _on_step(self) -> bool:
        self.seen.append(self.locals["update"].number)
        if len(self.seen) < self.at:
            return True
        self.model.save(self.file)
        return False


def weights(model: Pathwise) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.policy.actor.parameters()).detach()


def test_it_is_the_trainer_with_the_worlds_and_days_of_its_environments(env: Any, bank: Bank) -> None:
    model = Pathwise("SetPolicy", env, seed=2).learn(2 * UPDATE - 1)
    trainer = PathwiseTrainer([bank], PathwiseSettings(updates=2, worlds=WORLDS, seed=2))
    trainer.network.load_state_dict(Pathwise(env=env, seed=2).policy.actor.state_dict())
    assert [update.number for update in trainer.train()] == [1, 2]
    assert model.num_timesteps == 2 * UPDATE
    assert torch.equal(weights(model), torch.nn.utils.parameters_to_vector(trainer.network.parameters()))


def test_what_was_saved_goes_on_to_the_same_bits(env: Any, tmp_path: Path) -> None:
    whole = Pathwise(env=env, seed=1).learn(4 * UPDATE)
    stop = Stop(2, tmp_path / "half.zip")
    Pathwise(env=env, seed=1).learn(4 * UPDATE, callback=stop)
    assert stop.seen == [1, 2]
    resumed = Pathwise.load(tmp_path / "half.zip", env=env)
    resumed.learn(2 * UPDATE, reset_num_timesteps=False)
    assert resumed.num_timesteps == 4 * UPDATE
    assert torch.equal(weights(resumed), weights(whole))
    assert not torch.equal(weights(Pathwise.load(tmp_path / "half.zip")), weights(whole))


def test_a_second_learn_goes_on_or_begins_anew(env: Any) -> None:
    numbers = []
    model = Pathwise(env=env, seed=0).learn(UPDATE)
    for reset in (False, True):
        stop = Stop(9, Path())
        model.learn(UPDATE, callback=stop, reset_num_timesteps=reset)
        numbers.append(stop.seen)
    assert numbers == [[2], [1]]


def test_it_predicts_without_an_environment(env: Any, tmp_path: Path) -> None:
    model = Pathwise(env=env, seed=0)
    model.save(tmp_path / "model.zip")
    loaded = Pathwise.load(tmp_path / "model.zip")
    seen = env.reset()
    action, _ = loaded.predict(seen, deterministic=True)
    np.testing.assert_array_equal(action, model.predict(seen, deterministic=True)[0])
    assert action.shape == (WORLDS, 5)
    with pytest.raises(ValueError, match="no environment to learn from"):
        loaded.learn(UPDATE)


def test_parameters_can_be_moved_and_a_mistake_is_refused(env: Any) -> None:
    one, other = Pathwise(env=env, seed=0).learn(UPDATE), Pathwise(env=env, seed=5)
    assert set(one.get_parameters()) == {"policy", "trainer"}
    other.set_parameters(one.get_parameters())
    assert torch.equal(weights(one), weights(other))
    with pytest.raises(ValueError, match="Names of parameters do not match"):
        other.set_parameters({})


def test_it_logs_dollars_and_accounts(env: Any, capsys: Any) -> None:
    Pathwise(env=env, seed=0, verbose=1, device="cpu").learn(UPDATE, progress_bar=True)
    shown = capsys.readouterr().out
    for key in ("usd_per_car_day", "gradient_norm", "unserved_usd", "ep_rew_mean", "total_timesteps", "decided_share"):
        assert key in shown


def test_global_randomness_is_left_alone(env: Any) -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - this is what must not move
    before = torch.get_rng_state(), np.random.get_state()[2]  # noqa: NPY002
    Pathwise(env=env, seed=0).learn(UPDATE)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[2]  # noqa: NPY002


def test_wrong_settings_are_refused(env: Any, bank: Bank) -> None:
    with pytest.raises(ValueError, match="one of 5 ports; whole fleets are played"):
        Pathwise(env=PortVecEnv(1, scenario=bank))
    with pytest.raises(ValueError, match="DummyVecEnv plays no bank of days"):
        Pathwise(env=DummyVecEnv([lambda: FleetEnv(bank.scenarios[0])]))
    with pytest.raises(ValueError, match="give a number"):
        Pathwise(env=env, learning_rate=lambda progress: progress)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="noise -1"):
        Pathwise(env=env, pathwise_kwargs={"noise": -1.0})
