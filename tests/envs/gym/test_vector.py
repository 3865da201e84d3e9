"""The vector env equals stacked single environments exactly, autoreset included."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from ebbflow.envs.gym.env import FleetEnv
from ebbflow.envs.gym.vector import FleetVectorEnv
from ebbflow.envs.registration import ENV_ID
from ebbflow.envs.world.bank import pack
from ebbflow.envs.world.build import build_bank_days, load_settings

WORLDS = 3


@pytest.fixture(scope="module")
def bank() -> Any:
    return pack(list(build_bank_days(load_settings("depot-workplace"), 0, range(6), "train")))


def stacked(bank: Any, limit: int | None = None) -> SyncVectorEnv:
    def one() -> Any:
        made = FleetEnv(bank)
        return made if limit is None else TimeLimit(made, limit)

    return SyncVectorEnv([one] * WORLDS, autoreset_mode=AutoresetMode.SAME_STEP)


def actions(seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, (7, WORLDS, 25)).astype(np.float32)


@pytest.mark.parametrize("limit", [None, 10])
def test_equals_stacked_single_environments_exactly(bank: Any, limit: int | None) -> None:
    batch = FleetVectorEnv(WORLDS, bank, max_episode_steps=limit, threads=2)
    single = stacked(bank, limit)
    assert batch.observation_space == single.observation_space
    assert batch.action_space == single.action_space
    assert data_equivalence(batch.reset(seed=5), single.reset(seed=5), exact=True)
    for step in range(200 if limit is None else 25):
        action = actions()[step % 7]
        for mine, theirs in zip(batch.step(action), single.step(action), strict=True):
            assert data_equivalence(mine, theirs, exact=True), f"step {step}"


def test_worlds_out_of_step_equal_stacked_ones(bank: Any) -> None:
    batch, single = FleetVectorEnv(WORLDS, bank), stacked(bank)
    for env in (batch, single):
        env.reset(seed=9)
    for step in range(110):
        if step == 40:
            mask = np.array([False, True, False])
            again = [env.reset(options={"reset_mask": mask}) for env in (batch, single)]
            assert data_equivalence(again[0], again[1], exact=True)
        action = actions()[step % 7]
        for mine, theirs in zip(batch.step(action), single.step(action), strict=True):
            assert data_equivalence(mine, theirs, exact=True), f"step {step}"


def test_many_threads_and_worlds_equal_one_thread(bank: Any) -> None:
    many, one = FleetVectorEnv(100, bank, threads=3), FleetVectorEnv(100, bank, threads=1)
    action = np.random.default_rng(1).uniform(-1, 1, (100, 25)).astype(np.float32)
    assert data_equivalence(many.reset(seed=1), one.reset(seed=1), exact=True)
    for _ in range(50):
        assert data_equivalence(many.step(action), one.step(action), exact=True)


def test_observations_are_fresh_unless_copy_is_off(bank: Any) -> None:
    kept = FleetVectorEnv(WORLDS, bank)
    first, _ = kept.reset(seed=0)
    before = first["context"].copy()
    kept.step(actions()[0])
    assert np.array_equal(first["context"], before)
    reused = FleetVectorEnv(WORLDS, bank, copy=False)
    first, _ = reused.reset(seed=0)
    assert reused.step(actions()[0])[0]["ports"] is first["ports"]


def test_final_observations_survive_the_reused_buffers(bank: Any) -> None:
    env = FleetVectorEnv(WORLDS, bank, copy=False)
    env.reset(seed=0)
    infos: dict[str, Any] = {}
    while "final_obs" not in infos:
        *_, infos = env.step(actions()[0])
    last = {key: value.copy() for key, value in infos["final_obs"][0].items()}
    env.step(actions()[1])
    assert all(np.array_equal(last[key], infos["final_obs"][0][key]) for key in last)


def test_days_can_be_chosen(bank: Any) -> None:
    env = FleetVectorEnv(WORLDS, bank)
    assert env.reset(options={"day": [4, -1, 2]})[1]["day"][[0, 2]].tolist() == [4, 2]
    assert env.reset(options={"day": 3})[1]["day"].tolist() == [3, 3, 3]


def test_made_by_gymnasium() -> None:
    made = gymnasium.make_vec(
        f"ebbflow.envs.registration:{ENV_ID}", num_envs=2, vectorization_mode="vector_entry_point",
        scenario="home-california", bank_days=2,
    )  # fmt: skip
    assert isinstance(made, FleetVectorEnv)
    assert made.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    observation, _ = made.reset(seed=0)
    assert made.observation_space.contains(observation)
    made.close()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda bank: FleetVectorEnv(0, bank), "num_envs is 0"),
        (lambda bank: FleetVectorEnv(2, bank, bank_days=3), "given whole"),
        (lambda bank: FleetVectorEnv(2, bank).reset(seed=[1]), "1 seeds given for 2"),
        (lambda bank: FleetVectorEnv(2, bank).reset(options={"day": 99}), "99"),
        (lambda bank: FleetVectorEnv(2, bank).reset(options={"reset_mask": np.zeros(2, bool)}), "reset_mask"),
        (lambda bank: FleetVectorEnv(2, bank).reset(options={"mask": 1}), "reset_mask"),
        (lambda bank: FleetVectorEnv(2, bank).step(np.zeros((3, 25))), r"must be \(2, 25\)"),
    ],
)
def test_bad_input_is_refused(bank: Any, call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(bank)
