"""What the hours of a car's stay still offer, and an event pays, from what all cars share of the observation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...envs.encoding.fields import DAY_H, OUTLOOK_HOURS, RATE_SCALE
from .columns import COLUMN, STARTS
from .margins import price

SAME_USD_PER_KWH = 0.003
"""Prices that are no further apart count as the same."""

ALMOST = 1e-3
"""Hours by which a clock in single precision may miss the full hour."""


class Stay:
    """The hours ahead as each car's stay sees them.

    Prices are told for now and for each whole hour from now, and change at full hours: so the first is that of what
    is left of the running hour, and the others are those of the hours after it. Hours come first in every tensor of
    all cars: comparing them with a figure of each car then runs through the cars, several times as fast.

    Args:
        ports: (B, N, K) as encoded.
        context: (B, M).

    Attributes:
        coming_import_price: $/kWh (H - 1, B, N) in the hours after the running one, H being OUTLOOK_HOURS.
        coming_export_price: the same, for export.
        export_price: $/kWh (B, H), the running hour included.
    """

    def __init__(self, ports: Tensor, context: Tensor) -> None:
        import_price, self.export_price = _outlook(context, "import"), _outlook(context, "export")
        self.coming_import_price, self.coming_export_price = (
            _by_hour(prices[:, 1:]).expand(-1, -1, ports.shape[1]) for prices in (import_price, self.export_price)
        )
        self._lowest = _by_hour(torch.cummin(import_price[:, 1:], 1).values).expand_as(self.coming_import_price)
        gone = _gone_of_hour(context)[:, None]
        # As if it had begun with the running hour.
        ends = torch.clamp(ports[..., COLUMN["hours_left"]], min=0.0) * DAY_H + gone
        later = torch.arange(1, OUTLOOK_HOURS, device=ends.device, dtype=ends.dtype)
        self._coming = torch.clamp(ends - later[:, None, None], 0.0, 1.0)
        order = torch.argsort(import_price, dim=1, stable=True)
        self._ranked, nth = import_price.gather(1, order), _by_hour(order)
        hours = torch.clamp(ends - nth, 0.0, 1.0) - torch.where(nth == 0, gone, 0.0)
        self._offered = hours.cumsum(0)
        self._cheapest = self._at(self._offered <= ALMOST)

    def refill_rise(self, hours: Tensor) -> Tensor:
        """$/kWh by which refilling costs more than in the cheapest hour, once the cheapest `hours` are taken (B, N).

        What is sold in the evening is bought again in the next-best hours after those that the car's own need takes.
        Beyond the stay the price is that of the dearest hour ahead.

        Args:
            hours: (B, N) at full power that are taken.
        """
        return torch.clamp(self._at(self._offered < hours - ALMOST) - self._cheapest, min=0.0)

    def until_refill(self, refill_usd_per_kwh: Tensor) -> Tensor:
        """How much of each coming hour lies in the stay, before the first at which refilling pays (H - 1, B, N).

        Nothing need be kept for what comes after that hour: it can be bought there.

        Args:
            refill_usd_per_kwh: (B, N) what refilling costs.
        """
        kept = self._lowest > refill_usd_per_kwh + SAME_USD_PER_KWH
        return kept.to(self._coming.dtype) * self._coming

    def _at(self, short: Tensor) -> Tensor:
        """The price at which this ends (B, N), of hours at rising prices; where it never does, the dearest."""
        return _nth(_before(short), self._ranked)


def hours_above(hours: Tensor, prices: Tensor, usd_per_kwh: Tensor) -> Tensor:
    """Sum of those `hours` (H, B, N) in which the price (H, B, N) is above each car's `usd_per_kwh` (B, N)."""
    return ((prices > usd_per_kwh + SAME_USD_PER_KWH).to(hours.dtype) * hours).sum(0)


def next_best(hours: Tensor, prices: Tensor, taken: Tensor) -> Tensor:
    """$/kWh (B, N) of the best of the `hours` (H, B, N) left once the best `taken` (B, N) are; below 0 where none is.

    Args:
        hours: how much of each hour there is.
        prices: $/kWh (B, H).
        taken: hours.
    """
    order = torch.argsort(-prices, dim=1, stable=True)
    places = _by_hour(order).expand_as(hours)
    before = _before(hours.gather(0, places).cumsum(0) <= taken + ALMOST)
    return torch.where(before < prices.shape[1], _nth(before, prices.gather(1, order)), -1.0)


def event_pay(context: Tensor) -> Tensor:
    """$/kWh that a running programme event pays beside the tariff (B, 1), 0 without one."""
    rate = price(context[:, STARTS["event_rate"], None], RATE_SCALE)
    return context[:, STARTS["event_active"], None] * rate


def _before(short: Tensor) -> Tensor:
    """At how many places (H, B, N) it holds (B, N); counted in single precision, which is faster than integers."""
    return short.to(torch.float32).sum(0).to(torch.int64)


def _nth(place: Tensor, ranked: Tensor) -> Tensor:
    """The price at a place (B, N) among the ranked ones (B, H), beyond them the last."""
    return ranked.gather(1, torch.clamp(place, max=ranked.shape[1] - 1))


def _by_hour(of_hours: Tensor) -> Tensor:
    """(B, H) as (H, B, 1)."""
    return of_hours.T[..., None]


def _outlook(context: Tensor, kind: str) -> Tensor:
    first = STARTS[f"{kind}_outlook"]
    return price(context[:, first : first + OUTLOOK_HOURS])


def _gone_of_hour(context: Tensor) -> Tensor:
    """Which part of the running hour is over (B,), from the clock."""
    turn = torch.atan2(context[:, STARTS["clock"]], context[:, STARTS["clock"] + 1]) / (2.0 * math.pi)
    hour = turn * DAY_H + ALMOST
    return torch.clamp(hour - torch.floor(hour) - ALMOST, min=0.0)
