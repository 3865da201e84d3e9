"""Bringing years together: a source day of the same kind, mapped by local time of day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from .sessions import SessionTable
from .timeline import FloatArray, IntArray


@dataclass(frozen=True)
class SourceDay:
    """The day of a file that stands in for a target date, and the sentence that says so."""

    day: date
    provenance: str


@dataclass(frozen=True)
class PlacedStays:
    """A sampled day in the target's own time, `(n,)` each, sorted by (port, arrival)."""

    port: IntArray  # 0 ... n_ports-1
    row: IntArray  # of the SessionTable: energies, SoC, capacity, line
    arrive_utc_s: IntArray
    depart_utc_s: IntArray
    said_depart_utc_s: FloatArray  # NaN: the driver said nothing


@dataclass(frozen=True)
class SampledDay:
    """Sessions of one source day (several where ports are spare) on `n_ports` ports, `(n,)` each.

    Wall-clock seconds count from local midnight of the window's own date, source or target.
    """

    port: IntArray
    row: IntArray
    arrive_wall_s: IntArray
    depart_wall_s: IntArray
    said_depart_wall_s: FloatArray
    source_days: tuple[date, ...]
    provenance: str

    def place(self, target_date: date, timezone: str) -> PlacedStays:
        """The stays in the target's days, each at its local time of day; stays of no length there are left out."""
        raise NotImplementedError


def is_weekend(day: date) -> bool:
    """Saturday or Sunday; public holidays are not modelled."""
    return day.weekday() >= 5


def choose_source_day(
    target_date: date, available: Sequence[date], rng: np.random.Generator, *, what: str, source: str
) -> SourceDay:
    """The target date itself where the file holds it, else a day of the same kind (weekday or weekend) at random.

    Raises:
        ValueError: no day of that kind is available.
    """
    raise NotImplementedError


def source_steps(
    target_start: datetime, interval_minutes: int, count: int, source_date: date, source_timezone: str
) -> IntArray:
    """UTC seconds in the source, `(count,)`, that have each target step's local time of day and day of the window."""
    raise NotImplementedError


def sample_day(
    table: SessionTable,
    target_is_weekend: bool,
    rng: np.random.Generator,
    n_ports: int,
    start_hour: float,
    hours: float,
) -> SampledDay:
    """The stays that arrive in one window of a source day of the asked kind, on `n_ports` ports."""
    raise NotImplementedError


def local_to_utc_s(day: date, wall_s: FloatArray | IntArray, timezone: str) -> IntArray:
    """UTC seconds of wall-clock seconds since local midnight of `day`; NaN is not allowed."""
    raise NotImplementedError
