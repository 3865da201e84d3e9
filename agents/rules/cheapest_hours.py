"""Each car in the cheapest hours of its own stay."""

from __future__ import annotations

import numpy as np

from ...envs.safety.view import car_view
from ...envs.snapshot import Snapshot
from .rule import Array, Rule, wanted_power

TIE_USD_PER_KWH = 1e-9


class CheapestHours(Rule):
    """Charges at full power in the cheapest steps before the said departure, as many as the car still needs.

    Prices are the published ones, and the issued forecast beyond them; among equal prices the earliest step
    comes first. It never exports, knows no demand charge and takes no account of the other cars.
    """

    name = "cheapest_hours"

    def act(self, snapshot: Snapshot) -> Array:
        """Full power where fewer than the needed steps are cheaper than this one, else 0, kW, `(B, N)`."""
        cars = car_view(snapshot)
        price = snapshot.import_price_window()
        in_stay = np.arange(price.shape[2]) < cars.steps_left[:, :, None]
        cheaper = in_stay & (price < price[:, :, :1] - TIE_USD_PER_KWH)
        needed = np.ceil(cars.hours_to_target / snapshot.step_h - 1e-9)
        return np.where(cheaper.sum(axis=2) < needed, wanted_power(cars), 0.0)
