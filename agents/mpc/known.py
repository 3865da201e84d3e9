"""The planning problem of what a controller knows now: snapshot in, `Problem` out (contracts 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.simulator import DEMAND_WINDOW_MINUTES
from ...envs.snapshot import Snapshot
from ..planning.problem import PlanEvents, PlanFeeders, PlanSites, PlanStays, Problem
from .cars import Settling, present_stays
from .expected import Arrivals, expected_blocks, expected_stays, groups_of, joined
from .outlook import Series, series_of

Array = NDArray[Any]

WINDOW_H = 24.0

END_PERCENTILE = 25.0
"""Of the window's import prices: what energy at its end is worth (contracts 4)."""

LEAST_UNSERVED_USD_PER_KWH = 2.0
UNSERVED_FACTOR = 1.2
"""Contracts 3, with the highest prices of the window in place of those of the market: within it skipping never pays."""

LEAST_EFFICIENCY = 0.5

DRIFT_USD_PER_KWH = 1e-6
"""By which each step is taken to be dearer than the one before: of equal plans the one that charges first."""


@dataclass(frozen=True)
class Assumptions:
    """What the controller takes as given beyond the snapshot.

    Args:
        arrivals: how expected arrivals are planned for.
        typical_peak_factor: how many times the typical peak the floor of the peak is. The typical peak is a level
            that leaves out each car's own power limit, and which nobody reaches who does not know the day.
        carbon_usd_per_kg: price of emissions; where there are no data of them they are taken as 0.
        persistent_load: what a load is off its issued forecast now, it is taken to stay off (persistence).
    """

    arrivals: Arrivals = field(default_factory=Arrivals)
    typical_peak_factor: float = 1.15
    carbon_usd_per_kg: float = 0.0
    persistent_load: bool = False


