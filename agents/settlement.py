"""What a programme settles by at a site's meter: baseline, metered and delivered energy (contracts 4)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Delivery(NamedTuple):
    """Energies of the intervals of each site, kWh (S, I)."""

    baseline_kwh: Array  # import without the cars, plus the cars' baseline
    metered_import_kwh: Array
    metered_export_kwh: Array
    export_without_cars_kwh: Array
    delivered_kwh: Array  # baseline less import, and what was exported beyond that without cars where it is paid


def delivery(
    without_kw: Array, cars_kw: Array, baseline_kw: Array, step_h: float, width: int, pays_export: bool
) -> Delivery:
    """What sites delivered in an event.

    Args:
        without_kw: net load of each site without its cars (S, T), positive = import.
        cars_kw: what its cars drew (S, T).
        baseline_kw: what they would have drawn (S, T).
        step_h: length of a step, h.
        width: steps of an interval; the last interval may be shorter.
        pays_export: whether the programme pays what is exported too.
    """
    starts = np.arange(0, without_kw.shape[1], width)

    def energy(power_kw: Array) -> Array:
        return np.add.reduceat(power_kw * step_h, starts, axis=1)

    metered = without_kw + cars_kw
    baseline = energy(np.maximum(without_kw, 0.0) + baseline_kw)
    imported, exported = energy(np.maximum(metered, 0.0)), energy(np.maximum(-metered, 0.0))
    export_without = energy(np.maximum(-without_kw, 0.0))
    paid_export = (exported - export_without) if pays_export else 0.0
    return Delivery(baseline, imported, exported, export_without, baseline - imported + paid_export)
