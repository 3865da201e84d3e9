"""Expected later arrivals for a projector that several fleets and threads share."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ..snapshot import Snapshot
from .projection import ExpectedLoad

MOST_KEPT = 64
"""Fleets whose tables are kept; of more, the one that came first is computed again."""


class SharedLoad:
    """An `ExpectedLoad` for each way in which sites hang on feeders: no fleet gets what was computed for another.

    One thread computes at a time: an `ExpectedLoad` by itself shows what it has not computed yet as done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loads: dict[tuple[Any, ...], ExpectedLoad] = {}

    def of(self, snapshot: Snapshot) -> tuple[Any, Any]:
        """See `ExpectedLoad.of`."""
        feeder, shape = np.asarray(snapshot.sites.feeder), tuple(snapshot.sites.expected_arrivals_kwh.shape)
        key = (feeder.tobytes(), snapshot.feeders.net_load_kw.shape[1], shape)
        with self._lock:
            load = self._loads.get(key) or self._loads.setdefault(key, ExpectedLoad())
            if len(self._loads) > MOST_KEPT:
                del self._loads[next(iter(self._loads))]
            return load.of(snapshot)