class Knowledge:
    """What all worlds of a snapshot know, read once; `problem` makes the planning problem of one of them."""

    def __init__(self, snapshot: Snapshot, assumptions: Assumptions) -> None:
        self._snapshot, self._assumptions = snapshot, assumptions
        self._steps = min(snapshot.horizon, round(WINDOW_H / snapshot.step_h))
        self._series = series_of(snapshot, self._steps, assumptions.persistent_load)
        self._groups = groups_of(snapshot)
        self._window_steps = max(1, DEMAND_WINDOW_MINUTES // round(60 * snapshot.step_h))

    def problem(self, world: int) -> Problem:
        """The next 24 hours of one world; expected arrivals stand behind the last ports and, pooled, the last sites."""
        snapshot, steps, series = self._snapshot, self._steps, Series(*(s[world] for s in self._series))
        events = _events(snapshot, world, steps, self._drawn_kw(world), series)
        price = _unserved_price(snapshot, world, series, events, self._window_steps)
        site_of_group, sites = self._sites(world, series)
        return Problem(
            step_h=snapshot.step_h,
            n_steps=steps,
            n_ports=snapshot.n_ports,
            stays=self._stays(world, series, price, site_of_group),
            sites=sites,
            feeders=PlanFeeders(series.feeder_load_kw, series.feeder_import_limit_kw, series.feeder_export_limit_kw),
            events=events,
            window_steps=self._window_steps,
            window_done=self._window_done(world),
            wear_usd_per_kwh=snapshot.wear_usd_per_kwh,
            calendar_usd_per_kwh=0.0,
            carbon_usd_per_kwh=self._carbon(series),
            fixed_usd=0.0,
        )

    def _stays(self, world: int, series: Series, price: float, site_of_group: Array) -> PlanStays:
        snapshot = self._snapshot
        worth = np.maximum(np.percentile(series.import_price_usd_per_kwh, END_PERCENTILE, axis=1), 0.0)
        settling = Settling(price, worth[np.asarray(snapshot.sites.tariff)])
        cars = present_stays(snapshot, world, self._steps, settling)
        blocks = expected_blocks(snapshot, world, self._steps, self._groups, self._assumptions.arrivals)
        return joined(cars, expected_stays(blocks, site_of_group, snapshot.n_ports, snapshot.step_h, price))

    def _sites(self, world: int, series: Series) -> tuple[Array, PlanSites]:
        """The site of each group of expected arrivals, and all sites, the pooled ones at the end."""
        sites = self._snapshot.sites
        real, tariff = len(sites.feeder), np.asarray(sites.tariff)
        pooled = np.flatnonzero(self._groups.pooled)
        site_of_group = self._groups.site.copy()
        site_of_group[pooled] = real + np.arange(len(pooled))
        every = np.concatenate([np.arange(real), self._groups.site[pooled]])

        def extended(values: Array, filler: float) -> Array:
            return np.concatenate([values, np.full((len(pooled), *values.shape[1:]), filler)])

        rate, peak = np.asarray(sites.demand_rate_usd_per_kw[world]), np.asarray(sites.peak_kw[world])
        drift = DRIFT_USD_PER_KWH * np.arange(self._steps)
        # Of the running clock window nothing but the last step is told: the steps before it are taken to be like it.
        load = np.maximum(np.asarray(sites.net_load_kw[world]) + self._drawn_kw(world), 0.0)
        drawn = self._window_done(world) * self._snapshot.step_h * load
        return site_of_group, PlanSites(
            feeder=np.asarray(sites.feeder)[every],
            net_load_kw=extended(series.site_load_kw, 0.0),
            import_price_usd_per_kwh=series.import_price_usd_per_kwh[tariff[every]] + drift,
            export_price_usd_per_kwh=series.export_price_usd_per_kwh[tariff[every]] + drift,
            import_limit_kw=extended(series.site_import_limit_kw, np.inf),
            export_limit_kw=extended(series.site_export_limit_kw, np.inf),
            baseline_kw=extended(series.baseline_kw, 0.0),
            demand_usd_per_kw=extended(rate, 0.0),
            peak_kw=extended(peak, 0.0),
            peak_base_kw=extended(peak, 0.0),
            peak_floor_kw=extended(self._peak_floor_kw(world, series), 0.0),
            window_kwh=extended(drawn, 0.0),
            window_base_kwh=extended(drawn, 0.0),
        )

    def _peak_floor_kw(self, world: int, series: Series) -> Array:
        """What will be billed in any case: the peak so far, the base load's, or what other days came to."""
        sites = self._snapshot.sites
        typical = self._assumptions.typical_peak_factor * np.nan_to_num(np.asarray(sites.typical_peak_kw[world], float))
        base = np.maximum(series.site_load_kw.max(axis=1), 0.0)
        return np.asarray(np.maximum(np.maximum(sites.peak_kw[world], base), typical))

    def _drawn_kw(self, world: int) -> Array:
        """What the cars of each site drew in the step before, `(S,)`."""
        snapshot = self._snapshot
        power = np.where(snapshot.ports.plugged[world], snapshot.ports.power_kw[world], 0.0)
        return np.bincount(snapshot.port_site, np.nan_to_num(power), len(snapshot.sites.feeder))

    def _window_done(self, world: int) -> int:
        step_s = round(3600 * self._snapshot.step_h)
        return int(self._snapshot.context.seconds_of_day[world]) // step_s % self._window_steps

    def _carbon(self, series: Series) -> Array:
        if self._assumptions.carbon_usd_per_kg == 0:
            return np.zeros(self._steps)
        return np.asarray(self._assumptions.carbon_usd_per_kg * np.nan_to_num(series.emissions_kg_per_kwh))


def _events(snapshot: Snapshot, world: int, steps: int, drawn_kw: Array, series: Series) -> PlanEvents:
    """The known events that touch the window; of a running one the past is taken to be like the step before."""
    e = snapshot.context.events
    start, end = np.asarray(e.start_step[world]), np.minimum(np.asarray(e.end_step[world]), steps)
    kept = np.asarray(e.known[world]) & (np.maximum(start, 0) < end)
    load = np.asarray(snapshot.sites.net_load_kw[world])
    moved_import = np.maximum(load + drawn_kw, 0.0) - np.maximum(load, 0.0)
    pays = np.asarray(e.pays_export[world])
    moved = np.where(pays, drawn_kw.sum(), moved_import.sum())
    per_step = snapshot.step_h * (series.baseline_kw[:, 0].sum() - moved)
    passed = np.maximum(-start, 0)
    return PlanEvents(
        np.maximum(start, 0)[kept], end[kept], np.asarray(e.rate_usd_per_kwh[world], float)[kept], pays[kept],
        (per_step * passed)[kept],
    )  # fmt: skip


def _unserved_price(snapshot: Snapshot, world: int, series: Series, events: PlanEvents, window_steps: int) -> float:
    highest = max(float(series.import_price_usd_per_kwh.max()), float(series.export_price_usd_per_kwh.max()))
    programme = float(events.rate_usd_per_kwh.max(initial=0.0))
    demand = float(np.asarray(snapshot.sites.demand_rate_usd_per_kw[world]).max()) / (window_steps * snapshot.step_h)
    least = UNSERVED_FACTOR * (highest + programme + demand) / LEAST_EFFICIENCY
    return max(least, LEAST_UNSERVED_USD_PER_KWH)
