"""Ports as environments: what each sees and earns is its part of the fleet's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.envs.gym.sb3 import FleetVecEnv
from ebbflow.training.standard.ports import PortVecEnv, apart

from .worlds import days

WORLDS, PORTS, STEPS = 2, 6, 24


def actions(seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, (2 * STEPS, WORLDS, PORTS)).astype(np.float32)


def day_rewards(env: PortVecEnv, shares: Any) -> Any:
    """Each port's sum over the first day (B * N,)."""
    env.seed(1)
    env.reset()
    total = np.zeros(WORLDS * PORTS)
    for now in shares[:STEPS]:
        _, rewards, dones, _ = env.step(now.reshape(-1, 1))
        total += rewards
    assert dones.all()
    return total


@pytest.mark.parametrize("preset", ["home-california", "depot-workplace"])
def test_they_are_the_fleets_own_steps_taken_apart(preset: str) -> None:
    fleets, ports = (kind(WORLDS, scenario=days(preset)) for kind in (FleetVecEnv, PortVecEnv))
    for env in (fleets, ports):
        env.seed(3)
    whole, parts = fleets.reset(), ports.reset()
    assert ports.num_envs == WORLDS * PORTS
    assert ports.reset_infos[PORTS] == fleets.reset_infos[1]
    for shares in actions():
        assert all(np.array_equal(apart(whole)[key], parts[key]) for key in parts)
        assert ports.observation_space.contains({key: value[0] for key, value in parts.items()})
        whole, reward, done, infos = fleets.step(shares)
        parts, own, ended, notes = ports.step(shares.reshape(-1, 1))
        np.testing.assert_allclose(own.reshape(WORLDS, PORTS).sum(1), reward, atol=1e-4)
        assert np.array_equal(ended, np.repeat(done, PORTS))
        for at in np.flatnonzero(ended):
            last = infos[at // PORTS]["terminal_observation"]
            assert np.array_equal(notes[at]["terminal_observation"]["ports"][0], last["ports"][at % PORTS])
            assert not notes[at]["TimeLimit.truncated"]


def test_a_cut_day_is_told_as_cut() -> None:
    env = PortVecEnv(WORLDS, scenario=days("home-texas"), max_episode_steps=3)
    env.reset()
    for shares in actions()[:3]:
        _, _, ended, infos = env.step(shares.reshape(-1, 1))
    assert ended.all()
    assert all(info["TimeLimit.truncated"] for info in infos)


def test_shaping_moves_dollars_in_time_and_no_policy_gains_by_it() -> None:
    plain, shaped = (PortVecEnv(WORLDS, scenario=days("home-texas"), shaped=on) for on in (False, True))
    moved = [
        day_rewards(shaped, shares) - day_rewards(plain, shares) for shares in (actions(0), actions(1), 0 * actions())
    ]
    assert np.abs(moved[0]).max() > 0.1
    for other in moved[1:]:
        np.testing.assert_allclose(moved[0], other, atol=2e-3)


def test_mistakes_are_told() -> None:
    env = PortVecEnv(1, scenario=days("home-texas"))
    with pytest.raises(ValueError, match="call step_async before"):
        env.step_wait()
    with pytest.raises(ValueError, match="played to their end"):
        PortVecEnv(1, scenario=days("home-texas"), shaped=True, max_episode_steps=3)
    with pytest.raises(AttributeError, match="one batch"):
        env.set_attr("copy", False)
    with pytest.raises(AttributeError, match="one batch"):
        env.env_method("ledger")
