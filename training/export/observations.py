"""Observations that a graph is compared on: of days as they are played, and such as no day has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...agents.bundle.policy import groups_of
from ...agents.policy import Policy
from ...agents.run import run_days
from ...envs.encoding import CONTEXT_FIELDS, PORT_FIELDS, Observation, bounds, make_encoder
from ...envs.snapshot import Snapshot
from ...envs.world.scenario import Scenario

Array = NDArray[Any]


class Seen(NamedTuple):
    """Observations of fleets of one shape, and who belongs to which site and feeder."""

    observation: Observation  # (B, N, K), (B, M), (B, N)
    port_site: Array  # (N,)
    site_feeder: Array  # (S,)
    n_feeders: int


class _Watcher:
    """A policy that keeps what it sees."""

    def __init__(self, policy: Policy) -> None:
        self.name, self._policy, self._encoder = policy.name, policy, make_encoder("numpy")
        self.seen: list[Seen] = []

    def reset(self) -> None:
        self._policy.reset()

    def act(self, snapshot: Snapshot) -> Array:
        self.seen.append(Seen(self._encoder.encode(snapshot), *groups_of(snapshot)))
        return self._policy.act(snapshot)


def recorded(days: Sequence[Scenario], policy: Policy) -> list[Seen]:
    """What a policy sees on days of one fleet, step by step, all days side by side.

    Raises:
        ValueError: the policy failed.
    """
    watcher = _Watcher(policy)
    if failure := run_days(days, watcher).failure:
        raise ValueError(f"the network cannot be played: {failure}")
    return watcher.seen


SHAPES = {
    "one port": (16, 1, 1, 1),
    "a site each": (16, 25, 25, 1),
    "one site": (16, 25, 1, 1),
    "empty sites": (16, 25, 60, 7),
    "many sites": (4, 1000, 300, 5),
    "10,000 ports with a site each": (1, 10_000, 10_000, 1),
    "10,000 ports on one site": (1, 10_000, 1, 1),
}
"""Worlds, ports, sites and feeders of observations that no day has."""


def adversarial(rng: np.random.Generator) -> Iterator[tuple[str, Seen]]:
    """Observations within the field table's bounds that no day has, by kind and shape."""
    for shape_name, shape in SHAPES.items():
        for kind, (draw, share) in KINDS.items():
            yield f"{kind}, {shape_name}", _seen(draw, share, shape, rng)
    for column, ends in enumerate(zip(*bounds(PORT_FIELDS), strict=True)):
        for end in ends:
            seen = _seen(_inside, CONNECTED, SHAPES["empty sites"], rng)
            seen.observation.ports[..., column] = end * seen.observation.mask
            yield "one field at its bound", seen


def _seen(draw: Draw, share: float, shape: tuple[int, int, int, int], rng: np.random.Generator) -> Seen:
    worlds, ports, sites, feeders = shape
    mask = rng.random((worlds, ports)) < share
    tokens = draw(rng, (worlds, ports), *bounds(PORT_FIELDS)) * mask[..., None]
    parts = (tokens, draw(rng, (worlds,), *bounds(CONTEXT_FIELDS)), mask)
    port_site = np.arange(ports) if ports == sites else rng.integers(sites, size=ports)
    observation = Observation(*(np.asarray(part, np.float32) for part in parts))
    return Seen(observation, port_site.astype(np.int64), rng.integers(feeders, size=sites), feeders)


Draw = Callable[[np.random.Generator, tuple[int, ...], list[float], list[float]], Array]
"""Draws numbers (*shape, fields) between lower and upper bounds."""


def _inside(rng: np.random.Generator, shape: tuple[int, ...], low: list[float], high: list[float]) -> Array:
    return rng.uniform(low, high, (*shape, len(low)))


def _corners(rng: np.random.Generator, shape: tuple[int, ...], low: list[float], high: list[float]) -> Array:
    return np.where(rng.random((*shape, len(low))) < 0.5, low, high)


def _lowest(rng: np.random.Generator, shape: tuple[int, ...], low: list[float], high: list[float]) -> Array:
    return np.broadcast_to(low, (*shape, len(low)))


def _highest(rng: np.random.Generator, shape: tuple[int, ...], low: list[float], high: list[float]) -> Array:
    return np.broadcast_to(high, (*shape, len(low)))


def _alike(rng: np.random.Generator, shape: tuple[int, ...], low: list[float], high: list[float]) -> Array:
    return np.broadcast_to(rng.uniform(low, high), (*shape, len(low)))


CONNECTED = 0.8
KINDS: dict[str, tuple[Draw, float]] = {
    "anywhere": (_inside, CONNECTED),
    "corners": (_corners, CONNECTED),
    "all lowest": (_lowest, CONNECTED),
    "all highest": (_highest, CONNECTED),
    "all alike": (_alike, CONNECTED),
    "nobody": (_inside, 0.0),
}
"""How the numbers are drawn, and the share of ports with a car."""
