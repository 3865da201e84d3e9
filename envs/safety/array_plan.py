"""The look-ahead in array form: reverse-time level filling for all worlds at once; see `plan_kernels`.

Only the cars of sites that cannot wait are planned, and of them in each step only those that it can still serve: all
in one row, of whatever worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .array_columns import fill_columns, fits_columns
from .array_fleet import Fleet, Tools
from .array_latest import crowd_of, own_floors
from .array_level import cut_to_level
from .array_rooms import Rooms
from .library import Library
from .tolerances import LEAST_ROOM_KW, MOST_STEPS, TOLERANCE


class Cars(NamedTuple):
    """The cars that are planned, (K,) each; see `Fleet`."""

    site: Any  # row of the site's room
    feeder: Any
    left: Any
    need: Any
    power: Any
    base: Any
    bend: Any
    rate: Any


def power_at(lib: Library, cars: Fleet | Cars, need: Any) -> Any:
    """Set-point that each car takes at full power where `need` steps of it are missing to the target."""
    tapered = cars.base + (cars.power - cars.base) * lib.ops.decay(cars.rate * (cars.bend - need))
    return lib.ops.where(need >= cars.bend, cars.power, tapered)


def planned_now(t: Tools, fleet: Fleet, need: Any, floors: Any) -> Any:
    """kW (B,) that the floors of this step take together."""
    return (power_at(t.lib, fleet, need) * t.lib.ops.minimum(floors, 1.0) * fleet.here).sum(1)


def floors_of(t: Tools, fleet: Fleet, need: Any, rooms: Rooms, enough: Callable[[Any], bool] | None = None) -> Any:
    """Steps of full power that each car must get now: its own latest start, or its part of the common plan.

    The sites that are hardest to serve are planned first, and the others only where the floors by then, which are too
    low for these, are not `enough`.
    """
    floors, crowd = own_floors(t, fleet, need), crowd_of(t, fleet, need, rooms)
    for sites in (crowd.sites,) if enough is None else (crowd.hard, crowd.sites & ~crowd.hard):
        where = t.lib.places(t.sites.each(sites) & (need > 0))
        if len(where[0]):
            cars, rows = _in_a_row(t, fleet, need, rooms, sites, crowd.feeders, where)
            floors = t.lib.put(floors, where, fill(t.lib, cars, rows, crowd.last))
        if enough is not None and enough(floors):
            break
    return floors


def _in_a_row(
    t: Tools, fleet: Fleet, need: Any, rooms: Rooms, sites: Any, feeders: Any, where: tuple[Any, Any]
) -> tuple[Cars, Rooms]:
    """The cars at `where`, and the rooms (G, H) of their `sites` (B, S) and of all feeders where any may bind."""
    world, port = where
    row = (t.lib.whole(sites).reshape(-1).cumsum(0) - 1).reshape(sites.shape)
    columns = (fleet.left, need, fleet.power, fleet.base, fleet.bend, fleet.rate)
    site, feeder = row[world, t.sites.index[port]], world * t.n_feeders + t.feeders.index[port]
    of_feeders = rooms.feeders.reshape(-1, t.horizon) if bool(feeders.any()) else rooms.feeders[:0, 0]
    return Cars(site, feeder, *(column[where] for column in columns)), Rooms(rooms.sites[sites], of_feeders)


def fill(lib: Library, cars: Cars, rooms: Rooms, last: int) -> Any:
    """Reverse-time level filling from step `last` on: what this step must give, in steps of full power (K,).

    Sites that no feeder ties together are filled as columns, in NumPy: for few cars in two thirds of the time.
    """
    o = lib.ops
    # In later steps all fit, and beyond the outlook nothing is known to bind.
    now = o.maximum(cars.need - o.maximum(cars.left - 1 - last, 0), 0.0)
    if lib.torch is None and not len(rooms.feeders) and fits_columns(cars.site, len(rooms.sites)):
        return fill_columns(cars, rooms.sites, now, last)
    level = rooms.sites[:, 0] * 0
    ahead = rooms.sites.cumsum(-1) if len(rooms.feeders) else None
    for h in range(last, 0, -1):
        served = lib.places((now > 0) & (cars.left > h))
        part, had, room = lib.select(cars, served), now[served], rooms.sites[:, h]
        share = o.minimum(had, 1.0)
        draw = power_at(lib, part, part.need - had + share)
        over = lib.sums(part.site, draw * share, len(room)) > room + TOLERANCE
        if bool(over.any()):
            share, level = cut_to_level(lib, part.site, had, share, draw, room, over, level)
        if ahead is not None:
            key = o.maximum(had, _time_to_clear(lib, cars, now, ahead[:, h] / (h + 1))[part.site])
            share = _fit_feeders(lib, part.feeder, key, share, draw, rooms.feeders[:, h])
        now = lib.put(now, served, o.maximum(had - share, 0.0))
    return now


def _time_to_clear(lib: Library, cars: Cars, now: Any, mean_room: Any) -> Any:
    """Steps (G,) that each site takes for all its cars at its mean room (G,) from now on."""
    clear = lib.sums(cars.site, cars.power * now, len(mean_room)) / lib.ops.maximum(mean_room, LEAST_ROOM_KW)
    return lib.ops.minimum(clear, MOST_STEPS)


def _fit_feeders(lib: Library, feeder: Any, key: Any, share: Any, draw: Any, room: Any) -> Any:
    """Cut the shares to the feeders' `room`, the greater of own need and the site's time to clear first."""
    over = lib.sums(feeder, draw * share, len(room)) > room + TOLERANCE
    return cut_to_level(lib, feeder, key, share, draw, room, over, room * 0)[0] if bool(over.any()) else share
