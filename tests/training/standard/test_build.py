"""Every training preset makes an algorithm that learns and plays; wrong settings are told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ebbflow.agents.run import run_days
from ebbflow.configs.load import ConfigError, preset_names
from ebbflow.training.run.settings import algorithm_of, load_training
from ebbflow.training.standard.build import make_algorithm, make_env
from ebbflow.training.standard.play import StandardPolicy
from ebbflow.training.standard.settings import ALGORITHMS, PpoSettings, ReplaySettings

from .worlds import days

PRESETS = [name for name in preset_names("training") if algorithm_of(name) in ALGORITHMS]
SMALL = {"worlds": 2, "minibatches": 2, "epochs": 1, "warm_up": 20, "batch_size": 16, "buffer_size": 200}


def test_there_are_presets_of_every_algorithm() -> None:
    assert {algorithm_of(name) for name in PRESETS} == set(ALGORITHMS)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_learns_and_plays(preset: str) -> None:
    name, bank = algorithm_of(preset), days("home-california", ports=4, dtype="float32")
    settings = load_training(ALGORITHMS[name], preset, ())
    settings = dataclasses.replace(settings, **{key: value for key, value in SMALL.items() if hasattr(settings, key)})
    env = make_env(settings, bank)
    model = make_algorithm(name, settings, env)
    before = model.policy.parameters_to_vector()
    model.learn(30 * env.num_envs)
    assert np.isfinite(after := model.policy.parameters_to_vector()).all()
    assert not np.array_equal(before, after)
    assert run_days(bank, StandardPolicy(model)).failure == ""


def test_rewards_are_dollars_per_car() -> None:
    bank, sums = days("depot-workplace"), []
    for ports in (False, True):
        env = make_env(PpoSettings(worlds=1, ports_as_environments=ports), bank)
        env.reset()
        sums.append(sum(float(env.step(np.zeros((env.num_envs, 1 if ports else 6)))[1].mean()) for _ in range(24)))
    assert sums[0] == pytest.approx(sums[1], rel=1e-4)
    assert sums[0] < 0.0


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="epochs is 0"):
        PpoSettings(epochs=0)
    with pytest.raises(ValueError, match="gamma is"):
        ReplaySettings(gamma=1.2)
    with pytest.raises(ValueError, match="answers with shares"):
        PpoSettings(three_way=True)
    with pytest.raises(ValueError, match="have 'mlp' here"):
        ReplaySettings(policy="set")
    with pytest.raises(ValueError, match="told early for ports"):
        PpoSettings(shaped=True)
    with pytest.raises(ConfigError, match="gae_lambda"):
        load_training(PpoSettings, "ppo-ports", ("training.gae_lamda=0.5",))
    env = make_env(PpoSettings(worlds=1), days("depot-workplace"))
    with pytest.raises(ValueError, match="did you mean 'ppo'"):
        make_algorithm("poo", PpoSettings(), env)
    with pytest.raises(ValueError, match="sac wants ReplaySettings"):
        make_algorithm("sac", PpoSettings(), env)
