"""References that run without projection, in the evaluator alone: the ledger cannot be gamed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...envs.snapshot import Snapshot
from ..policy import Policy
from .rule import Array

STREAM = 0x52415721
"""Keeps what `random` draws apart from the days' own random streams."""


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

    Fresh noise every step would in truth be slow charging. The share is keyed by the seed and by what is known of the
    stay at its arrival, so that a stay gets the same one wherever and beside whatever else its day is run.
    """

    name = "random"

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._share = np.zeros((0, 0))

    def reset(self) -> None:
        """Forget the shares."""
        self._share = np.zeros((0, 0))

    def act(self, snapshot: Snapshot) -> Array:
        """The held share of the charger's full power either way, kW, `(B, N)`."""
        ports = snapshot.ports
        if self._share.shape != ports.plugged.shape:
            self._share = np.zeros(ports.plugged.shape)
        arrived = ports.plugged & np.isnan(ports.last_setpoint_kw)
        for world, port in np.argwhere(arrived):
            self._share[world, port] = self._draw(snapshot, world, port)
        power = np.where(self._share > 0.0, ports.max_charge_kw, ports.max_discharge_kw)
        return self._share * power

    def _draw(self, snapshot: Snapshot, world: int, port: int) -> float:
        ports, context = snapshot.ports, snapshot.context
        columns = (ports.steps_left, ports.need_kwh, ports.capacity_kwh, ports.max_charge_kw)
        known = [context.seconds_of_day[world], context.weekday[world], *(column[world, port] for column in columns)]
        # Rounded, and -0 made 0, so that no back end's last digit matters.
        words = (np.round(np.array(known, dtype=float), 6) + 0.0).view(np.uint32)
        return float(np.random.default_rng([self._seed, STREAM, int(port), *words]).uniform(-1.0, 1.0))


def raw_references(seed: int) -> dict[str, Callable[[], Policy]]:
    """Makers of the raw references by name; `seed` is for the one that draws."""
    return {
        "do_nothing": DoNothing,
        "drain": Drain,
        "random": lambda: Random(seed),
    }
