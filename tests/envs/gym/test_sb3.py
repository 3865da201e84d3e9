"""The stable-baselines3 VecEnv: its interface, and what the end of a day means to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from ebbflow.envs.gym.env import FleetEnv
from ebbflow.envs.gym.sb3 import FleetVecEnv
from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.build import build_bank_days, load_settings

from ...machine import slowness  # noqa: TID252

WORLDS = 2


@pytest.fixture(scope="module")
def bank() -> Any:
    return pack(list(build_bank_days(load_settings("depot-workplace"), 0, range(3), "train")))


def actions() -> Any:
    return np.random.default_rng(0).uniform(-1, 1, (5, WORLDS, 25)).astype(np.float32)


def test_equals_sb3s_own_stack_of_single_environments(bank: Any) -> None:
    batch, stack = FleetVecEnv(WORLDS, scenario=bank), DummyVecEnv([lambda: FleetEnv(bank)] * WORLDS)
    for env in (batch, stack):
        env.seed(3)
    first = [env.reset() for env in (batch, stack)]
    assert all(np.array_equal(first[0][key], first[1][key]) for key in first[0])
    assert batch.reset_infos == stack.reset_infos
    for step in range(100):
        mine, theirs = (env.step(actions()[step % 5]) for env in (batch, stack))
        assert all(np.array_equal(mine[0][key], theirs[0][key]) for key in theirs[0])
        assert np.array_equal(mine[1], theirs[1])
        assert mine[1].dtype == theirs[1].dtype
        assert np.array_equal(mine[2], theirs[2])
        for a, b in zip(mine[3], theirs[3], strict=True):
            assert ("terminal_observation" in a) == ("terminal_observation" in b)
            assert a.get("ledger") == b.get("ledger")
            assert a.get("TimeLimit.truncated", False) == b["TimeLimit.truncated"]


def test_a_settled_day_is_not_bootstrapped_and_a_cut_one_is(bank: Any) -> None:
    ends = []
    for limit in (None, 4):
        env = FleetVecEnv(WORLDS, scenario=bank, max_episode_steps=limit)
        env.reset()
        done = np.zeros(WORLDS, bool)
        while not done.any():
            _, _, done, infos = env.step(actions()[0])
        assert env.observation_space.contains(infos[0]["terminal_observation"])
        ends.append(infos[0])
    assert [end["TimeLimit.truncated"] for end in ends] == [False, True]
    assert "ledger" in ends[0]
    assert "ledger" not in ends[1]


def test_step_infos_are_given_on_demand(bank: Any) -> None:
    env = FleetVecEnv(WORLDS, scenario=bank, step_infos=True)
    env.reset()
    _, rewards, _, infos = env.step(actions()[0])
    assert infos[1]["net_cost_usd"] == pytest.approx(-rewards[1], rel=1e-6)
    assert infos[1]["applied_kw"].shape == (25,)


def test_seeds_and_options_hold_for_one_reset(bank: Any) -> None:
    env = FleetVecEnv(WORLDS, scenario=bank)
    env.set_options({"day": 2})
    env.reset()
    assert env.reset_infos == [{"day": 2}] * WORLDS
    env.seed(1)
    env.reset()
    first = env.reset_infos
    env.seed(1)
    env.reset()
    assert env.reset_infos == first


def test_attributes_and_methods(bank: Any) -> None:
    env = FleetVecEnv(WORLDS, scenario=bank)
    env.reset()
    assert env.get_attr("action_space") == [env.action_space] * WORLDS
    assert env.env_is_wrapped(FleetEnv) == [False, False]
    env.set_attr("note", 5)
    assert env.get_attr("note", indices=[1]) == [5]
    assert env.env_method("ledger", indices=0)[0]["net_cost_usd"] == 0.0
    with pytest.raises(ValueError, match="share"):
        env.set_attr("note", 6, indices=[0])
    with pytest.raises(AttributeError, match="ledger and render"):
        env.env_method("nothing")
    with pytest.raises(ValueError, match="step_async"):
        env.step_wait()
    with pytest.raises(AttributeError):
        env.get_attr("nothing")


def test_ppo_learns_a_little(bank: Any) -> None:
    env = VecMonitor(FleetVecEnv(WORLDS, scenario=bank))
    model = PPO("MultiInputPolicy", env, n_steps=100, batch_size=50, n_epochs=1, seed=0, device="cpu")
    model.learn(400)
    assert len(model.ep_info_buffer or ()) == 4
    assert np.isfinite(model.logger.name_to_value["train/loss"])


@pytest.mark.slow
def test_ppo_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.progress import Progress

    from ebbflow.envs.gym import measure

    monkeypatch.setattr(measure, "PPO_STEPS", 4096)
    with Progress(disable=True) as progress:
        assert 0 < measure.measure_ppo_s("depot-workplace", progress) < 120 * slowness()


@pytest.mark.slow
def test_ppo_with_every_default_on_one_environment() -> None:
    model = PPO("MultiInputPolicy", FleetEnv("home-california"), seed=0, device="cpu")
    model.learn(4096)
    assert np.isfinite(model.logger.name_to_value["train/loss"])
