"""How far a network is from its teacher."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import huber_loss

from ..policy.pools import Groups
from .memory import Examples

Array = NDArray[Any]

LEAST_KW = 1e-3
"""A port that can take and give less has nothing to decide."""


class Distance(NamedTuple):
    """Of the network's answers from the teacher's."""

    cars: Tensor  # robust, mean over the ports that decide
    sites: Tensor  # of the sites' totals, as a share of what their ports can do; mean over the sites that decide
    feeders: Tensor  # and of the feeders'
    share: Tensor  # plain mean over the ports, of full power


def distance(share: Tensor, examples: Examples, site: Groups, feeder: Groups, robust_share: float) -> Distance:
    """How far actions are from those of the teacher.

    Which of two like cars charges first is the solver's whim; what all draw together under a limit, or on a bill, is
    not. So both count.

    Args:
        share: (M, N) the network's actions.
        examples: what the teacher said.
        site: the site of each port.
        feeder: the feeder of each port.
        robust_share: past it a deviation counts linearly, below it as its square.
    """

    def robust(ours: Tensor, theirs: Tensor) -> Tensor:
        return huber_loss(ours, theirs, reduction="none", delta=robust_share) / robust_share

    def mean(values: Tensor, weight: Tensor) -> Tensor:
        return (values * weight).sum() / torch.clamp(weight.sum(), min=1.0)

    def totals(groups: Groups) -> Tensor:
        most_kw = groups.total(torch.maximum(examples.take_kw, examples.give_kw) * examples.weight)
        ours, theirs = (
            groups.total(in_kw(action, examples) * examples.weight) / torch.clamp(most_kw, min=LEAST_KW)
            for action in (share, examples.share)
        )
        return mean(robust(ours, theirs), (most_kw > LEAST_KW).float())

    return Distance(
        cars=mean(robust(share, examples.share), examples.weight),
        sites=totals(site),
        feeders=totals(feeder),
        share=mean((share - examples.share).abs(), examples.weight),
    )


def in_kw(action: Tensor, examples: Examples) -> Tensor:
    """What an action asks for, kW; the dead band is left out, so that it has a slope."""
    return torch.where(action > 0, action * examples.take_kw, action * examples.give_kw)


def as_action(request_kw: Array, take_kw: Array, give_kw: Array) -> tuple[Array, Array]:
    """A request as the action that asks for it, and the weight of each port in the loss.

    Args:
        request_kw: of each port, positive = charge; NaN: nothing is known.
        take_kw: what an action of 1 stands for.
        give_kw: what an action of -1 stands for, positive.

    Returns:
        The action in [-1, 1], of the shape given, and 1 where the port can do anything at all and the request is known.
    """
    asked = np.nan_to_num(request_kw)
    most = np.where(asked > 0, take_kw, give_kw)
    share = np.clip(asked / np.maximum(most, LEAST_KW), -1.0, 1.0)
    decides = (np.maximum(take_kw, give_kw) > LEAST_KW) & ~np.isnan(request_kw)
    return np.where(decides & (most > LEAST_KW), share, 0.0), decides.astype(float)
