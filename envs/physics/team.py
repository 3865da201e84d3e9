"""A few threads that share the worlds of a batch; the compiled loops release the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

Work = Callable[[int, int], None]
"""Does its part for worlds `lo .. hi`."""

_MIN_WORLDS_PER_THREAD = 32
"""Below it, handing work to a thread costs more than it saves."""

_WORLDS_IN_CACHE = 512
"""So many worlds of 25 ports are done at a time. More leave the cache between two works, fewer pay for more calls."""


class Team:
    """Threads that share a range of worlds; made afresh in a forked child, where threads do not survive.

    Args:
        threads: how many, the caller's own included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._pool: ThreadPoolExecutor | None = None
        self._pid = -1
        self._waiting: list[Work] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"threads": self.threads, "_pool": None, "_pid": -1, "_waiting": None}

    @contextmanager
    def sweep(self, count: int) -> Iterator[None]:
        """Let the work shared inside wait until the end, and do it one after the other for each part of the worlds.

        Waking a thread takes as long as a hundred worlds do: so a whole step wakes it once. What is shared inside
        may use the arrays of what was shared before, but nothing else may read them until the end.
        """
        self._waiting = []
        try:
            yield
            works = self._waiting
        finally:
            self._waiting = None

        def all_of_it(lo: int, hi: int) -> None:
            for start in range(lo, hi, _WORLDS_IN_CACHE):
                for work in works:
                    work(start, min(start + _WORLDS_IN_CACHE, hi))

        if works:
            self.share(all_of_it, count)

    def share(self, work: Work, count: int) -> None:
        """Call `work(lo, hi)` over `count` worlds, in parallel where that pays."""
        if self._waiting is not None:
            self._waiting.append(work)
            return
        parts = min(self.threads, max(1, count // _MIN_WORLDS_PER_THREAD))
        if parts == 1:
            work(0, count)
            return
        if self._pool is None or self._pid != os.getpid():
            self._pool, self._pid = ThreadPoolExecutor(self.threads - 1), os.getpid()
        edges = [count * i // parts for i in range(parts + 1)]
        others = [self._pool.submit(work, lo, hi) for lo, hi in pairwise(edges[1:])]
        work(edges[0], edges[1])
        for job in others:
            job.result()


def team_of(threads: int | Team) -> Team:
    """A team of so many threads, or the team that is given, to be shared."""
    return threads if isinstance(threads, Team) else Team(threads)
