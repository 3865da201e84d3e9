"""What the hours of a car's stay still offer, and an event pays, from what all cars share of the observation."""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding.fields import DAY_H, ENERGY_SCALE, OUTLOOK_HOURS, POWER_SCALE, RATE_SCALE
from .columns import COLUMN, STARTS
from .margins import price

BETTER_USD_PER_KWH = 0.003
"""So much more an hour must pay to count as better."""


def spare_hours(ports: Tensor, context: Tensor) -> Tensor:
    """Hours of export that a car has left after all hours of its stay that pay more for it than the present (B, N).

    Args:
        ports: (B, N, K) as encoded.
        context: (B, M).
    """
    paid = _outlook(context, "export_outlook")
    better = (paid > paid[:, :1] + BETTER_USD_PER_KWH).to(ports.dtype)[:, None, 1:]
    hours = torch.arange(1, OUTLOOK_HOURS, dtype=ports.dtype, device=ports.device)
    stay = torch.clamp(_hours_left(ports)[..., None] - hours, 0.0, 1.0)
    give_kw = torch.clamp(ports[..., COLUMN["can_export_kw"]] * POWER_SCALE, min=1.0)
    have = ports[..., COLUMN["spare"]] * ports[..., COLUMN["capacity_kwh"]] * ENERGY_SCALE / give_kw
    return have - (better * stay).sum(-1)


def refill_rise(ports: Tensor, context: Tensor, hours: Tensor) -> Tensor:
    """$/kWh by which refilling costs more than in the stay's cheapest hour, once the cheapest `hours` are taken (B, N).

    What is sold in the evening is bought again in the next-best hours after those that the car's own need takes. Beyond
    the stay the price is that of the dearest hour ahead.

    Args:
        ports: (B, N, K) as encoded.
        context: (B, M).
        hours: (B, N) at full power that are taken.
    """
    left, ahead = _hours_left(ports), _outlook(context, "import_outlook")
    order = torch.argsort(ahead, dim=1, stable=True)
    # An hour's part of the stay follows from its place in time, so nothing but the places is sorted.
    offered = torch.clamp(left[..., None] - order.to(left.dtype)[:, None], 0.0, 1.0).cumsum(-1)
    ranked = ahead.gather(1, order)

    def price_at(reached: Tensor) -> Tensor:
        return ranked.gather(1, torch.clamp((~reached).sum(-1), max=OUTLOOK_HOURS - 1))

    return torch.clamp(price_at(offered >= hours[..., None]) - price_at(offered > 0.0), min=0.0)


def event_pay(context: Tensor) -> Tensor:
    """$/kWh that a running programme event pays beside the tariff (B, 1), 0 without one."""
    rate = price(context[:, STARTS["event_rate"], None], RATE_SCALE)
    return context[:, STARTS["event_active"], None] * rate


def _outlook(context: Tensor, name: str) -> Tensor:
    first = STARTS[name]
    return price(context[:, first : first + OUTLOOK_HOURS])


def _hours_left(ports: Tensor) -> Tensor:
    return torch.clamp(ports[..., COLUMN["hours_left"]], min=0.0) * DAY_H
