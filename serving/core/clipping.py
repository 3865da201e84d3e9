"""How much the projection changed what was asked, and by which constraint."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...envs.safety.reasons import Reason
from .cases import first_case

Array = Any

OTHER = "other"

RAISING = {
    "driver": Reason.OVERRIDE,
    "minimum_soc": Reason.MIN_SOC,
    "departure": Reason.DEPARTURE | Reason.LOOK_AHEAD,
}
CUTTING = {
    "import_limit": Reason.IMPORT_LIMIT,
    "export_limit": Reason.EXPORT_LIMIT,
    "reserve": Reason.RESERVE | Reason.REFILL,
    "export_refused": Reason.NO_EXPORT,
    "charger": Reason.BOX | Reason.MINIMUM,
}
CONSTRAINTS = (*RAISING, *CUTTING, OTHER)
"""A closed set of words; the first that applies counts, by which way the set-point went."""


def clipped_by(requested_kw: Array, setpoint_kw: Array, reasons: Array) -> dict[str, float]:
    """kW between what was asked and what was safe, by constraint.

    Args:
        requested_kw: what went into the projection, (N,).
        setpoint_kw: what came out, (N,); NaN: released, which is nobody's clipping.
        reasons: flags of `Reason`, (N,).
    """
    clipped = np.nan_to_num(np.abs(setpoint_kw - requested_kw))
    more = (setpoint_kw > requested_kw) & (setpoint_kw > 0.0)
    cases = [(more & ((reasons & int(flags)) != 0), CONSTRAINTS.index(name)) for name, flags in RAISING.items()]
    cases += [((reasons & int(flags)) != 0, CONSTRAINTS.index(name)) for name, flags in CUTTING.items()]
    sums = np.bincount(first_case(cases, CONSTRAINTS.index(OTHER)), clipped, len(CONSTRAINTS))
    return {name: kw for name, kw in zip(CONSTRAINTS, sums.tolist(), strict=True) if kw > 0.0}
