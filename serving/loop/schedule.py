"""When cycles begin: at once, then on the grid of the interval, in the order of time whatever the clock does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, tzinfo

from ..messages.parse import INTERVALS_S


@dataclass(frozen=True)
class Schedule:
    """The grid of the local clock.

    Args:
        interval_s: between cycles.
        zone: of the local clock; a day of 23 or 25 hours has fewer or more cycles, none twice.
        skew_s: by which the clock may go back before its earlier time is given up.

    Raises:
        ValueError: no interval that a request can have.
    """

    interval_s: int
    zone: tzinfo
    skew_s: float = 120.0

    def __post_init__(self) -> None:
        if self.interval_s not in INTERVALS_S:
            minutes = ", ".join(f"{each // 60}" for each in INTERVALS_S)
            raise ValueError(f"the interval is {self.interval_s / 60:g} minutes; choose one of {minutes}")

    def next_start_s(self, now_s: float, last_s: float | None) -> float:
        """Unix seconds at which the next cycle begins, whole; in the past or now: at once.

        The first cycle begins now, wherever on the grid that is: nobody waits for the next quarter of an hour, and a
        loop that was started again does not repeat a cycle. The same holds after the clock was put back, and where
        grid points have passed unseen: they are not made up for.

        Args:
            now_s: the clock.
            last_s: the start of the last cycle; None before the first.
        """
        at_once = float(math.floor(now_s))
        if last_s is None or now_s < last_s - self.skew_s:
            return at_once
        upcoming = self._after(last_s)
        return max(upcoming, self._before(now_s)) if now_s >= upcoming else upcoming

    def local(self, start_s: float) -> datetime:
        """A start with the offset that then holds."""
        return datetime.fromtimestamp(start_s, self.zone)

    def _before(self, second: float) -> float:
        """The last grid point not after a second."""
        offset = self.local(second).utcoffset()
        shift = offset.total_seconds() if offset is not None else 0.0
        return math.floor((second + shift) / self.interval_s) * self.interval_s - shift

    def _after(self, second: float) -> float:
        """The first grid point after a second."""
        before = self._before(second)
        after = self._before(before + 1.5 * self.interval_s)
        return after if after > second else before + self.interval_s
