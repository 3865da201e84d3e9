"""What a network is taught by a played day: dollars by action, near what was played."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .lookback import Slopes

LINES = ("more", "more_far", "less", "give_less", "give_more", "give_far")


def lesson(slopes: Slopes, most_usd: float) -> tuple[Tensor, ...]:
    """The slopes as tensors by fleet (T * B, N), in the order of `Slopes`; a slope is at most `most_usd`.

    An hour at $ 5 per kWh says no more than one at 50 cents what is to be done, but weighs ten times as much.
    """

    def flat(name: str) -> Tensor:
        values: NDArray[Any] = getattr(slopes, name)
        if name in LINES:
            values = np.clip(values, -most_usd, most_usd)
        return torch.from_numpy(np.ascontiguousarray(values.reshape(-1, values.shape[-1]), np.float32))

    return tuple(flat(name) for name in Slopes._fields)


def dollars(action: Tensor, taught: tuple[Tensor, ...]) -> Tensor:
    """Dollars of each action relative to what was played, (fleets, N).

    Args:
        action: (fleets, N) of the network.
        taught: rows of `lesson`.
    """
    at, more, more_far, surplus, less, give_less, give_more, give_far, own_load = taught
    top, bottom = torch.clamp(at, min=0.0), torch.clamp(at, max=0.0)
    surplus, own_load = torch.maximum(top, surplus), torch.minimum(bottom, own_load)
    above, far_above = torch.relu(action - top), torch.relu(action - surplus)
    below, far_below = torch.relu(bottom - action), torch.relu(own_load - action)
    slower = torch.relu(top - action) - torch.relu(-action)
    weaker = torch.relu(action - bottom) - torch.relu(action)
    charging = more * (above - far_above) + more_far * far_above - less * torch.where(top > 0, slower, 0.0)
    giving = give_more * (below - far_below) + give_far * far_below
    return charging - giving + give_less * torch.where(bottom < 0, weaker, 0.0)
