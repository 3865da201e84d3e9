"""The Gymnasium spaces of a fleet, made from the encoder's field table, and what goes in and out of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..encoding import CONTEXT_FIELDS, PORT_FIELDS, Observation, bounds
from .standard import Obs as Obs

RENDER_MODES = ("rgb_array",)


def observation_space(n_ports: int) -> spaces.Dict[Any]:
    """`ports` (N, K), `context` (M,) and `mask` (N,), float32, with the fields' stated bounds."""
    low, high = (np.tile(np.array(b, np.float32), (n_ports, 1)) for b in bounds(PORT_FIELDS))
    context_low, context_high = (np.array(b, np.float32) for b in bounds(CONTEXT_FIELDS))
    return spaces.Dict(
        {
            "ports": spaces.Box(low, high, dtype=np.float32),
            "context": spaces.Box(context_low, context_high, dtype=np.float32),
            "mask": spaces.Box(0.0, 1.0, (n_ports,), np.float32),
        }
    )


def action_space(n_ports: int) -> spaces.Box[Any]:
    """A share per port: of what it can take now (positive) or give (negative); 0 pauses."""
    return spaces.Box(-1.0, 1.0, (n_ports,), np.float32)


def as_dict(observation: Observation) -> Obs:
    """The observation of a batch as the space has it: ports (B, N, K), context (B, M), mask (B, N)."""
    return {"ports": observation.ports, "context": observation.context, "mask": observation.mask}


def single(observation: Observation) -> Obs:
    """The observation of a batch of one world."""
    return {
        "ports": observation.ports[0], "context": observation.context[0], "mask": observation.mask[0]
    }  # fmt: skip


def batch_of_actions(action: Any, n_worlds: int, n_ports: int) -> NDArray[np.floating]:
    """`action` as shares (B, N), float32 where it is so.

    Raises:
        ValueError: another shape.
    """
    shares = np.asarray(action)
    if shares.dtype != np.float32:
        shares = shares.astype(np.float64, copy=False)
    if shares.size != n_worlds * n_ports:
        expected = (n_ports,) if n_worlds == 1 else (n_worlds, n_ports)
        raise ValueError(f"the action has shape {shares.shape}; it must be {expected}, one share per charger")
    return shares.reshape(n_worlds, n_ports)


def check_render_mode(render_mode: str | None) -> None:
    """Refuse a render mode that there is not.

    Raises:
        ValueError: the render mode is unknown.
    """
    if render_mode not in (None, *RENDER_MODES):
        raise ValueError(f"render_mode is {render_mode!r}; use None or 'rgb_array'")
