"""The look-ahead in array form: reverse-time level filling for all worlds at once; see `plan_kernels`."""

from __future__ import annotations

from typing import Any

from .array_fleet import Fleet, Tools
from .array_level import cut_to_level
from .array_rooms import Rooms
from .tolerances import LEAST_ROOM_KW, MOST_STEPS, TOLERANCE


def own_floors(t: Tools, fleet: Fleet, need: Any) -> Any:
    """Each car's own latest start, as if it were alone."""
    return t.lib.ops.maximum(need - (fleet.left - 1), 0.0)


def floors_of(t: Tools, fleet: Fleet, need: Any, rooms: Rooms) -> Any:
    """Steps of full power that each car must get now: its own latest start, or its part of the common plan."""
    waits = latest_starts_fit(t, fleet, need, rooms)
    (floors,) = t.lib.in_worlds(
        ~waits, lambda *part: (fill(t, *part),), (own_floors(t, fleet, need),), fleet, need, rooms
    )
    return floors


def power_at(t: Tools, fleet: Fleet, need: Any) -> Any:
    """Set-point that each car takes at full power where `need` steps of it are missing to the target."""
    o, f = t.lib.ops, fleet
    tapered = f.base + (f.power - f.base) * o.decay(f.rate * (f.bend - need))
    return o.where(need >= f.bend, f.power, tapered)


def planned_now(t: Tools, fleet: Fleet, need: Any, floors: Any) -> Any:
    """kW (B,) that the floors of this step take together."""
    return (power_at(t, fleet, need) * t.lib.ops.minimum(floors, 1.0) * fleet.here).sum(1)


def last_step(t: Tools, fleet: Fleet) -> int:
    """Steps from now that anybody can still use, within the outlook."""
    return min(int(fleet.left.max()), t.horizon)


def latest_starts_fit(t: Tools, fleet: Fleet, need: Any, rooms: Rooms) -> Any:
    """Whether everybody can wait for the own latest start (B,): then these starts are the floors, exactly."""
    o, last = t.lib.ops, max(last_step(t, fleet), 1)
    need = t.lib.frozen(need)[..., None]
    left, power = fleet.left[..., None], fleet.power[..., None]
    steps = t.lib.count(1, last, fleet.left)
    share = o.minimum(o.maximum(steps + 1 - (left - need), 0.0), 1.0)
    load = o.where((steps < left) & (need > 0), share * power, 0.0)
    fits = (t.sites.profile(load) <= rooms.sites[..., 1:last] + TOLERANCE).all(-1).all(-1)
    if t.one_site:
        return fits
    return fits & (t.feeders.profile(load) <= rooms.feeders[..., 1:last] + TOLERANCE).all(-1).all(-1)


def fill(t: Tools, fleet: Fleet, need: Any, rooms: Rooms) -> Any:
    """Reverse-time level filling: what this step must give, in steps of full power (B, N)."""
    o, f = t.lib.ops, fleet
    # Beyond the outlook nothing is known to bind: what fits there need not be planned here.
    now = o.maximum(need - o.maximum(f.left - t.horizon, 0), 0.0)
    ahead = None if t.one_site else rooms.sites.cumsum(-1)
    for h in range(last_step(t, f) - 1, 0, -1):
        share = o.where(f.left > h, o.minimum(now, 1.0), 0.0)
        draw = power_at(t, f, need - now + share)
        room, load = rooms.sites[..., h], t.sites.total(draw * share)
        over = load > room + TOLERANCE
        if bool(over.any()):
            share = cut_to_level(t.lib, t.sites, now, share, draw, room, over)
        if ahead is not None:
            share = _fill_feeders(t, f, now, share, draw, rooms.feeders[..., h], ahead[..., h] / (h + 1))
        now = o.maximum(now - share, 0.0)
    return now


def _fill_feeders(t: Tools, fleet: Fleet, now: Any, share: Any, draw: Any, room: Any, mean_room: Any) -> Any:
    """Cut the shares to the feeders' `room`, the greater of own need and the site's time to clear first."""
    o = t.lib.ops
    over = t.feeders.total(draw * share) > room + TOLERANCE
    if not bool(over.any()):
        return share
    clear = t.sites.total(fleet.power * now) / o.maximum(mean_room, LEAST_ROOM_KW)
    key = o.maximum(now, t.sites.each(o.minimum(clear, MOST_STEPS)))
    return cut_to_level(t.lib, t.feeders, key, share, draw, room, over)
