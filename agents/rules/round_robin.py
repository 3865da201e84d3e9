"""Turn and turn about."""

from __future__ import annotations

import numpy as np

from ...envs.safety.view import car_view
from ...envs.snapshot import Snapshot
from .rule import Array, Rule, wanted_power
from .sharing import in_turn, levels, rotated


class RoundRobin(Rule):
    """Charges at once, and where a limit binds, lets the cars take turns, a step each, at full power.

    Whose turn it is follows from the clock alone, so the rule has no memory that a restart could lose.
    """

    name = "round_robin"

    def act(self, snapshot: Snapshot) -> Array:
        """Full power for the cars whose turn it is, up to the limits, kW, `(B, N)`."""
        power = wanted = wanted_power(car_view(snapshot))
        slot = (snapshot.context.seconds_of_day / (3600.0 * snapshot.step_h)).astype(np.int64)
        for level in levels(snapshot):
            power = in_turn(power, rotated(wanted, level, slot), level)
        return power
