"""Whether a graph answers like the network that it was made from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from ...agents.bundle.manifest import Parity
from ...agents.bundle.policy import open_session, run_graph
from ..policy.network import SetNetwork
from .graph import GraphInputs
from .observations import Seen

TOLERANCE = 1e-4
"""Of an action in [-1, 1]: a thousandth of a kW of a 10 kW charger."""


class ParityError(ValueError):
    """A graph that answers unlike its network."""


def prove_parity(
    network: SetNetwork, model: bytes, cases: Iterable[tuple[str, Seen]], tolerance: float = TOLERANCE
) -> Parity:
    """Compare graph and network case by case.

    Args:
        network: on the CPU.
        model: its graph.
        cases: kind and observations.
        tolerance: greatest difference of an action that is let pass.

    Raises:
        ParityError: a greater difference, or an answer that is no number in [-1, 1]; names the kind.
    """
    session, module = open_session(model, "the exported graph"), GraphInputs(network).eval()
    worst: dict[str, float] = {}
    fleets: dict[str, int] = {}
    for kind, seen in cases:
        expected = _network_answer(module, seen)
        found = run_graph(session, *seen)
        apart = float(np.abs(found - expected).max())
        if not apart <= tolerance or float(np.abs(found).max()) > 1.0:
            raise ParityError(
                f"{kind}: the exported graph is {apart:g} away from the network, and {tolerance:g} is let pass; "
                "nothing was written"
            )
        worst[kind] = max(worst.get(kind, 0.0), apart)
        fleets[kind] = fleets.get(kind, 0) + len(found)
    return Parity(tolerance=tolerance, worst=worst, observations=fleets)


def _network_answer(module: GraphInputs, seen: Seen) -> np.ndarray:
    groups = (seen.port_site, seen.site_feeder, np.zeros(seen.n_feeders, np.int64))
    with torch.inference_mode():
        answer = module(*(torch.tensor(part) for part in (*seen.observation, *groups)))
    return np.asarray(answer.numpy())
