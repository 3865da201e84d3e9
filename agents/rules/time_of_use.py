"""The timer that many drivers set: not in the dear hours."""

from __future__ import annotations

import numpy as np

from ...envs.safety.view import car_view
from ...envs.snapshot import Snapshot
from .rule import Array, Rule, wanted_power

OUTLOOK_H = 24.0
TIE_USD_PER_KWH = 1e-9


class TimeOfUse(Rule):
    """Charges at full power while the import price is at most the median of the published next 24 hours.

    On a tariff of a few periods that leaves out the dear ones; on a flat tariff it charges at once.
    """

    name = "time_of_use"

    def act(self, snapshot: Snapshot) -> Array:
        """Full power in the cheaper half of the published hours, else 0, kW, `(B, N)`."""
        steps = min(snapshot.horizon, round(OUTLOOK_H / snapshot.step_h))
        price = snapshot.import_price_window(steps)
        known = np.maximum(snapshot.context.price_known_steps, 1)  # the present price is always known
        published = np.arange(steps) < known[:, None]
        median = np.nanmedian(np.where(published[:, None, :], price, np.nan), axis=2)
        cheap = price[:, :, 0] <= median + TIE_USD_PER_KWH
        return np.where(cheap, wanted_power(car_view(snapshot)), 0.0)
