"""Pause, charge, export: what can be chosen, and that nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported

from ebbflow.envs.gym.sb3 import FleetVecEnv
from ebbflow.envs.gym.standard import choices_open
from ebbflow.training.standard.ports import PortVecEnv
from ebbflow.training.standard.three_way import ThreeWay

from .worlds import days

WORLDS, PORTS = 2, 6


def envs() -> list[Any]:
    bank = days("home-california")
    return [FleetVecEnv(WORLDS, scenario=bank), PortVecEnv(WORLDS, scenario=bank)]


@pytest.mark.parametrize("at", [0, 1])
def test_choices_are_full_shares(at: int) -> None:
    plain, three = envs()[at], ThreeWay(envs()[at])
    for env in (plain, three):
        env.seed(0)
        env.reset()
    choices = np.random.default_rng(0).integers(0, 3, (20, three.num_envs, *three.action_space.shape))
    for now in choices:
        shares = np.select([now == 1, now == 2], [1.0, -1.0], 0.0)
        one, other = plain.step(shares), three.step(now)
        assert np.array_equal(one[0]["ports"], other[0]["ports"])
        assert np.array_equal(one[1], other[1])


def test_what_can_be_done_is_open() -> None:
    env = ThreeWay(envs()[0])
    seen = env.reset()
    masks = get_action_masks(env).reshape(WORLDS, PORTS, 3)
    state = env.venv.fleet.simulator.state.ports
    assert is_masking_supported(env)
    assert masks[..., 0].all()
    assert np.array_equal(masks[..., 1], state.plugged & (seen["ports"][..., 8] > 0))
    assert not masks[..., 2][~state.export_consent].any()
    empty = {"ports": np.zeros_like(seen["ports"])}
    assert choices_open(empty).sum() == WORLDS * PORTS


def test_maskable_ppo_learns_and_never_chooses_what_is_closed() -> None:
    env = ThreeWay(envs()[1])
    model = MaskablePPO("MultiInputPolicy", env, n_steps=8, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(200)
    seen = env.reset()
    for _ in range(24):
        masks = get_action_masks(env)
        choice, _ = model.predict(seen, action_masks=masks)
        assert np.take_along_axis(masks, choice, 1).all()
        seen, *_ = env.step(choice)
