"""Commands cost money: how a request is kept from changing more often than it is worth.

Applied inside `decide` before the projection, which may override it: whatever safety or a departure asks is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.snapshot import Snapshot

Array = NDArray[Any]

CHANGE_KW = 1e-6
"""A set-point that differs by less is the same; as the simulator's ledger counts commands."""


class Held(IntEnum):
    """What the economy did to a car's request."""

    NO = 0
    LAST = 1  # the last command stands: dead band, dwell or budget
    ZERO = 2  # a pause between import and export


@dataclass(frozen=True)
class Economy:
    """Limits on commands per car.

    Args:
        dead_band_kw: a change of power within charging or within exporting that is smaller is not made.
        min_dwell_s: a command stands at least so long.
        commands_per_day: after so many, the last command stands until local midnight.
        zero_between: whether import and export are kept apart by an interval of pause.

    Raises:
        ValueError: a number below 0.
    """

    dead_band_kw: float = 0.5
    min_dwell_s: float = 600.0
    commands_per_day: int = 48
    zero_between: bool = True

    def __post_init__(self) -> None:
        for name in ("dead_band_kw", "min_dwell_s", "commands_per_day"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must not be negative")


def economical(snapshot: Snapshot, request_kw: Array, economy: Economy) -> tuple[Array, Array]:
    """The request as far as it is worth a command, kW (B, N), and a `Held` for each car (B, N).

    Args:
        snapshot: its last set-points with their ages, and the commands of the day.
        request_kw: finite, (B, N).
        economy: the limits.
    """
    ports = snapshot.ports
    last = ports.last_setpoint_kw
    sent = ports.plugged & ~np.isnan(last)
    last = np.where(sent, last, 0.0)
    opposite = np.sign(request_kw) * np.sign(last) < 0
    zero = sent & opposite & economy.zero_between
    request = np.where(zero, 0.0, request_kw)
    same_way = np.sign(request) == np.sign(last)
    close = same_way & (np.abs(request - last) < economy.dead_band_kw)
    # Turning around passes through zero at once: waiting would only keep up what is no longer wanted.
    young = (ports.setpoint_age_s < economy.min_dwell_s) & ~zero
    spent = ports.commands_today >= economy.commands_per_day
    hold = sent & (close | young | spent) & (np.abs(request - last) > CHANGE_KW)
    held = np.where(hold, Held.LAST, np.where(zero, Held.ZERO, Held.NO))
    return np.where(hold, last, request), held


@dataclass(frozen=True)
class Sent:
    """What was last sent to each port and when, for callers whose snapshots do not tell; arrays (B, N)."""

    setpoint_kw: Array  # NaN where nothing was sent
    changed_s: Array  # Unix seconds

    @classmethod
    def nothing(cls, shape: tuple[int, ...]) -> Sent:
        """Before the first command."""
        return cls(np.full(shape, np.nan), np.zeros(shape))

    def age_s(self, now_s: Array | float) -> Array:
        """Seconds since the last change; infinite where nothing was sent."""
        return np.where(np.isnan(self.setpoint_kw), np.inf, np.maximum(np.asarray(now_s) - self.changed_s, 0.0))

    def after(self, setpoint_kw: Array, now_s: Array | float) -> Sent:
        """What stands after `setpoint_kw` (NaN: released) was decided."""
        changed = is_change(self.setpoint_kw, setpoint_kw)
        since = np.where(changed, np.broadcast_to(now_s, changed.shape), self.changed_s)
        return Sent(np.where(changed, setpoint_kw, self.setpoint_kw), since)


def is_change(before_kw: Array, after_kw: Array) -> Array:
    """Where a command is due: another power, or from released (NaN) to a set-point or back."""
    before, after = np.isnan(before_kw), np.isnan(after_kw)
    moved = np.abs(np.where(before, 0.0, before_kw) - np.where(after, 0.0, after_kw)) > CHANGE_KW
    changed: Array = (before != after) | moved
    return changed
