"""What the rules have in common: no memory, and the power that a car which still needs energy can take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...envs.safety.view import CarView

Array = NDArray[np.float64]


class Rule:
    """A policy without memory: the same snapshot gets the same answer."""

    def reset(self) -> None:
        """Nothing to forget."""


def wanted_power(cars: CarView) -> Array:
    """Full power, kW, of the cars that are below what their driver asked for; else 0. `(B, N)`."""
    return np.where(cars.hours_to_target > 0.0, cars.can_charge_kw, 0.0)
