"""How much each car can draw and give in each step, and between which powers each meter lies, whatever is planned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .battery import Battery, battery_of, full_power
from .problem import Problem

Array = NDArray[Any]


class Rooms(NamedTuple):
    """What the limits leave to the cars, not below 0: exports make room for imports, not the other way round."""

    site_import_kw: Array  # (S, T)
    site_export_kw: Array
    feeder_import_kw: Array  # (F, T)
    feeder_export_kw: Array


class Powers(NamedTuple):
    """Bounds of the powers; `L` pairs of a stay and one of its steps."""

    rooms: Rooms
    charge_kw: Array  # (L,) most that the car draws
    discharge_kw: Array  # (L,) most that it gives
    least_net_kw: Array  # (S, T) of the meter, cars included
    most_net_kw: Array  # (S, T)
    connected: Array  # (S, T) whether any car can draw or give there

    @property
    def changes_sign(self) -> Array:
        """Where a meter may import and may export `(S, T)`."""
        return np.asarray(self.connected & (self.least_net_kw < 0) & (self.most_net_kw > 0))


def rooms_of(problem: Problem) -> Rooms:
    """The room under every limit; where the load without cars alone breaks one, cars get none (contracts 5)."""
    s, f = problem.sites, problem.feeders
    return Rooms(
        np.maximum(s.import_limit_kw - s.net_load_kw, 0.0),
        np.maximum(s.export_limit_kw + s.net_load_kw, 0.0),
        np.maximum(f.import_limit_kw - f.net_load_kw, 0.0),
        np.maximum(f.export_limit_kw + f.net_load_kw, 0.0),
    )


def powers_of(problem: Problem, battery: Battery, stay: Array, step: Array) -> Powers:
    """Bounds from charger, battery and limits.

    Args:
        problem: the window.
        battery: of its stays.
        stay: `(L,)` stay of each pair.
        step: `(L,)` step of each pair.
    """
    s, rooms = problem.sites, rooms_of(problem)
    site = problem.stays.site[stay]
    feeder = s.feeder[site]
    give = np.where(_has_floor(problem, battery, stay, step), problem.stays.max_discharge_kw[stay], 0.0)
    give = np.minimum(give, np.minimum(rooms.site_export_kw[site, step], rooms.feeder_export_kw[feeder, step]))
    has_room = problem.stays.top_kwh > problem.stays.start_kwh
    makes_room = np.bincount(stay, give, len(has_room)) > 0
    take = np.where((has_room | makes_room)[stay], battery.draw_kw[stay], 0.0)
    sites, feeders = len(s), len(problem.feeders.net_load_kw)
    on_site, on_feeder = (sum_by(g, step, give, (n, problem.n_steps)) for g, n in ((site, sites), (feeder, feeders)))
    take = np.minimum(take, rooms.site_import_kw[site, step] + on_site[site, step] - give)
    take = np.minimum(take, rooms.feeder_import_kw[feeder, step] + on_feeder[feeder, step] - give)
    most = np.minimum(sum_by(site, step, take, on_site.shape), rooms.site_import_kw)
    least = np.minimum(on_site, rooms.site_export_kw)
    return Powers(rooms, take, give, s.net_load_kw - least, s.net_load_kw + most, (most > 0) | (least > 0))


def _has_floor(problem: Problem, battery: Battery, stay: Array, step: Array) -> Array:
    """Whether the car can have come to its export floor before the step."""
    stays = problem.stays
    hours = (step - stays.from_step[stay]) * problem.step_h
    reach = full_power(battery.of(stay), stays.start_kwh[stay], hours).level_kwh
    return np.asarray(np.maximum(reach, stays.start_kwh[stay]) > stays.export_floor_kwh[stay])


def surely_kwh(problem: Problem, rooms: Rooms, stay: Array, step: Array, first: Array) -> Array:
    """Energy that the projection sees to, at the end of each pair of a stay and a step `(L,)`.

    A car below its minimum charges at once (contracts 5), and none exports below it. That is sure in steps where all
    connected cars at full set-point fit under the limits; in others it may have to wait.
    """
    stays = problem.stays
    level = stays.start_kwh[stay].astype(float)
    if stays.at_once_kwh is None or stays.at_once_kw is None:
        return level
    battery = battery_of(replace(stays, max_charge_kw=stays.at_once_kw))
    fits, length = _all_fit(problem, rooms, stay, step), stays.to_step - stays.from_step
    low = np.flatnonzero((stays.at_once_kwh > stays.start_kwh) & (battery.full_kw > 0))
    now = stays.start_kwh[low].astype(float)
    for offset in range(int(length[low].max(initial=0))):
        here = offset < length[low]
        pair = first[low[here]] + offset
        reached = full_power(battery.of(low[here]), now[here], problem.step_h).level_kwh
        goal = np.maximum(np.minimum(reached, stays.at_once_kwh[low[here]]), now[here])
        now[here] = np.where(fits[pair], goal, now[here])
        level[pair] = now[here]
    return level


def _all_fit(problem: Problem, rooms: Rooms, stay: Array, step: Array) -> Array:
    """Whether all connected cars can have their full set-points at the pair's site and feeder."""
    site = problem.stays.site[stay]
    feeder, power = problem.sites.feeder[site], problem.stays.max_charge_kw[stay]
    fits = np.full(len(stay), True)
    for group, room in ((site, rooms.site_import_kw), (feeder, rooms.feeder_import_kw)):
        fits &= (sum_by(group, step, power, room.shape) <= room)[group, step]
    return fits


def sum_by(group: Array, step: Array, values: Array, shape: tuple[int, ...]) -> Array:
    """Sums of the pairs' values by group and step, in that shape."""
    return np.bincount(group * shape[1] + step, values, shape[0] * shape[1]).reshape(shape)
