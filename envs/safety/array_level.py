"""Cutting shares to a room by a common level, in array form; see `plan_kernels.level`."""

from __future__ import annotations

from typing import Any

from .library import Library

TOLERANCE = 1e-9
MAX_LEVEL_STEPS = 60
NARROW = 1e-13


def cut_to_level(
    lib: Library, group: Any, key: Any, share: Any, draw: Any, room: Any, over: Any, start: Any
) -> tuple[Any, Any]:
    """Cut the shares (B, N) of the groups that are `over` (B, G) to `room` kW, largest keys first.

    Returns the shares and the levels of key (B, G), `start` where nothing was cut.
    """
    o = lib.ops
    fixed = [lib.frozen(value) for value in (key, share, draw, room)]
    level = _find_level(lib, group, fixed[0], fixed[1], fixed[2], fixed[3], over, start)
    if lib.torch is not None:
        # One step of Newton's method whose value is nil: it carries the gradient of the level.
        part = o.minimum(o.maximum(key - group.each(level), 0.0), share)
        excess = group.total(draw * part) - room
        slope = lib.frozen(group.total(draw * ((part > 0) & (part < share))))
        moved = over & (slope > 0)
        level = level + o.where(moved, excess - lib.frozen(excess), 0.0) / o.where(moved, slope, 1.0)
    cut = o.minimum(o.maximum(key - group.each(level), 0.0), share)
    return o.where(group.each(over), cut, share), o.where(over, lib.frozen(level), start)


def _find_level(lib: Library, group: Any, key: Any, share: Any, draw: Any, room: Any, over: Any, start: Any) -> Any:
    """Newton's method on a piecewise linear function inside a bracket."""
    o = lib.ops
    hi = group.highest(key)
    lo = hi * 0
    at = o.where((start > lo) & (start < hi), start, lo)
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
