"""How fast this machine is, so that bars in seconds mean the same on a slow one."""

from __future__ import annotations

import random
import time
from functools import cache

USUAL_LOOP_S = 0.06
"""CPU seconds of `_loop_s` on a core of about 3 GHz under Python 3.11."""

CHASE_STEPS, CHASE_PLACES = 200_000, 1 << 20
USUAL_CHASE_S = 0.045
"""CPU seconds of `_chase_s` where memory answers in 90 ns: a step waits for two loads, and a server mostly waits."""


@cache
def slowness() -> float:
    """How many times slower than a usual one this machine is at its slowest, at least 1: neighbours come and go."""
    loop, follow = max(_loop_s() for _ in range(5)), _shuffled()
    chase = max(_chase_s(follow) for _ in range(3))
    return max(1.0, loop / USUAL_LOOP_S, chase / USUAL_CHASE_S)


def _loop_s() -> float:
    began, total = time.process_time(), 0
    for i in range(1_000_000):
        total += i * i
    return time.process_time() - began


def _shuffled() -> list[int]:
    """For each place the next one, all in one long circle that no cache holds."""
    order = list(range(CHASE_PLACES))
    random.Random(0).shuffle(order)
    follow = [0] * CHASE_PLACES
    for place, next_one in zip(order, order[1:] + order[:1], strict=True):
        follow[place] = next_one
    return follow


def _chase_s(follow: list[int]) -> float:
    began, place = time.process_time(), 0
    for _ in range(CHASE_STEPS):
        place = follow[place]
    return time.process_time() - began
