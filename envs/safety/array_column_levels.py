"""Cutting the shares of each column to its room by a common level, in NumPy; see `array_level`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array_level import LEAST_SLOPE_KW, NEAR
from .tolerances import MAX_LEVEL_STEPS, TOLERANCE

NEWTON_STEPS = 2, 3
"""From the last level the first lead four of five columns to theirs, the others most of the rest; what is left, on flat
pieces for the most part, is sorted."""

FEW_COLUMNS = 8
"""Up to so many are sorted at once."""

MOST = 0.5
"""From this share on that has to be cut the others are carried along: to pick columns takes as long as a step."""


def cut_columns(key: Any, share: Any, draw: Any, load: Any, room: Any, level: Any) -> Any:
    """The shares (M, G), cut in the columns whose `load` (G,) is more than `room` kW (G,), largest keys first.

    A cut share is what the key exceeds the level of its column; `level` (G,) is where it may be, and then where it is.
    """
    over = load > room + TOLERANCE
    columns = over.nonzero()[0]
    if len(columns) > FEW_COLUMNS and len(columns) >= MOST * len(over):
        # At a level of nil the others keep what they have, which is just their room.
        found, part = _levels(key, share, draw, np.where(over, room, load), np.where(over, _below(level), 0.0))
        np.copyto(level, found, where=over)
        return part
    if len(columns) == 1:
        (at,) = columns.tolist()
        one = (key[:, at], share[:, at], draw[:, at])
        level[at] = found = _level_of_one(*one, float(room[at]), float(level[at]))
        share[:, at] = _above(one[0], found, one[1])
        return share
    key, some, draw, room = key[:, columns], share[:, columns], draw[:, columns], room[columns]
    if len(columns) > FEW_COLUMNS:
        level[columns], share[:, columns] = _levels(key, some, draw, room, _below(level[columns]))
    else:
        level[columns] = found = _sorted_levels(key, some, draw, room)
        share[:, columns] = _above(key, found, some)
    return share


def _below(level: Any) -> Any:
    return np.maximum(level, 2.0 * NEAR) - NEAR


def _above(key: Any, level: Any, share: Any) -> Any:
    part = key - level
    np.maximum(part, 0.0, out=part)
    return np.minimum(part, share, out=part)


def _levels(key: Any, share: Any, draw: Any, room: Any, at: Any) -> tuple[Any, Any]:
    """The level of each column, and its shares cut to it; the search begins `at` the last level, which is near."""
    at, part, left = _newton(key, share, draw, room, at, NEWTON_STEPS[0])
    if len(left):
        key, share, draw, room = key[:, left], share[:, left], draw[:, left], room[left]
        found, cut, stuck = _newton(key, share, draw, room, at[left], NEWTON_STEPS[1])
        if len(stuck):
            found[stuck] = _sorted_levels(key[:, stuck], share[:, stuck], draw[:, stuck], room[stuck])
            cut[:, stuck] = _above(key[:, stuck], found[stuck], share[:, stuck])
        at[left], part[:, left] = found, cut
    return at, part


def _newton(key: Any, share: Any, draw: Any, room: Any, at: Any, steps: int) -> tuple[Any, Any, Any]:
    """Newton's method on a piecewise linear function: levels, the shares cut to them, and which columns lack theirs."""
    for step in range(steps + 1):
        part = _above(key, at, share)
        excess = np.add.reduce(draw * part) - room
        left = abs(excess) > TOLERANCE
        if step == steps or not left.any():
            break
        slope = np.add.reduce(draw * ((part > 0.0) & (part < share)))
        at = np.where(left & (slope > 0.0), at + excess / np.maximum(slope, LEAST_SLOPE_KW), at)
    return at, part, left.nonzero()[0]


def _level_of_one(key: Any, share: Any, draw: Any, room: float, start: float) -> float:
    """The level of a single column, (M,) each, by Newton's method inside a bracket: in plain numbers."""
    lo, hi = 0.0, float(key.max())
    at = start - NEAR if lo < start < hi else NEAR
    for _ in range(MAX_LEVEL_STEPS):
        part = _above(key, at, share)
        excess = float(np.add.reduce(draw * part)) - room
        if abs(excess) <= TOLERANCE:
            break
        slope = float(np.add.reduce(draw * ((part > 0.0) & (part < share))))
        lo, hi = (at, hi) if excess > 0.0 else (lo, at)
        newton = at + excess / max(slope, LEAST_SLOPE_KW)
        at = newton if lo < newton < hi else 0.5 * (lo + hi)
    return at


def _sorted_levels(key: Any, share: Any, draw: Any, room: Any) -> Any:
    """The level of each column by adding up, from the highest key down, what the cars above each bend draw."""
    bends = np.concatenate([key, key - share])
    place = np.argsort(-bends, axis=0) * len(room) + np.arange(len(room))
    bends = bends.take(place)
    slope = np.concatenate([draw, -draw]).take(place).cumsum(0)
    drawn = np.add.accumulate(slope[:-1] * (bends[:-1] - bends[1:]))
    # The last bend at which there is room left; what is drawn only rises from bend to bend.
    last = (drawn < room).sum(0)
    at = last * len(room) + np.arange(len(room))
    drawn = np.where(last > 0, drawn.take(np.maximum(at - len(room), 0)), 0.0)
    bend, next_bend = bends.take(at), bends.take(at + len(room), mode="clip")
    level = bend - (room - drawn) / np.maximum(slope.take(at), LEAST_SLOPE_KW)
    # A flat piece has no more slope than rounding leaves it: wherever on it, the shares are the same.
    return np.minimum(np.maximum(level, next_bend), bend)
