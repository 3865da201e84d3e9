"""What a rule wants to know of each car, by the projection's own model: need, time left, room both ways."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..snapshot import Snapshot
from .array_survey import survey_arrays

Array = NDArray[Any]


class CarView(NamedTuple):
    """One number per port, each `(B, N)`; an empty port has 0 everywhere."""

    hours_to_target: Array  # at full power, through the taper
    steps_left: Array  # whole steps to the said departure; not below 0
    laxity_h: Array  # time left minus time needed
    can_charge_kw: Array  # full set-point, 0 where the charge limit is reached
    can_discharge_kw: Array  # over one step, keeping consent, reserve, minimum and the car's own latest start


def car_view(snapshot: Snapshot) -> CarView:
    """The present cars as the projection sees them, one by one, without the shared limits."""
    p, cars = snapshot.ports, survey_arrays(snapshot, "numpy")
    steps = np.where(p.plugged, np.maximum(p.steps_left, 0), 0)
    left_h = steps * snapshot.step_h
    return CarView(cars.need_h, steps, left_h - cars.need_h, cars.take_kw, cars.give_kw)
