"""Cars served one after the other while the rooms last, in array form; see `import_kernels.share_imports`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..physics.backends import port_model
from .array_fleet import Fleet, Tools
from .array_rooms import Rooms
from .ranking import pick, unsorted

FEW_WORLDS = 32
"""Up to so many worlds plain numbers beat arrays of a number per world: 0.03 s in place of 0.63 s for 10,000 cars."""


def serve(t: Tools, fleet: Fleet, order: Any, aim: Any, share: Any, rooms: Rooms) -> tuple[Any, Rooms]:
    """Raise shares toward `aim` (B, N) in the given order of ports while the rooms last."""
    few = t.lib.torch is None and len(order) <= FEW_WORLDS
    return (_by_world if few else _by_rank)(t, fleet, order, aim, share, rooms)


def _by_rank(t: Tools, fleet: Fleet, order: Any, aim: Any, share: Any, rooms: Rooms) -> tuple[Any, Rooms]:
    """The first cars of all worlds, then the second ones, and so on."""
    o, lib, served = t.lib.ops, t.lib, []
    sites, feeders = rooms
    site_of, feeder_of = t.sites.index[order], t.feeders.index[order]
    for rank in range(order.shape[1]):
        has, goal, step, least = (pick(lib, x, order, rank) for x in (share, aim, fleet.step, fleet.min_charge))
        room = o.minimum(pick(lib, sites, site_of, rank), pick(lib, feeders, feeder_of, rank))
        give = t.port.floor_to_step(o.minimum(goal, has + o.maximum(room, 0.0)), step, t.rounding)
        passed = (goal <= has) | (give <= has) | (give * (1.0 + t.rounding) < least)
        more = o.where(passed, 0.0, give - has)
        sites = lib.less_at(sites, site_of[:, rank : rank + 1], more)
        feeders = lib.less_at(feeders, feeder_of[:, rank : rank + 1], more)
        served.append(o.where(passed, has, give))
    return unsorted(lib, lib.stack(served), order), Rooms(sites, feeders)


def _by_world(t: Tools, fleet: Fleet, order: Any, aim: Any, share: Any, rooms: Rooms) -> tuple[Any, Rooms]:
    """World after world, in plain numbers."""
    share, rooms = share.copy(), Rooms(*(room.copy() for room in rooms))
    for world, ports in enumerate(order):
        ports = ports[(aim > share)[world, ports]]
        whole = t.port.floor_to_step(aim[world, ports], fleet.step[world, ports], t.rounding)
        has, goal, step, least = (column[world, ports] for column in (share, aim, fleet.step, fleet.min_charge))
        groups = (t.sites.index[ports], t.feeders.index[ports])
        sites, feeders = (room[world].tolist() for room in rooms)
        share[world, ports] = _served([has, goal, whole, step, least, *groups], sites, feeders, t.rounding)
        rooms.sites[world], rooms.feeders[world] = sites, feeders
    return share, rooms


def _served(columns: list[Any], sites: list[float], feeders: list[float], rounding: float) -> list[float]:
    """What each car of one world has in the end; the rooms of `sites` and `feeders` shrink by it."""
    floor_to_step, served = port_model("plain").floor_to_step, []
    for has, goal, whole, step, least, s, f in zip(*(np.asarray(x).tolist() for x in columns), strict=True):
        room = min(sites[s], feeders[f])
        give = has
        if room > 0.0:
            give = whole if has + room >= goal else floor_to_step(has + room, step, rounding)
            if give <= has or give * (1.0 + rounding) < least:
                give = has
            sites[s] -= give - has
            feeders[f] -= give - has
        served.append(give)
    return served
