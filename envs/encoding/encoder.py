"""`encode(snapshot)`: the only way from what is known to what a policy sees."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..physics.team import Team, team_of
from ..safety.array_survey import survey_arrays
from ..safety.survey import survey
from ..snapshot import Snapshot
from .fields import CONTEXT_WIDTH, PORT_WIDTH
from .later import LaterArrivals


class Observation(NamedTuple):
    """What a policy sees, float32, finite, within the bounds of the field table."""

    ports: Any  # (B, N, K), zeros where no car is
    context: Any  # (B, M)
    mask: Any  # (B, N), 1 where a car is


NOTHING_DUE = np.zeros((1, 1, 1, 0))
"""Handed to the compiled loop where no site pays for a peak: it wants an array."""


class Encoder(Protocol):
    """Encodes snapshots."""

    def encode(self, snapshot: Snapshot, out: Observation | None = None) -> Observation:
        """Observation of `snapshot`, written into `out` (contiguous, float32) where given."""
        ...


def make_encoder(backend: str = "numpy", threads: int | Team = 1) -> Encoder:
    """The encoder of a back end: `numpy` (the reference), `numba` or `torch`.

    Raises:
        ValueError: no such back end.
    """
    if backend == "numba":
        return CompiledEncoder(threads)
    if backend in ("numpy", "torch"):
        return ArrayEncoder(backend)
    raise ValueError(f"back end is {backend!r}; choose one of numpy, numba, torch")


class ArrayEncoder:
    """Array operations; see `arrays`."""

    def __init__(self, backend: str) -> None:
        from .arrays import ArrayCoder

        self._coder, self._backend = ArrayCoder(backend), backend

    def encode(self, snapshot: Snapshot, out: Observation | None = None) -> Observation:
        cars = survey_arrays(snapshot, self._backend)
        ports = self._coder.ports(snapshot, cars)
        mask = snapshot.ports.plugged * ports[..., 0] * 0 + snapshot.ports.plugged
        made = Observation(ports, self._coder.context(snapshot, cars), mask)
        if out is None:
            return made
        for target, source in zip(out, made, strict=True):
            target[...] = source
        return out


class CompiledEncoder:
    """Numba loops over worlds; see `kernels`."""

    def __init__(self, threads: int | Team) -> None:
        from ..physics.compiling import direct
        from . import kernels, outlook_kernels

        self._encode, self._desk, self._team = direct(kernels.encode), outlook_kernels.desk, team_of(threads)
        self._later = LaterArrivals()
        self._local = threading.local()

    def encode(self, snapshot: Snapshot, out: Observation | None = None) -> Observation:
        b, n = snapshot.n_worlds, snapshot.n_ports
        if out is None:
            shapes = ((b, n, PORT_WIDTH), (b, CONTEXT_WIDTH), (b, n))
            out = Observation(*(np.empty(shape, np.float32) for shape in shapes))
        if any(array.dtype != np.float32 or not array.flags.c_contiguous for array in out):
            raise ValueError("the observation to write into is not of contiguous float32 arrays; give none, and copy")
        target, ports = out, out.ports.reshape(b, -1)
        cars = survey(snapshot, self._team)
        tariffs = snapshot.context.import_price_now_usd_per_kwh.shape[1]
        due_kwh = self._later.where_paid_kwh(snapshot)
        due_kwh = NOTHING_DUE if due_kwh is None else due_kwh

        def part(lo: int, hi: int) -> None:
            desk = self._scratch(len(snapshot.sites.feeder), tariffs, snapshot.horizon)
            self._encode(
                snapshot.layout, lo, hi, snapshot.ports, cars, snapshot.port_site, snapshot.sites, snapshot.feeders,
                snapshot.context, due_kwh, snapshot.step_h, snapshot.horizon, ports, target.context, target.mask, desk,
            )  # fmt: skip

        self._team.share(part, b)
        return target

    def _scratch(self, *shape: int) -> Any:
        """Scratch arrays of this thread, kept between calls for fleets of one shape."""
        if getattr(self._local, "shape", None) != shape:
            self._local.shape, self._local.desk = shape, self._desk(*shape)
        return self._local.desk
