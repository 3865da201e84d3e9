"""Whoever can wait least goes first."""

from __future__ import annotations

from ...envs.safety.view import car_view
from ...envs.snapshot import Snapshot
from .rule import Array, Rule, wanted_power
from .sharing import in_turn, levels


class LeastLaxity(Rule):
    """Charges at once, and where a site's or feeder's limit binds, serves the least laxity first.

    Laxity is the time left to the said departure minus the time needed at full power. The last car served
    gets what is left of the limit, the others full power or none.
    """

    name = "least_laxity"

    def act(self, snapshot: Snapshot) -> Array:
        """Full power in order of laxity up to the limits, kW, `(B, N)`."""
        cars = car_view(snapshot)
        power = wanted_power(cars)
        for level in levels(snapshot):
            power = in_turn(power, cars.laxity_h, level)
        return power
