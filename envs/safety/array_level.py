"""Cutting shares to a room by a common level, in array form; see `plan_kernels.level`."""

from __future__ import annotations

from typing import Any

from .library import Library
from .tolerances import MAX_LEVEL_STEPS, NARROW, TOLERANCE


def cut_to_level(lib: Library, group: Any, key: Any, share: Any, draw: Any, room: Any, over: Any) -> Any:
    """Cut the shares (B, N) of the groups that are `over` (B, G) to `room` kW, largest keys first.

    A cut share is what the car's key exceeds a level that is common to its group.
    """
    o = lib.ops
    fixed = [lib.frozen(value) for value in (key, share, draw, room)]
    level = _find_level(lib, group, fixed[0], fixed[1], fixed[2], fixed[3], over)
    if lib.torch is not None:
        # One step of Newton's method whose value is nil: it carries the gradient of the level.
        part = o.minimum(o.maximum(key - group.each(level), 0.0), share)
        excess = group.total(draw * part) - room
        slope = lib.frozen(group.total(draw * ((part > 0) & (part < share))))
        moved = over & (slope > 0)
        level = level + o.where(moved, excess - lib.frozen(excess), 0.0) / o.where(moved, slope, 1.0)
    cut = o.minimum(o.maximum(key - group.each(level), 0.0), share)
    return o.where(group.each(over), cut, share)


def _find_level(lib: Library, group: Any, key: Any, share: Any, draw: Any, room: Any, over: Any) -> Any:
    """Newton's method on a piecewise linear function inside a bracket, from where the sorted bends put the level."""
    o = lib.ops
    hi = group.highest(key)
    lo = hi * 0
    at = o.minimum(o.maximum(_by_sorting(lib, group, key, share, draw, room), lo), hi)
    for _ in range(MAX_LEVEL_STEPS):
        part = o.minimum(o.maximum(key - group.each(at), 0.0), share)
        excess = group.total(draw * part) - room
        over = over & (o.maximum(excess, -excess) > TOLERANCE)
        if not bool(over.any()):
            break
        slope = group.total(draw * ((part > 0) & (part < share)))
        lo, hi = o.where(over & (excess > 0), at, lo), o.where(over & (excess <= 0), at, hi)
        newton = at + excess / o.where(slope > 0, slope, 1.0)
        inside = (slope > 0) & (newton > lo) & (newton < hi)
        at = o.where(over, o.where(inside, newton, 0.5 * (lo + hi)), at)
        over = over & (inside | (hi - lo >= NARROW))
    return at


def _by_sorting(lib: Library, group: Any, key: Any, share: Any, draw: Any, room: Any) -> Any:
    """Levels (B, G) at which the groups' load meets `room`, but for rounding; anything where it never does.

    From above, a car's load begins at its key and is full `share` below it. The bends of all cars are sorted by group
    and height; the load at each follows from the slopes before it.
    """
    o, rows = lib.ops, group.twice
    height, slope = lib.join([key, key - share], 1), lib.join([draw, -draw], 1)
    order = lib.argsort(-height, stable=False)  # what lies level is level in either order
    order = lib.take(order, lib.argsort(rows.index[order]))
    height, slope = lib.take(height, order), lib.take(slope, order).cumsum(1)
    rise = slope[:, :-1] * (height[:, :-1] - height[:, 1:]) * rows.goes_on
    load = lib.join([rise[:, :1] * 0, rise.cumsum(1)], 1)
    load = load - rows.sorted.each(load[:, rows.first])
    below = rows.first + lib.whole(rows.sorted.total(o.where(load <= rows.sorted.each(room), load * 0 + 1, 0.0)))
    at = o.maximum(o.minimum(o.maximum(below, rows.first + 1), rows.last), 1)
    before = lib.take(slope, at - 1)
    return lib.take(height, at) + (lib.take(load, at) - room) / o.where(before > 0, before, 1.0)
