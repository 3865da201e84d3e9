"""Prices: whether they are there, recent and whole, and what stands in where none is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from ..messages.request import DispatchRequest, Prices
from ..messages.to_snapshot import HORIZON_H, whole_steps
from .settings import DefaultSettings, GateSettings

Array = Any

CHEAP_USD_PER_KWH, DEAR_USD_PER_KWH = 0.1, 0.3
"""Stand in where no price is known, so that the night comes first; nobody is charged by them."""

DAY_S = 86400


class PriceCheck(NamedTuple):
    """What the gate made of the prices."""

    prices: Prices  # with a static night window for tariffs of which nothing is known
    gap: Array  # (N,) the car's stay meets a missing price, or the prices are late
    export_known: Array  # (P,) the present export price is known, and not from prices that are late
    import_known: Array  # (P,) the same of the import price
    problems: tuple[str, ...]


def check_prices(request: DispatchRequest, gates: GateSettings, defaults: DefaultSettings) -> PriceCheck:
    """Judge the prices of every tariff; each problem names series, window and age."""
    prices, steps = request.prices, request.steps(HORIZON_H)
    buy, sell = (_whole(series, steps) for series in (prices.import_usd_per_kwh, prices.export_usd_per_kwh))
    published = np.arange(steps) < max(prices.known_steps, 1)
    missing = np.isnan(buy) & published
    late = prices.published_age_s > gates.price_max_age_s
    used = np.zeros(len(prices.tariff), bool)
    used[request.sites.tariff] = True
    problems = [
        f"import price of {name}: no number from {_window(request, missing[at])} ({_age(prices)})"
        for at, name in enumerate(prices.tariff.tolist())
        if used[at] and missing[at].any()
    ]
    if late:
        problems.append(f"prices of all tariffs are late ({_age(prices)}; at most {gates.price_max_age_s / 3600:g} h)")
    last = np.clip(whole_steps(request.ports.departs_in_s, request.interval_s, steps), 1, steps) - 1
    tariff = request.sites.tariff[request.ports.site]
    gap = missing.cumsum(axis=1)[tariff, last] > 0
    nothing = np.isnan(buy).all(axis=1)
    night = np.where(nothing[:, None], _night(request, steps, defaults), buy)
    return PriceCheck(
        prices._replace(import_usd_per_kwh=night), gap | late, ~np.isnan(sell[:, 0]) & ~late,
        ~np.isnan(buy[:, 0]) & ~late, tuple(problems),
    )  # fmt: skip


def _whole(series: Array, steps: int) -> Array:
    whole = np.full((len(series), steps), np.nan)
    width = min(series.shape[1], steps)
    whole[:, :width] = series[:, :width]
    return whole


def _night(request: DispatchRequest, steps: int, defaults: DefaultSettings) -> Array:
    start, (first, last) = request.cycle_start, defaults.night_local_hours
    second = start.hour * 3600 + start.minute * 60 + start.second
    hour = (second + np.arange(steps) * request.interval_s) % DAY_S / 3600
    inside = (first <= hour) & (hour < last) if first <= last else (first <= hour) | (hour < last)
    return np.where(inside, CHEAP_USD_PER_KWH, DEAR_USD_PER_KWH)


def _window(request: DispatchRequest, missing: Array) -> str:
    at = np.flatnonzero(missing)
    first, end = (
        request.cycle_start + timedelta(seconds=int(step) * request.interval_s) for step in (at[0], at[-1] + 1)
    )
    return f"{first.isoformat()} to {end.isoformat()}"


def _age(prices: Prices) -> str:
    age = "age not said" if np.isnan(prices.published_age_s) else f"published {prices.published_age_s / 3600:.1f} h ago"
    return f"{prices.source}, {age}"
