"""Room under the shared limits, compiled: what sites and feeders leave to their cars in each step ahead."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..physics.compiling import kernel


class Bounds(NamedTuple):
    """Extremes of the series over all their steps: a total that fits them fits every step."""

    least_limit: Any  # (U, G)
    most_load: Any  # (U, G)
    most_expected: Any  # (U, G)


class Limits(NamedTuple):
    """The shared limits of all worlds, as the snapshot's outlooks."""

    site_limit: Any
    site_load: Any
    feeder_limit: Any
    feeder_load: Any
    site_expected: Any  # (U, S, A, C) kW that expected arrivals will draw, by hour of issue and hour
    feeder_expected: Any
    expected_row: Any  # (B,)
    expected_hour: Any  # (B,)
    site_bounds: Any  # `Bounds`
    feeder_bounds: Any
    site_feeder: Any  # (S,)
    horizon: int
    step_h: float
    rounding: float


@kernel
def room_of(b, g, h, limit, load, expected, limits, headroom, arrivals):
    """kW that a site or feeder `g` can give its cars in step `h` from now; the margins are the reserve's."""
    k = limit.start[b] + h
    room = max(limit.values[limit.row[b], g, k] - load.values[load.row[b], g, k], 0.0) * headroom
    if arrivals > 0.0 and expected.shape[3] > 0:
        hour = min(limits.expected_hour[b], expected.shape[2] - 1)
        # Half a step on, so that rounding cannot move the hour.
        ahead = limits.expected_hour[b] + int((h + 0.5) * limits.step_h)
        if ahead < expected.shape[3]:
            room -= arrivals * expected[limits.expected_row[b], g, hour, ahead]
    return max(room, 0.0)


@kernel
def feeder_room(b, f, h, limits, headroom, arrivals):
    """kW that feeder `f` can give its cars in step `h` from now."""
    return room_of(
        b, f, h, limits.feeder_limit, limits.feeder_load, limits.feeder_expected, limits, headroom, arrivals
    )  # fmt: skip


@kernel
def site_room(b, s, h, limits, headroom, arrivals):
    """kW that site `s` can give its cars in step `h` from now.

    One site on its feeder: the lesser room of the two, and the feeder need not be looked at again.
    """
    room = room_of(b, s, h, limits.site_limit, limits.site_load, limits.site_expected, limits, headroom, arrivals)
    if limits.site_feeder.shape[0] == 1:
        room = min(room, feeder_room(b, limits.site_feeder[s], h, limits, headroom, arrivals))
    return room


@kernel
def least_room(b, g, limit, load, bounds, limits, headroom, arrivals):
    """kW that a site or feeder `g` can give its cars at any time, at least."""
    room = max(bounds.least_limit[limit.row[b], g] - bounds.most_load[load.row[b], g], 0.0) * headroom
    return room - arrivals * bounds.most_expected[limits.expected_row[b], g]


@kernel
def least_site_room(b, s, limits, headroom, arrivals):
    """As `site_room`, for whatever step."""
    room = least_room(b, s, limits.site_limit, limits.site_load, limits.site_bounds, limits, headroom, arrivals)
    if limits.site_feeder.shape[0] == 1:
        room = min(room, least_feeder_room(b, limits.site_feeder[s], limits, headroom, arrivals))
    return room


@kernel
def least_feeder_room(b, f, limits, headroom, arrivals):
    """As `feeder_room`, for whatever step."""
    return least_room(b, f, limits.feeder_limit, limits.feeder_load, limits.feeder_bounds, limits, headroom, arrivals)
