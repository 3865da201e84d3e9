"""What a kWh earns, in dollars, from what a port's observation tells of prices: derived, so nothing new is observed."""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding.fields import ENERGY_SCALE, POWER_SCALE, PRICE_SCALE
from .columns import COLUMN

MARGINS = 7
"""Figures per car; see `margins`."""

ROUND_TRIP = 0.85
"""Of a kWh that is bought to be given back; the network learns the rest."""

STEPS_SCALE = 10.0


def margins(ports: Tensor) -> Tensor:
    """Gains per kWh of the stay, at two scales, and how many hours of export the car has (B, N, MARGINS)."""
    scaled = [torch.tanh(gain / scale) for gain in gains(ports) for scale in (PRICE_SCALE, 10.0 * PRICE_SCALE)]
    give_kw = torch.clamp(ports[..., COLUMN["can_export_kw"]] * POWER_SCALE, min=1.0)
    kwh = ports[..., COLUMN["spare"]] * ports[..., COLUMN["capacity_kwh"]] * ENERGY_SCALE
    return torch.stack([*scaled, torch.clamp(kwh / give_kw / STEPS_SCALE, max=2.0)], -1)


def gains(ports: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """$ per kWh (B, N): export now, offset now, and the best export left; each less the cheapest refill left."""
    buy, sell, saving, spread = (
        price(ports[..., COLUMN[name]]) for name in ("import_price", "export_price", "saving", "spread")
    )
    refill = (buy - saving) / ROUND_TRIP
    return sell - refill, buy - refill, buy + spread - refill


def price(squashed: Tensor, scale: float = PRICE_SCALE) -> Tensor:
    """$/kWh behind a feature that was squashed at `scale`."""
    y = torch.clamp(squashed, -0.99, 0.99)
    return scale * y / (1.0 - y.abs())
