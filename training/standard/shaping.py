"""Waiting told at once: a potential of what each car still needs, so that a reward need not wait for the departure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.encoding.fields import PRICE_SCALE
from ...envs.gym.spaces import Obs
from ...envs.simulator import Simulator
from ..policy.columns import COLUMN

Array = NDArray[Any]


class NeedPotential:
    """Dollars that each car's need would cost at the cheapest price left in its stay, with the minus sign.

    A charged kWh then pays what it cost more than it had to, and a cheap hour that goes by unused costs at that time.
    The differences of a potential of the state leave the best policy as it is (Ng, Harada and Russell 1999): over a
    stay they sum to the potential at the arrival, which no action moves, since it is nothing once the car has left.

    Args:
        simulator: the running worlds.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._usd, self._stay = np.zeros(0), np.zeros(0)

    def begin(self, observation: Obs) -> None:
        """Note the worlds as they stand after a reset."""
        state = self._simulator.state
        self._usd, self._stay = self._now(observation), np.array(state.stay)

    def gained(self, observation: Obs, restarted: Array) -> Array:
        """What a step has moved of each port's potential (B, N), dollars.

        Args:
            observation: after the step, of worlds that ended the first of the new day.
            restarted: (B,) worlds that ended.
        """
        before, stay = self._usd, self._stay
        self.begin(observation)
        same = (stay == self._stay) & ~restarted[:, None]
        return np.where(same, self._usd, 0.0) - before

    def _now(self, observation: Obs) -> Array:
        ports, seen = self._simulator.state.ports, observation["ports"].astype(float)
        price = _usd_per_kwh(seen[..., COLUMN["import_price"]])
        cheapest = price - _usd_per_kwh(seen[..., COLUMN["saving"]])
        efficiency = np.where(ports.plugged, ports.charge_efficiency, 1.0)
        return np.where(ports.plugged, -ports.need_kwh * cheapest / efficiency, 0.0)


def _usd_per_kwh(squashed: Array) -> Array:
    """The price behind a squashed feature."""
    return np.asarray(PRICE_SCALE * squashed / (1.0 - np.minimum(np.abs(squashed), 0.999)))
