"""The least shortfall that perfect foresight could reach on a day, as a linear programme (HiGHS).

It knows every stay, obeys the limits on set-points and the chargers, and relaxes only outward: no minimum current, no
steps, the best efficiency that a charger has, the taper as tangents. So its shortfall is a lower bound. It charges
only; moving energy from car to car is not in it.

The taper. Within a step of `h` hours at battery power `b`, with `tau = C (1-s_t)/B`, `delta = h/tau`, open SoC
`o = 1 - s` and `y = (1-s_t) b/B` the open SoC at which this power begins to taper, a car that reaches its taper within
the step ends at `o' = y exp(o/y - 1 - delta)`. That is homogeneous and convex in `(o, y)`, so its tangent at the ratio
`w = o/y` is `o' >= exp(w - 1 - delta) (o + (1-w) y)`, valid everywhere; `w = 1` is the pure taper and `w = 1 + delta`
the constant power. A few ratios between them make the programme tight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.physics.backends import ledger_model
from ...envs.world.scenario import Scenario

Array = NDArray[Any]

TANGENTS = 4
"""Tangents to the taper for each car and step, the two exact ends included."""

INFEASIBLE = 2
"""SciPy's status for a programme without a solution."""

ALWAYS_ENOUGH = 1e9
"""kW; a limit of this much or more is none."""


@dataclass(frozen=True)
class Charging:
    """A day as the programme sees it: J stays, S sites, F feeders, T steps; energies kWh at the battery."""

    step_h: float
    arrive: Array  # (J,) steps
    depart: Array  # (J,) at most T
    start_kwh: Array  # (J,)
    need_kwh: Array  # (J,) that alone on the site the car could get
    power_kw: Array  # (J,) highest set-point of use
    efficiency: Array  # (J,) the best that the charger has
    capacity_kwh: Array  # (J,)
    taper_soc: Array  # (J,)
    accept_kw: Array  # (J,)
    site: Array  # (J,)
    site_feeder: Array  # (S,)
    site_room_kw: Array  # (S, T) limit less the load without cars, not below 0
    feeder_room_kw: Array  # (F, T)


def charging_of(day: Scenario) -> Charging:
    """What the programme needs of a scenario; needs are what the ledger counts as feasible (contracts 3)."""
    s, t = day.stays, day.n_steps
    depart = np.minimum(s.depart_step, t)
    power = np.minimum(s.max_charge_kw, (s.battery_accept_kw + s.fixed_loss_kw) / s.charge_efficiency)
    load = day.feeder_other_load_kw[:, :t] + np.stack(
        [day.site_net_load_kw[day.site_feeder == f, :t].sum(0) for f in range(day.n_feeders)]
    )
    return Charging(
        step_h=day.step_h,
        arrive=s.arrive_step,
        depart=depart,
        start_kwh=s.soc_arrive * s.capacity_kwh,
        need_kwh=_feasible_kwh(day, depart),
        power_kw=power,
        efficiency=s.charge_efficiency - s.fixed_loss_kw / power,
        capacity_kwh=s.capacity_kwh,
        taper_soc=s.taper_soc,
        accept_kw=s.battery_accept_kw,
        site=day.port_site[s.port],
        site_feeder=day.site_feeder,
        site_room_kw=np.maximum(day.site_import_limit_kw[:, :t] - day.site_net_load_kw[:, :t], 0.0),
        feeder_room_kw=np.maximum(day.feeder_import_limit_kw[:, :t] - load, 0.0),
    )


def _feasible_kwh(day: Scenario, depart: Array) -> Array:
    s, ledger = day.stays, ledger_model("numpy")
    port = (
        s.max_charge_kw,
        s.capacity_kwh,
        s.taper_soc,
        s.battery_accept_kw,
        s.charge_efficiency,
        s.fixed_loss_kw,
    )
    after_h = np.maximum(s.said_depart_step - day.n_steps, 0) * day.step_h
    floor = np.where(s.soc_known, s.min_soc, 0.0)
    target = ledger.end_target(s.target_soc, floor, after_h, *port)
    at_end = np.minimum(s.asked_kwh, s.capacity_kwh * (target - s.soc_arrive))
    asked = np.where(s.depart_step > day.n_steps, at_end, s.asked_kwh)
    stay_h = (depart - s.arrive_step) * day.step_h
    could = ledger.feasible(asked, s.stop_soc, s.soc_arrive, stay_h, *port)
    could_kwh: Array = np.maximum(np.asarray(could), 0.0)
    return could_kwh


def tightness(day: Charging) -> float:
    """The factor on all room under the limits at which everybody can only just be served: 1 is a full day.

    Infinite where a car needs a time in which there is no room at all.
    """
    return _Programme(day).solve(scale=None)


def least_shortfall_kwh(day: Charging) -> float:
    """The least energy, kWh at the batteries, that stays missing at the departures."""
    return _Programme(day).solve(scale=1.0)


