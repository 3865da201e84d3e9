"""The process that a stable-baselines3 zip is loaded in: `python -m ebbflow.agents.zipped.worker FILE`.

It answers observations with actions until its input ends. Loading the file may run whatever code it holds, which is
why nothing else is done here.
"""

from __future__ import annotations

import os
import sys
from inspect import signature
from typing import Any, BinaryIO

import numpy as np

from ...envs.gym.standard import MASKS, answer
from .wire import Array, pack, unpack


def main(path: str) -> None:
    """Load the policy and answer."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the file's code prints must not stand among the answers
    try:
        policy = load_policy(path)
        ports, masked = _ports(policy), MASKS in signature(policy.predict).parameters
        _answer(answers, {"ports": ports})
    except Exception as error:  # whatever the file's code raises
        _answer(answers, {"error": f"{type(error).__name__}: {error}"})
        return
    while True:
        try:
            _, observation = unpack(lambda count: _exactly(requests, count))
        except EOFError:
            return
        try:
            action = answer(policy.predict, observation, ports, masked=masked)
            _answer(answers, {}, action=action.astype(np.int64 if action.dtype.kind in "iu" else np.float32))
        except Exception as error:
            _answer(answers, {"error": f"{type(error).__name__}: {error}"})


def load_policy(path: str) -> Any:
    """The policy alone, of any algorithm of stable-baselines3 or sb3-contrib."""
    import torch
    from stable_baselines3.common.save_util import load_from_zip_file

    torch.set_num_threads(1)
    data, weights, _ = load_from_zip_file(path, device="cpu", print_system_info=False)
    if not data or "policy_class" not in data or "policy" not in weights:
        raise ValueError("no policy in it; save one with stable-baselines3's `model.save`")
    arguments = dict(data.get("policy_kwargs") or {})
    if data.get("use_sde"):
        arguments["use_sde"] = True
    policy = data["policy_class"](data["observation_space"], data["action_space"], lambda _: 0.0, **arguments)
    policy.load_state_dict(weights["policy"])
    policy.set_training_mode(False)
    return policy


def _ports(policy: Any) -> int:
    """How many ports it was trained with."""
    space = getattr(policy.observation_space, "spaces", {})
    if set(space) != {"ports", "context", "mask"}:
        wanted = "ports, context and mask, as ebbflow's environments give them"
        raise ValueError(f"it observes {policy.observation_space}; a policy of a fleet observes {wanted}")
    return int(space["ports"].shape[0])


def _answer(answers: BinaryIO, facts: dict[str, Any], **arrays: Array) -> None:
    answers.write(pack(facts, arrays))
    answers.flush()


def _exactly(stream: BinaryIO, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content


if __name__ == "__main__":
    main(sys.argv[1])
