"""Three choices per charger mean the shares that they stand for."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from ebbflow.envs.gym.env import FleetEnv
from ebbflow.envs.gym.vector import FleetVectorEnv
from ebbflow.envs.gym.wrappers import PauseChargeExport, VectorPauseChargeExport
from ebbflow.envs.world.stress import random_scenario


@pytest.fixture
def choices() -> np.ndarray:
    return np.random.default_rng(0).integers(3, size=(2, 6))


def test_choices_equal_their_shares(choices: np.ndarray) -> None:
    day = random_scenario(np.random.default_rng(0))
    plain, wrapped = FleetEnv(day), PauseChargeExport(FleetEnv(day))
    assert wrapped.action_space == gymnasium.spaces.MultiDiscrete([3] * 6)
    for env in (plain, wrapped):
        env.reset(seed=0)
    for _ in range(40):
        a, b = plain.step(np.array([0.0, 1.0, -1.0])[choices[0]]), wrapped.step(choices[0])
        assert a[1] == b[1]
        assert np.array_equal(a[4]["applied_kw"], b[4]["applied_kw"])


def test_the_vector_twin_does_the_same(choices: np.ndarray) -> None:
    day = random_scenario(np.random.default_rng(0))
    single, batch = PauseChargeExport(FleetEnv(day)), VectorPauseChargeExport(FleetVectorEnv(2, day))
    assert batch.action_space.shape == (2, 6)
    assert batch.single_action_space == single.action_space
    single.reset(seed=0)
    batch.reset(seed=0)
    for _ in range(40):
        assert batch.step(choices)[1][0] == single.step(choices[0])[1]


def test_sb3_accepts_the_wrapped_environment() -> None:
    from stable_baselines3.common.env_checker import check_env

    day = random_scenario(np.random.default_rng(0))
    with pytest.warns(UserWarning, match="unconventional shape"):
        check_env(PauseChargeExport(FleetEnv(day)))


def test_the_wrapper_is_part_of_the_spec() -> None:
    day = random_scenario(np.random.default_rng(0))
    made = PauseChargeExport(gymnasium.make("ebbflow.envs.registration:ebbflow/Fleet-v0", scenario=day))
    assert made.spec is not None
    assert made.spec.additional_wrappers[-1].name == "PauseChargeExport"
    assert isinstance(gymnasium.make(made.spec).action_space, gymnasium.spaces.MultiDiscrete)
