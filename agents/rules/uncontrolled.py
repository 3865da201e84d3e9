"""Charging at once, as every car does that nobody controls."""

from __future__ import annotations

from ...envs.safety.view import car_view
from ...envs.snapshot import Snapshot
from .rule import Array, Rule, wanted_power


class Uncontrolled(Rule):
    """Full power from the arrival until the driver's target; the projection cuts it to the limits."""

    name = "uncontrolled"

    def act(self, snapshot: Snapshot) -> Array:
        """Full power for every car below its target, kW, `(B, N)`."""
        return wanted_power(car_view(snapshot))
