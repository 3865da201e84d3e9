"""What the prices of a car's stay say about a decision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from ..messages.request import DispatchRequest
from ..messages.vocabulary import Mode
from .later import far_sighted
from .times import clock

Array = Any

SAME_USD_PER_KWH = 5e-4
"""Prices that differ by less are shown alike."""


class PriceView(NamedTuple):
    """Prices of every tariff from the present step on, $/kWh (P, H); NaN unknown."""

    request: DispatchRequest
    buy: Array
    sell_now: Array  # (P,)


def price_view(request: DispatchRequest) -> PriceView:
    """The prices of a request, forecast by the day before beyond what is published."""
    prices = far_sighted(request).prices
    return PriceView(request, prices.import_usd_per_kwh, prices.export_usd_per_kwh[:, 0])


def price_words(view: PriceView, port: int, mode: Mode, steps: int) -> str:
    """Why a car does what it does as far as the prices of its `steps` tell; empty where they tell nothing."""
    tariff = view.request.sites.tariff[view.request.ports.site[port]]
    if mode == Mode.EXPORT:
        paid = view.sell_now[tariff]
        return "" if np.isnan(paid) else f"for {dollars(paid)}"
    stay = view.buy[tariff, : max(steps, 1)]
    if mode == Mode.RELEASE or np.isnan(stay[0]) or np.isnan(stay).all():
        return ""
    least = int(np.nanargmin(stay))
    cheaper = stay[least] < stay[0] - SAME_USD_PER_KWH
    if mode == Mode.CHARGE:
        return f"at {dollars(stay[0])}" if cheaper else f"at {dollars(stay[0])}, the lowest price of its stay"
    if not cheaper:
        return ""
    at = view.request.cycle_start + timedelta(seconds=least * view.request.interval_s)
    forecast = "" if least < view.request.prices.known_steps else ", by forecast"
    return f"as power costs {dollars(stay[least])} from {clock(view.request, at)}{forecast}, and {dollars(stay[0])} now"


def dollars(usd_per_kwh: float) -> str:
    """A price for people."""
    sign = "-" if usd_per_kwh < 0 else ""
    return f"{sign}${abs(usd_per_kwh):.3f}/kWh"
