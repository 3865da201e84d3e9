"""Cutting shares to a room by a common level, in array form; see `plan_kernels.common_level`.

Cars and groups stand in one row each, of whatever worlds: (K,) and (G,).
"""

from __future__ import annotations

from typing import Any

from .library import Library
from .tolerances import MAX_LEVEL_STEPS, NARROW, TOLERANCE

LEFT_OUT = 0.75
"""Cars are left out once less than this share of the groups that are looked at still lacks its level."""


def cut_to_level(
    lib: Library, group: Any, key: Any, share: Any, draw: Any, room: Any, over: Any, start: Any
) -> tuple[Any, Any]:
    """Cut the shares (K,) of the groups that are `over` (G,) to `room` kW, largest keys first, and say the levels.

    A cut share is what the car's key exceeds a level that is common to its group; `start` is where it may be.
    """
    o = lib.ops
    fixed = [lib.frozen(value) for value in (key, share, draw, room)]
    found = level = _find_level(lib, group, fixed[0], fixed[1], fixed[2], fixed[3], over, start)
    if lib.torch is not None:
        # One step of Newton's method whose value is nil: it carries the gradient of the level.
        part = _above(o, key, level[group], share)
        excess = lib.sums(group, draw * part, len(room)) - room
        slope = lib.frozen(lib.sums(group, draw * ((part > 0) & (part < share)), len(room)))
        moved = over & (slope > 0)
        level = level + o.where(moved, excess - lib.frozen(excess), 0.0) / o.where(moved, slope, 1.0)
    cut = _above(o, key, level[group], share)
    return o.where(over[group], cut, share), found


def _above(o: Any, key: Any, level: Any, share: Any) -> Any:
    return o.minimum(o.maximum(key - level, 0.0), share)


def _find_level(lib: Library, group: Any, key: Any, share: Any, draw: Any, room: Any, over: Any, start: Any) -> Any:
    """Newton's method on a piecewise linear function inside a bracket, from `start`: the last level is near.

    Cars that were cut before stand at one level, a bend of the load: hence the slope of the side to go to. Groups that
    have their level are soon left out: most need three rounds, a few ten.
    """
    o, groups, looked_at = lib.ops, len(room), len(room)
    lo, hi = room * 0, room * 0 + key.max()
    at = o.where((start > lo) & (start < hi), start, lo)
    for _ in range(MAX_LEVEL_STEPS):
        above = key - at[group]
        excess = lib.sums(group, draw * o.minimum(o.maximum(above, 0.0), share), groups) - room
        over = over & (o.maximum(excess, -excess) > TOLERANCE)
        left = int(over.sum())
        if left == 0:
            break
        if left < LEFT_OUT * looked_at:
            kept = lib.places(over[group])
            group, key, share, draw, above = (column[kept] for column in (group, key, share, draw, above))
            looked_at = left
        rises = excess > 0
        bent = o.where(rises[group], (above > 0) & (above <= share), (above >= 0) & (above < share))
        slope = lib.sums(group, draw * bent, groups)
        lo, hi = o.where(over & rises, at, lo), o.where(over & ~rises, at, hi)
        newton = at + excess / o.where(slope > 0, slope, 1.0)
        inside = (slope > 0) & (newton > lo) & (newton < hi)
        at = o.where(over, o.where(inside, newton, 0.5 * (lo + hi)), at)
        over = over & (inside | (hi - lo >= NARROW))
    return at
