"""Cutting shares to a room by a common level, in array form; see `plan_kernels.common_level`.

Cars and groups stand in one row each, of whatever worlds: (K,) and (G,).
"""

from __future__ import annotations

from typing import Any

from .library import Library
from .tolerances import MAX_LEVEL_STEPS, TOLERANCE

NEAR = 1e-9
"""Steps below the last level to start from. The cars that were cut to it stand there, at a bend of the load; the level
falls from step to step, and a little below it the slope counts them."""

LEAST_SLOPE_KW = 1e-30
"""Stands for no slope, and leads out of every bracket."""

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

    Groups that have their level are soon left out: most need three rounds, a few ten.
    """
    o, groups, looked_at = lib.ops, len(room), len(room)
    lo, hi = room * 0, room * 0 + key.max()
    at = o.where((start > lo) & (start < hi), start - NEAR, lo)
    for _ in range(MAX_LEVEL_STEPS):
        part = _above(o, key, at[group], share)
        excess = lib.sums(group, draw * part, groups) - room
        over = over & (abs(excess) > TOLERANCE)
        left = int(over.sum())
        if left == 0:
            break
        if left < LEFT_OUT * looked_at:
            kept, looked_at = lib.places(over[group]), left
            group, key, share, draw, part = (column[kept] for column in (group, key, share, draw, part))
        slope = lib.sums(group, draw * ((part > 0) & (part < share)), groups)
        rises = excess > 0
        lo, hi = o.where(rises, at, lo), o.where(rises, hi, at)
        newton = at + excess / o.maximum(slope, LEAST_SLOPE_KW)
        inside = (newton > lo) & (newton < hi)
        at = o.where(over, o.where(inside, newton, 0.5 * (lo + hi)), at)
    return at
