"""What cars that are still to come will need by when, from the expected arrivals of other days."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..snapshot import Snapshot

Array = NDArray[Any]

EFFICIENCY = 0.87
"""Of charging cars that nobody knows yet: the presets' chargers at full power."""


class LaterArrivals:
    """Due energy by hour of issue, computed once per table of expected arrivals."""

    def __init__(self) -> None:
        self._known: tuple[Any, Array] | None = None  # replaced as one: threads may share an encoder

    def where_paid_kwh(self, snapshot: Snapshot) -> Array | None:
        """kWh (U, S, A + 1, D) at the charger of cars that come in hour `a` or later, by hour of departure.

        None where no site pays for a peak: nobody asks, and the table of a thousand homes is large.
        """
        if not bool((snapshot.sites.demand_rate_usd_per_kw > 0).any()):
            return None
        known, table_kwh = self._known, snapshot.sites.expected_arrivals_kwh
        if known is None or known[0] is not table_kwh:
            known = self._known = (table_kwh, _due_kwh(np.asarray(table_kwh, float)))
        return known[1]


def _due_kwh(table_kwh: Array) -> Array:
    due = np.zeros((*table_kwh.shape[:2], table_kwh.shape[2] + 1, table_kwh.shape[3]))
    due[:, :, :-1] = np.cumsum(table_kwh[:, :, ::-1], axis=2)[:, :, ::-1] / EFFICIENCY
    return due
