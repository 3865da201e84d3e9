"""What other days tell of this one: programme baseline, expected arrivals, typical peak.

The other days come from a stream of their own, so no day is its own reference. A pool of them is
drawn once for a weekday; each scenario takes its comparable days from the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .scenario import BoolArray, FloatArray, IntArray, Stays, steps_per_hour
from .settings import ScenarioSettings
from .stays import battery_power_kw

POOL_DAYS = 30
COMPARABLE_DAYS = 10  # averaged for a baseline
POOL_CELLS = 4_000_000  # a large fleet draws fewer days, at least COMPARABLE_DAYS
PEAK_SEARCH_STEPS = 30


@dataclass(frozen=True)
class ReferenceDay:
    """One other day: its stays, and the file's dates it was taken from."""

    stays: Stays
    source_days: frozenset[date] = frozenset()


@dataclass(frozen=True)
class ReferencePool:
    """Other days of one weekday.

    Attributes:
        uncontrolled_kw: `(R, S, T)` charging at once.
        arrivals_of_day_kwh: `(R, A, D)` need of a meter (at the battery; the mean of the meters
            where there are several) by hour of arrival and departure since the start; the last hour
            holds all later departures.
        least_peak_kw: `(R, S)` the lowest peak that could have served the day; NaN where nothing
            charges for it.
        source_days: dates of the files each day was taken from; empty where it was generated.
    """

    uncontrolled_kw: NDArray[np.float32]
    arrivals_of_day_kwh: FloatArray
    least_peak_kw: FloatArray
    source_days: tuple[frozenset[date], ...]

    @cached_property
    def arrivals_kwh(self) -> FloatArray:
        """Expected need of each meter, `(S, A, D)`; meters are alike to whoever does not know them."""
        mean = self.arrivals_of_day_kwh.mean(axis=0)
        return np.broadcast_to(mean, (self.uncontrolled_kw.shape[1], *mean.shape))

    @cached_property
    def typical_peak_kw(self) -> FloatArray:
        """Median over the days, `(S,)`."""
        median: FloatArray = np.median(self.least_peak_kw, axis=0)
        return median

    def baseline_kw(self, rng: np.random.Generator) -> FloatArray:
        """Mean uncontrolled charging of some comparable days, `(S, T)`."""
        count = len(self.uncontrolled_kw)
        some = rng.choice(count, size=min(COMPARABLE_DAYS, count), replace=False)
        mean: FloatArray = self.uncontrolled_kw[some].mean(axis=0, dtype=np.float64)
        return mean

    def without(self, days: frozenset[date]) -> ReferencePool:
        """The pool without what was taken from these dates of a file, unless nothing else is left."""
        keep = np.array([not (days & taken) for taken in self.source_days])
        if keep.all() or not keep.any():
            return self
        taken = tuple(d for d, k in zip(self.source_days, keep, strict=True) if k)
        return ReferencePool(
            self.uncontrolled_kw[keep], self.arrivals_of_day_kwh[keep], self.least_peak_kw[keep], taken
        )


