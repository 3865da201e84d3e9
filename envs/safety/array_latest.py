"""Where the cars can all wait for their own latest start, in array form: those need no plan; see `fit_kernels`."""

from __future__ import annotations

from typing import Any, NamedTuple

from .array_fleet import Fleet, Tools
from .array_rooms import Rooms
from .tolerances import LEAST_ROOM_KW, TOLERANCE

MANY_CARS = 1000
"""From so many on it is worth planning the sites that are hardest to serve first."""

NEARLY = 0.95
"""Share of the hardest site's load that makes a site one of the hardest."""


class Crowd(NamedTuple):
    """Where the latest starts of the cars do not fit together."""

    worlds: Any  # (B,)
    sites: Any  # (B, S) whose cars have to be planned, for their own sake or their feeder's
    hard: Any  # (B, S) those of them that are hardest to serve, and need not be planned with the others
    feeders: Any  # (B, F) that may bind beside their sites
    last: int  # step after which they all fit


def own_floors(t: Tools, fleet: Fleet, need: Any) -> Any:
    """Each car's own latest start, as if it were alone."""
    return t.lib.ops.maximum(need - (fleet.left - 1), 0.0)


def crowd_of(t: Tools, fleet: Fleet, need: Any, rooms: Rooms) -> Crowd:
    """Who cannot wait; for everybody else the own latest starts are the floors, exactly."""
    need = t.lib.frozen(need)
    load = late_load(t, fleet, need)
    over = _over(load, rooms.sites)
    sites = over.any(-1)
    if t.one_site:
        return Crowd(sites[:, 0], sites, sites, sites[:, :0], _last(over))
    feeders_over = _over(_by_feeder(t, load), rooms.feeders)
    # A site that has to be planned loads its feeder otherwise than the latest starts do.
    feeders = feeders_over.any(-1) | (_by_feeder(t, t.lib.doubles(sites[..., None])) > 0)[..., 0]
    worlds, last = feeders.any(-1), max(_last(over), _last(feeders_over))
    if bool(worlds.any()):
        feeders = feeders & _may_bind(t, fleet, need, rooms)
        sites = sites | feeders[:, t.feeder_of]
    apart = fleet.left.shape[1] >= MANY_CARS and not bool(feeders.any())
    return Crowd(worlds, sites, _hardest(t, sites, load, rooms.sites, last) if apart else sites, feeders, last)


def late_load(t: Tools, fleet: Fleet, need: Any) -> Any:
    """kW (B, S, H) of each site if each car starts at its latest moment; noted as changes from step to step first."""
    o, lib, worlds, steps = t.lib.ops, t.lib, len(need), t.horizon + 1
    start = fleet.left - need
    whole = o.maximum(-o.floor(-start), 1.0)
    counted = (need > 0) & (whole < steps)
    whole = lib.whole(o.where(counted, whole, 1.0))
    power = lib.frozen(fleet.power) * counted
    begun = power * o.where(whole > 1, whole - start, 0.0)
    sites = len(t.feeder_of)
    first = (lib.count(0, worlds, need)[:, None] * sites + t.sites.index) * steps
    ends = o.minimum(fleet.left, t.horizon)
    places = lib.join([first + whole - 1, first + whole, first + ends], 1)
    changes = lib.join([begun, power - begun, -power], 1)
    changes = lib.sums(places.reshape(-1), changes.reshape(-1), worlds * sites * steps)
    return changes.reshape(worlds, sites, steps).cumsum(-1)[..., :-1]


def _hardest(t: Tools, sites: Any, load: Any, room: Any, last: int) -> Any:
    """Those of the `sites` (B, S) that need nearly as great a share of their room as any of them needs."""
    room_kw = t.lib.ops.maximum(room[..., : last + 1].sum(-1), LEAST_ROOM_KW)
    share = load[..., : last + 1].sum(-1) / room_kw * sites
    return sites & (share >= NEARLY * share.max())


def _over(load: Any, room: Any) -> Any:
    """Flags (B, G, H - 1) of the steps after this one in which the load is more than the room."""
    return load[..., 1:] > room[..., 1:] + TOLERANCE


def _last(over: Any) -> int:
    """The last step that is flagged for anybody; 0 where none is."""
    steps = over.any(0).any(0)
    return 1 + int(steps.nonzero()[-1].max()) if bool(steps.any()) else 0


def _by_feeder(t: Tools, of_sites: Any) -> Any:
    """Sums (B, F, H) over the sites of each feeder."""
    worlds, _, steps = of_sites.shape
    feeder = t.lib.count(0, worlds, of_sites)[:, None] * t.n_feeders + t.feeder_of
    places = feeder[..., None] * steps + t.lib.count(0, steps, of_sites)
    sums = t.lib.sums(places.reshape(-1), of_sites.reshape(-1), worlds * t.n_feeders * steps)
    return sums.reshape(worlds, t.n_feeders, steps)


def _may_bind(t: Tools, fleet: Fleet, need: Any, rooms: Rooms) -> Any:
    """Feeders (B, F) whose room is less than what their sites and cars could ever draw together."""
    most = t.sites.total(t.lib.frozen(fleet.power) * (need > 0))[..., None]
    drawn = _by_feeder(t, t.lib.ops.minimum(t.lib.frozen(rooms.sites), most))
    return _over(drawn, rooms.feeders).any(-1)
