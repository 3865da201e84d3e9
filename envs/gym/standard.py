"""How a policy of stable-baselines3 sees a fleet and answers; what training and the evaluator's zips have in common.

Nothing here depends on Gymnasium or stable-baselines3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..encoding import PORT_FIELDS

Array = NDArray[Any]
Obs = dict[str, NDArray[np.float32]]
Predict = Callable[..., tuple[Any, Any]]
"""A policy's `predict`: an observation, and by name `deterministic` and, where it wants them, `action_masks`."""

SHARES = np.array([0.0, 1.0, -1.0], np.float32)
"""What the three choices mean, in order: pause, charge all that the car can take, export all that it can."""

MASKS = "action_masks"
"""What sb3-contrib calls what can be chosen: the method that asks an environment, and the argument of `predict`."""

_COLUMN = {field.name: at for at, field in enumerate(PORT_FIELDS)}
_POWERS = [_COLUMN[name] for name in ("can_charge_kw", "can_export_kw")]


def apart(observation: Obs) -> Obs:
    """An observation of fleets (B, N, ...) as one of `B * N` fleets of one port each."""
    worlds, ports = observation["mask"].shape
    return {
        "ports": observation["ports"].reshape(worlds * ports, 1, -1),
        "context": np.repeat(observation["context"], ports, axis=0),
        "mask": observation["mask"].reshape(-1, 1),
    }


def choices_open(observation: Obs) -> NDArray[np.bool_]:
    """What can be chosen (B, 3 N), port by port: a pause always, charge and export where there is any power."""
    ports = observation["ports"]
    can = [ports[..., column] > 0 for column in _POWERS]
    return np.stack([np.ones_like(can[0]), *can], -1).reshape(len(ports), -1)


def answer(predict: Predict, observation: Obs, trained_ports: int, *, masked: bool) -> Array:
    """What a policy answers without noise: shares or choices (B, N).

    Args:
        predict: of the policy.
        observation: of fleets (B, N, ...).
        trained_ports: ports that the policy was trained with. One: it is asked port by port, on a fleet of any size.
        masked: it wants to be told what can be chosen.

    Raises:
        ValueError: the fleet has other ports than the policy, or it answers in another shape.
    """
    ports = observation["mask"].shape[1]
    if trained_ports not in (1, ports):
        raise ValueError(f"trained with {trained_ports} ports, not {ports}; only a policy of one port fits any fleet")
    seen = apart(observation) if trained_ports == 1 else observation
    extra = {MASKS: choices_open(seen)} if masked else {}
    action = np.asarray(predict(seen, deterministic=True, **extra)[0])
    if action.size != observation["mask"].size:
        raise ValueError(f"answered in shape {action.shape}; one number for each of {ports} ports is wanted")
    return action.reshape(observation["mask"].shape)


def shares_of(action: Array) -> Array:
    """Shares of shares or choices, whichever they are.

    Raises:
        ValueError: a choice that there is not.
    """
    if action.dtype.kind == "f":
        return action
    if action.size and (action.min() < 0 or action.max() >= len(SHARES)):
        raise ValueError(f"chose {action.min()} to {action.max()}; 0 to {len(SHARES) - 1} exist")
    return SHARES[action]