def pool_size(sites: int, n_steps: int) -> int:
    """How many other days to draw."""
    return int(np.clip(POOL_CELLS // (sites * n_steps), COMPARABLE_DAYS, POOL_DAYS))


def make_pool(
    days: Sequence[ReferenceDay], port_site: IntArray, settings: ScenarioSettings, base_kw: FloatArray | None
) -> ReferencePool:
    """What the days tell.

    Args:
        days: R other days.
        port_site: `(N,)`.
        settings: the preset.
        base_kw: `(S, T)` typical load without cars; None where no peak is charged for.
    """
    s = settings
    per_hour = steps_per_hour(s.interval_minutes)
    sites, step_h = s.n_sites, s.interval_minutes / 60
    hours = (s.n_steps // per_hour, s.n_times // per_hour)
    power = [uncontrolled_kw(d.stays, port_site, sites, s.n_steps, step_h) for d in days]
    arrivals = [arrivals_kwh(d.stays, hours, per_hour) / sites for d in days]
    peaks = np.full((len(days), sites), np.nan)
    if base_kw is not None:
        peaks = np.array([_least_peaks_kw(d.stays, port_site, base_kw, step_h) for d in days])
    taken = tuple(d.source_days for d in days)
    return ReferencePool(np.array(power, dtype=np.float32), np.array(arrivals), peaks, taken)


def need_kwh(stays: Stays) -> FloatArray:
    """What each car would charge to reach its target, at the battery: what was asked, up to its true room."""
    room = (stays.stop_soc - stays.soc_arrive) * stays.capacity_kwh
    need: FloatArray = np.clip(stays.asked_kwh, 0.0, np.maximum(room, 0.0))
    return need


def uncontrolled_kw(stays: Stays, port_site: IntArray, sites: int, n_steps: int, step_h: float) -> FloatArray:
    """Charging at once at full power, constant until the need is met: mean kW of each step, `(S, T)`."""
    columns = {name: getattr(stays, name) for name in ("charge_efficiency", "max_charge_kw", "fixed_loss_kw")}
    power_kw = battery_power_kw(columns | {"battery_accept_kw": stays.battery_accept_kw})
    grid_kw = (power_kw + stays.fixed_loss_kw) / stays.charge_efficiency
    length = need_kwh(stays) / power_kw / step_h
    end = np.minimum(np.minimum(stays.arrive_step + length, stays.depart_step), n_steps)
    # Changes of the power at the steps' starts; the step in which a car finishes holds its mean.
    whole = np.floor(end).astype(np.int64)
    change = np.zeros((sites, n_steps + 2))
    site = port_site[stays.port]
    np.add.at(change, (site, stays.arrive_step), grid_kw)
    np.add.at(change, (site, whole), (end - whole - 1.0) * grid_kw)
    np.add.at(change, (site, whole + 1), -(end - whole) * grid_kw)
    power: FloatArray = np.cumsum(change, axis=1)[:, :n_steps]
    return power


def arrivals_kwh(stays: Stays, hours: tuple[int, int], per_hour: int) -> FloatArray:
    """Need by hour of arrival and departure, `(A, D)`; cars present at the start are no arrivals."""
    table = np.zeros(hours)
    later = stays.arrive_step > 0
    arrive = stays.arrive_step[later] // per_hour
    depart = np.minimum(stays.depart_step[later] // per_hour, hours[1] - 1)
    np.add.at(table, (arrive, depart), need_kwh(stays)[later])
    return table


def least_peak_kw(stays: Stays, of_meter: BoolArray, base_kw: FloatArray, step_h: float) -> float:
    """The lowest level of one meter's import under which every window holds the energy it must.

    A window from an arrival to a departure must hold the energy of the stays inside it; a level `W`
    leaves `max(0, W - base)` for it. Each car's own power limit is left out, so the level is at or below
    the least that can be kept.

    Args:
        stays: the day's stays.
        of_meter: which of them stand behind the meter.
        base_kw: `(T,)` net load without cars.
        step_h: length of a step.
    """
    energy = (need_kwh(stays) / stays.charge_efficiency)[of_meter]
    n = len(base_kw)
    inside = np.zeros((n + 1, n + 1))
    np.add.at(inside, (stays.arrive_step[of_meter], np.minimum(stays.depart_step[of_meter], n)), energy)
    # inside[a, d]: energy of stays that arrive at or after a and leave at or before d.
    inside = np.cumsum(np.cumsum(inside[::-1], axis=0)[::-1], axis=1)
    windows = np.triu_indices(n + 1)
    low, high = float(base_kw.max()), float(base_kw.max() + energy.sum() / step_h)
    for _ in range(PEAK_SEARCH_STEPS):
        level = 0.5 * (low + high)
        room = np.concatenate([[0.0], np.cumsum(np.maximum(level - base_kw, 0.0) * step_h)])
        fits = bool((inside <= room[None, :] - room[:, None] + 1e-9)[windows].all())
        low, high = (low, level) if fits else (level, high)
    return high


def _least_peaks_kw(stays: Stays, port_site: IntArray, base_kw: FloatArray, step_h: float) -> list[float]:
    site = port_site[stays.port]
    return [least_peak_kw(stays, site == s, base, step_h) for s, base in enumerate(base_kw)]
