"""References that run without projection, in the evaluator alone: the ledger cannot be gamed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...envs.snapshot import Snapshot
from ..policy import Policy
from .rule import Array

STREAM = 0x52415721
"""Keeps what `random` draws apart from the days' own random streams, whose keys are shorter."""


class _Raw:
    raw = True

    def reset(self) -> None:
        """Nothing to forget."""


class DoNothing(_Raw):
    """Never charges a car."""

    name = "do_nothing"

    def act(self, snapshot: Snapshot) -> Array:
        """Zero for every port, `(B, N)`."""
        return np.zeros(snapshot.ports.plugged.shape)


class Drain(_Raw):
    """Exports from every car that can, until it is empty."""

    name = "drain"

    def act(self, snapshot: Snapshot) -> Array:
        """Full export, kW, `(B, N)`."""
        return -np.array(snapshot.ports.max_discharge_kw, dtype=float)


class Random(_Raw):
    """Draws one share of the power in [-1, 1] for each stay and holds it.

    Fresh noise every step would in truth be slow charging. Each world draws from a stream of its own.
    """

    name = "random"

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._streams: list[np.random.Generator] = []
        self._share = np.zeros((0, 0))

    def reset(self) -> None:
        """Forget the shares; the streams begin anew with the next snapshot."""
        self._streams = []

    def act(self, snapshot: Snapshot) -> Array:
        """The held share of the charger's full power either way, kW, `(B, N)`."""
        ports = snapshot.ports
        if not self._streams:
            self._streams = self._rng.spawn(snapshot.n_worlds)
            self._share = np.zeros(ports.plugged.shape)
        fresh = np.stack([stream.uniform(-1.0, 1.0, snapshot.n_ports) for stream in self._streams])
        arrived = ports.plugged & np.isnan(ports.last_setpoint_kw)
        self._share = np.where(arrived, fresh, self._share)
        power = np.where(self._share > 0.0, ports.max_charge_kw, ports.max_discharge_kw)
        return self._share * power


def raw_references(seed: int) -> dict[str, Callable[[], Policy]]:
    """Makers of the raw references by name; `seed` is for the one that draws."""
    return {
        "do_nothing": DoNothing,
        "drain": Drain,
        "random": lambda: Random(np.random.default_rng([seed, STREAM])),
    }
