"""What other days tell of this one: programme baseline, expected arrivals, typical peak.

The other days come from a stream of their own, so no day is its own reference. A pool of them is drawn once for a
weekday; each scenario takes its comparable days from the pool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scenario import FloatArray, IntArray, Stays
from .stays import battery_power_kw

POOL_DAYS = 30
COMPARABLE_DAYS = 10  # averaged for a baseline
POOL_CELLS = 4_000_000  # a large fleet draws fewer days, at least COMPARABLE_DAYS
PEAK_SEARCH_STEPS = 40


@dataclass(frozen=True)
class ReferencePool:
    """Other days of one weekday.

    Attributes:
        uncontrolled_kw: `(R, S, T)` charging at once.
        arrivals_kwh: `(S, A, D)` mean energy (at the battery) by hour of arrival and departure since the start; the
            last departure hour holds all later ones.
        typical_peak_kw: `(S,)`.
    """

    uncontrolled_kw: NDArray[np.float32]
    arrivals_kwh: FloatArray
    typical_peak_kw: FloatArray

    def baseline_kw(self, rng: np.random.Generator) -> FloatArray:
        """Mean uncontrolled charging of some comparable days, `(S, T)`."""
        some = rng.choice(len(self.uncontrolled_kw), size=COMPARABLE_DAYS, replace=False)
        mean: FloatArray = self.uncontrolled_kw[some].mean(axis=0, dtype=np.float64)
        return mean


def pool_size(sites: int, n_steps: int) -> int:
    """How many other days to draw."""
    return int(np.clip(POOL_CELLS // (sites * n_steps), COMPARABLE_DAYS, POOL_DAYS))


def uncontrolled_kw(stays: Stays, port_site: IntArray, sites: int, n_steps: int, step_h: float) -> FloatArray:
    """Charging at once at full power, constant until the asked energy is in: mean kW of each step, `(S, T)`."""
    columns = {name: getattr(stays, name) for name in ("charge_efficiency", "max_charge_kw", "fixed_loss_kw")}
    power_kw = battery_power_kw(columns | {"battery_accept_kw": stays.battery_accept_kw})
    grid_kw = (power_kw + stays.fixed_loss_kw) / stays.charge_efficiency
    length = np.maximum(stays.asked_kwh, 0.0) / power_kw / step_h
    end = np.minimum(np.minimum(stays.arrive_step + length, stays.depart_step), n_steps)
    # A ramp of cumulative energy: its first differences are the means of the steps, partial last steps included.
    whole = np.floor(end).astype(np.int64)
    change = np.zeros((sites, n_steps + 2))
    site = port_site[stays.port]
    np.add.at(change, (site, stays.arrive_step), grid_kw)
    np.add.at(change, (site, whole), (end - whole - 1.0) * grid_kw)
    np.add.at(change, (site, whole + 1), -(end - whole) * grid_kw)
    return np.cumsum(change, axis=1)[:, :n_steps]


def arrivals_kwh(
    stays: Stays, port_site: IntArray, sites: int, hours: tuple[int, int], steps_per_hour: int
) -> FloatArray:
    """Asked energy by hour of arrival and departure, `(S, A, D)`; cars present at the start are no arrivals."""
    table = np.zeros((sites, *hours))
    later = stays.arrive_step > 0
    arrive = stays.arrive_step[later] // steps_per_hour
    depart = np.minimum(stays.depart_step[later] // steps_per_hour, hours[1] - 1)
    np.add.at(table, (port_site[stays.port[later]], arrive, depart), np.maximum(stays.asked_kwh[later], 0.0))
    return table


def least_peak_kw(stays: Stays, base_kw: FloatArray, step_h: float) -> float:
    """The lowest level of one meter's import under which every window holds the energy it must.

    A window from an arrival to a departure must hold the energy of the stays inside it; a level `W` leaves
    `max(0, W - base)` for it. Each car's own power limit is left out, so the level is at or below the least that can
    be kept.

    Args:
        stays: the stays behind the meter.
        base_kw: `(T,)` net load without cars.
        step_h: length of a step.
    """
    energy = np.maximum(stays.asked_kwh, 0.0) / stays.charge_efficiency
    n = len(base_kw)
    depart = np.minimum(stays.depart_step, n)
    inside = np.zeros((n + 1, n + 1))
    np.add.at(inside, (stays.arrive_step, depart), energy)
    # inside[a, d]: energy of stays that arrive at or after a and leave at or before d.
    inside = np.cumsum(np.cumsum(inside[::-1], axis=0)[::-1], axis=1)
    low, high = float(base_kw.max()), float(base_kw.max() + energy.sum() / step_h)
    for _ in range(PEAK_SEARCH_STEPS):
        level = 0.5 * (low + high)
        room = np.concatenate([[0.0], np.cumsum(np.maximum(level - base_kw, 0.0) * step_h)])
        fits = bool((inside <= room[None, :] - room[:, None] + 1e-9)[np.triu_indices(n + 1)].all())
        low, high = (low, level) if fits else (level, high)
    return high
