"""What sites and feeders leave to their cars, now and ahead, in array form; see `plan_kernels.site_room`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..snapshot import Outlook, Snapshot
from .array_fleet import Tools

ENOUGH_KW = 1e9
"""Stands for a limit that is none, so that sums of rooms stay numbers."""


class Rooms(NamedTuple):
    """kW for the cars of each site (B, S, ...) and feeder (B, F, ...)."""

    sites: Any
    feeders: Any


def import_room_now(t: Tools, snapshot: Snapshot) -> Rooms:
    """kW that the cars may draw now, (B, S) and (B, F)."""
    return Rooms(*(
        t.lib.ops.maximum(t.lib.doubles(group.import_limit_kw.now()) - t.lib.doubles(group.net_load_kw), 0.0)
        for group in (snapshot.sites, snapshot.feeders)
    ))  # fmt: skip


def export_room_now(t: Tools, snapshot: Snapshot) -> Rooms:
    """kW that the cars may give now, (B, S) and (B, F)."""
    return Rooms(*(
        t.lib.ops.maximum(t.lib.doubles(group.export_limit_kw.now()) + t.lib.doubles(group.net_load_kw), 0.0)
        for group in (snapshot.sites, snapshot.feeders)
    ))  # fmt: skip


def rooms_ahead(t: Tools, snapshot: Snapshot) -> Rooms:
    """Forecast headroom of the next H steps without margins; hand it to `planned` before planning with it."""

    def headroom(limit: Outlook, load: Outlook) -> Any:
        limits, loads = (t.lib.doubles(series.window(t.horizon)) for series in (limit, load))
        return t.lib.clip(limits - loads, 0.0, ENOUGH_KW)

    s, f = snapshot.sites, snapshot.feeders
    return Rooms(
        headroom(s.import_limit_kw, s.net_load_forecast_kw), headroom(f.import_limit_kw, f.net_load_forecast_kw)
    )


def planned(
    t: Tools, snapshot: Snapshot, rooms: Rooms, headroom: float, arrivals: float, expected: tuple[Any, Any] | None
) -> Rooms:
    """Rooms to plan with: less the margins, and for a single site the lesser of its own and its feeder's."""
    o = t.lib.ops
    sites, feeders = (room * headroom if headroom != 1.0 else room for room in rooms)
    if arrivals > 0.0 and expected is not None:
        sites, feeders = (
            o.maximum(room - _later(t, snapshot, table, room, arrivals), 0.0)
            for room, table in zip((sites, feeders), expected, strict=True)
        )
    if t.one_site:
        sites = o.minimum(sites, feeders[:, t.feeder_of])
    return Rooms(sites, feeders)


def _later(t: Tools, snapshot: Snapshot, table: Any, like: Any, share: float) -> Any:
    """A share of the expected load (B, G, H) of later arrivals from a table (U, G, A, C) by hour of issue and ahead."""
    issues, hours = table.shape[2:]
    if hours == 0:
        return like * 0
    s, table, per_hour = snapshot.sites, t.lib.array(table, like), round(1.0 / t.step_h)
    ahead = s.arrivals_hour[:, None] + t.lib.count(0, -(-t.horizon // per_hour), like)
    issued = table[s.arrivals_row, :, t.lib.ops.minimum(s.arrivals_hour, issues - 1)]
    world = t.lib.count(0, len(like), like)[:, None]
    load = issued[world, :, t.lib.ops.minimum(ahead, hours - 1)] * (share * (ahead < hours))[..., None]
    # An hour's figure stands for all its steps.
    return t.lib.repeat(load.swapaxes(1, 2), per_hour)[..., : t.horizon]
