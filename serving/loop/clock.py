"""The clock of a loop, injected: the system's, or one that jumps from cycle to cycle."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now_s(self) -> float:
        """Unix seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait so long, or less when the loop is told to stop."""
        ...


class SystemClock:
    """The wall clock of this machine; waits on the monotonic one, and ends waiting when it is stopped."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now_s(self) -> float:
        """See `Clock`."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        self._stopped.wait(max(seconds, 0.0))

    def stop(self) -> None:
        """End the present wait and all that follow."""
        self._stopped.set()


class SimulatedClock:
    """Time that passes by waiting alone."""

    def __init__(self, start_s: float) -> None:
        self._now_s = start_s

    def now_s(self) -> float:
        """See `Clock`."""
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        self._now_s += max(seconds, 0.0)

    def set(self, now_s: float) -> None:
        """Another day begins."""
        self._now_s = now_s
