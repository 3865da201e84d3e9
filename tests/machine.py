"""How fast this machine is, so that bars in seconds mean the same on a slow one."""

from __future__ import annotations

import time
from functools import cache

USUAL_S = 0.06
"""CPU seconds of the loop below on a core of about 3 GHz under Python 3.11."""


@cache
def slowness() -> float:
    """How many times slower than a usual one this machine is at its slowest, at least 1: neighbours come and go."""
    return max(1.0, max(_loop_s() for _ in range(5)) / USUAL_S)


def _loop_s() -> float:
    began, total = time.process_time(), 0
    for i in range(1_000_000):
        total += i * i
    return time.process_time() - began
