"""The replay buffer of an algorithm as tensors: the part that is filled, so that no file needs a pickle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import DictReplayBuffer

PLAIN = ("actions", "rewards", "dones", "timeouts")


def buffer_values(buffer: DictReplayBuffer) -> dict[str, Any]:
    """Where the buffer stands and its filled rows; copies.

    They are nearly all of a checkpoint: 160 MB for 200,000 transitions of one port.
    """
    filled = buffer.buffer_size if buffer.full else buffer.pos
    rows = {name: torch.from_numpy(array[:filled].copy()) for name, array in _arrays(buffer)}
    return {"position": buffer.pos, "full": buffer.full, "rows": rows}


def fill_buffer(buffer: DictReplayBuffer, values: Mapping[str, Any]) -> None:
    """Put back what `buffer_values` gave.

    Raises:
        ValueError: it is of a buffer of another size.
    """
    for name, array in _arrays(buffer):
        rows = values["rows"][name].numpy()
        if len(rows) > len(array) or rows.shape[1:] != array.shape[1:]:
            raise ValueError(f"the state's {name} are {rows.shape}; this run's buffer holds {array.shape}")
        array[: len(rows)] = rows
    buffer.pos, buffer.full = values["position"], values["full"]


def _arrays(buffer: DictReplayBuffer) -> Iterator[tuple[str, NDArray[np.generic]]]:
    for when, parts in (("", buffer.observations), ("next_", buffer.next_observations)):
        for name, array in parts.items():
            yield when + name, array
    for name in PLAIN:
        yield name, getattr(buffer, name)