class _Programme:
    """Columns: a set-point for each step of a stay, the energy after it where the taper matters, the shortfall of
    each stay, and the factor on all limits."""

    def __init__(self, day: Charging) -> None:
        self.day = day
        self.steps = np.maximum(day.depart - day.arrive, 0)
        self.first = np.concatenate([[0], np.cumsum(self.steps)])
        knee = np.maximum(day.taper_soc, 1 - (1 - day.taper_soc) * day.efficiency * day.power_kw / day.accept_kw)
        self.bends = (day.start_kwh + day.need_kwh) / day.capacity_kwh > knee
        self.energy = np.full(len(day.arrive), -1)
        at = int(self.first[-1])
        for j in np.flatnonzero(self.bends):
            self.energy[j] = at
            at += int(self.steps[j])
        self.missing, self.factor = at, at + len(day.arrive)
        self._rows: list[Array] = []
        self._columns: list[Array] = []
        self._values: list[Array] = []
        self._upper: list[Array] = []
        self._n_rows = 0

    def solve(self, scale: float | None) -> float:
        """Minimise the shortfall under the limits times `scale`, or, for None, the scale without shortfall."""
        if not self.day.need_kwh.any():
            return 0.0
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        self._serve()
        self._limit()
        count = self.factor + 1
        low, high, cost = np.zeros(count), self._bounds(), np.zeros(count)
        if scale is None:
            cost[self.factor] = 1.0
            high[self.missing : self.factor] = 0.0
        else:
            cost[self.missing : self.factor] = 1.0
            low[self.factor] = high[self.factor] = scale
        index = (np.concatenate(self._rows), np.concatenate(self._columns))
        matrix = coo_array((np.concatenate(self._values), index), (self._n_rows, count)).tocsr()
        found = linprog(
            cost,
            A_ub=matrix,
            b_ub=np.concatenate(self._upper),
            bounds=np.stack([low, high], 1),
            method="highs",
        )
        if found.status == INFEASIBLE and scale is None:
            return np.inf
        if found.status != 0:
            raise RuntimeError(f"the programme of the least shortfall was not solved: {found.message}")
        return float(found.fun)

    def _bounds(self) -> Array:
        day, high = self.day, np.full(self.factor + 1, np.inf)
        high[: self.first[-1]] = np.repeat(day.power_kw, self.steps)
        for j in np.flatnonzero(self.bends):
            high[self.energy[j] : self.energy[j] + self.steps[j]] = day.start_kwh[j] + day.need_kwh[j]
        return high

    def _add(self, row: Array, column: Array, value: Array, upper: Array) -> None:
        self._rows.append(np.asarray(row) + self._n_rows)
        self._columns.append(np.asarray(column))
        self._values.append(np.asarray(value, float))
        self._upper.append(np.asarray(upper, float))
        self._n_rows += len(upper)

    def _serve(self) -> None:
        for j, steps in enumerate(self.steps):
            power = self.first[j] + np.arange(steps)
            if self.bends[j] and steps:
                self._taper(j, power)
                continue
            gain = -self.day.efficiency[j] * self.day.step_h
            columns = np.append(power, self.missing + j)
            values = np.append(np.full(steps, gain), -1.0)
            self._add(np.zeros(steps + 1, int), columns, values, np.array([-self.day.need_kwh[j]]))

    def _taper(self, j: int, power: Array) -> None:
        day, steps = self.day, len(power)
        energy = self.energy[j] + np.arange(steps)
        kappa = (1 - day.taper_soc[j]) / day.accept_kw[j]
        delta = day.step_h / (day.capacity_kwh[j] * kappa)
        row = np.arange(steps)
        for ratio in 1.0 + delta * np.linspace(0.0, 1.0, TANGENTS):
            decay = np.exp(ratio - 1.0 - delta)
            pull = (1.0 - ratio) * decay * kappa * day.efficiency[j] * day.capacity_kwh[j]
            upper = np.full(steps, day.capacity_kwh[j] * (1.0 - decay))
            upper[0] += decay * day.start_kwh[j]
            self._add(
                np.concatenate([row, row[1:], row]),
                np.concatenate([energy, energy[:-1], power]),
                np.concatenate([np.ones(steps), np.full(steps - 1, -decay), np.full(steps, pull)]),
                upper,
            )
        goal = day.start_kwh[j] + day.need_kwh[j]
        self._add(np.zeros(2, int), np.array([energy[-1], self.missing + j]), -np.ones(2), np.array([-goal]))

    def _limit(self) -> None:
        day = self.day
        step = np.concatenate([np.arange(a, d) for a, d in zip(day.arrive, day.depart, strict=True)])
        site = np.repeat(day.site, self.steps)
        self._under(site, step, day.site_room_kw)
        self._under(day.site_feeder[site], step, day.feeder_room_kw)

    def _under(self, group: Array, step: Array, room: Array) -> None:
        """Set-points of a group in a step stay under its room times the factor."""
        binds = room[group, step] < ALWAYS_ENOUGH
        cell = (group * room.shape[1] + step)[binds]
        cells, row = np.unique(cell, return_inverse=True)
        if len(cells) == 0:
            return
        self._add(
            np.concatenate([row, np.arange(len(cells))]),
            np.concatenate([np.flatnonzero(binds), np.full(len(cells), self.factor)]),
            np.concatenate([np.ones(len(row)), -room.ravel()[cells]]),
            np.zeros(len(cells)),
        )
