"""Zips as stable-baselines3 saves them, the harmless and the other kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.save_util import save_to_zip_file

from ebbflow.envs.gym.spaces import observation_space


class Trap:
    """Does `what` when it is unpickled."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.what,)


def save_zip(path: Path, **changes: Any) -> Path:
    """An untrained policy of three ports, without the algorithm around it."""
    from stable_baselines3.common.policies import MultiInputActorCriticPolicy

    data = {
        "policy_class": MultiInputActorCriticPolicy,
        "observation_space": observation_space(3),
        "action_space": spaces.Box(-1.0, 1.0, (3,)),
        "policy_kwargs": {"net_arch": [8]},
        **changes,
    }
    made = data["policy_class"](data["observation_space"], data["action_space"], lambda _: 0.0, **data["policy_kwargs"])
    save_to_zip_file(path, data=data, params={"policy": made.state_dict()})
    return path
