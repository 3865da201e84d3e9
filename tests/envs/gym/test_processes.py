"""The same seed gives the same bytes in another process, however that process came to be."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv

from ebbflow.envs.gym.env import FleetEnv

SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from test_processes import digest
print(digest({preset!r}))
"""


def digest(preset: str) -> str:
    """SHA-256 over everything that a day hands out."""
    env, found = FleetEnv(preset), hashlib.sha256()
    observation, info = env.reset(seed=11)
    action = np.linspace(-1, 1, env.action_space.shape[0], dtype=np.float32)  # type: ignore[index]
    over = False
    while not over:
        for key in sorted(observation):
            found.update(observation[key].tobytes())
        observation, reward, over, _, info = env.step(action)
        found.update(np.float64(reward).tobytes() + info["applied_kw"].tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("preset", ["depot-workplace", "home-california"])
def test_same_bytes_in_another_process(preset: str) -> None:
    script = SCRIPT.format(folder=__file__.rpartition("/")[0], preset=preset)
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == digest(preset)


def make() -> Any:
    return gymnasium.make("ebbflow.envs.registration:ebbflow/Fleet-v0", scenario="depot-workplace")


# Python warns of forking with threads alive; the environment starts none of its own at one world.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_asynchronous_worlds(context: str) -> None:
    env = AsyncVectorEnv([make, make], context=context)
    try:
        observation, _ = env.reset(seed=[11, 11])
        assert np.array_equal(observation["ports"][0], observation["ports"][1])
        here = make()
        here.reset(seed=11)
        action = np.full((2, 25), 0.5, np.float32)
        for _ in range(30):
            _, reward, *_ = env.step(action)
            assert reward[0] == reward[1] == here.step(action[0])[1]
    finally:
        env.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_threads_of_a_batch_survive_a_fork() -> None:
    import multiprocessing

    from ebbflow.envs.gym.vector import FleetVectorEnv

    env = FleetVectorEnv(64, "depot-workplace", bank_days=2, threads=2)
    env.reset(seed=0)
    action = np.full((64, 25), 0.5, np.float32)
    env.step(action)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        theirs = pool.apply_async(_rewards, (env, action)).get(timeout=120)
    assert np.array_equal(theirs, env.step(action)[1])


def _rewards(env: Any, action: Any) -> Any:
    return env.step(action)[1]
