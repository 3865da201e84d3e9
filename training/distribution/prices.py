"""Tariffs and markets like those of the presets, at other levels and spreads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...configs.load import load_model
from ...envs.world.tariff_tables import NetBilling
from ...envs.world.tariffs import Tariff, load_tariff
from ...envs.world.wholesale import Market

LEAST_USD_PER_KWH = 0.01
"""Of a time-of-use price: only markets go below 0."""

PASS_THROUGH = "texas-lz-houston"
"""The plan after which every tariff that follows a market is made."""

NOON = slice(9, 17)
"""Hours that solar power makes cheap."""


def scaled_tariff(name: str, level: float, spread: float, demand_usd_per_kw: float | None) -> Tariff:
    """A time-of-use plan with all prices moved.

    Args:
        name: of the plan.
        level: factor on every price.
        spread: factor on the distance of each price from the year's mean, before; 0: one price, day and night.
        demand_usd_per_kw: of every month; None: the plan's own.
    """
    base = load_tariff(name)
    mean = float(base.import_table_usd_per_kwh.mean())
    values = base.model_dump()
    for season in values["seasons"]:
        for period in season["periods"]:
            period["usd_per_kwh"] = max(level * (mean + spread * (period["usd_per_kwh"] - mean)), LEAST_USD_PER_KWH)
        if demand_usd_per_kw is not None:
            season["demand_usd_per_kw"] = demand_usd_per_kw
    if isinstance(base.export, NetBilling):
        credit = float(base.export.table_usd_per_kwh.mean())
        for rows in ("weekday_usd_per_kwh", "weekend_usd_per_kwh"):
            table = np.array(values["export"][rows])
            moved = np.maximum(level * (credit + spread * (table - credit)), 0.0)
            values["export"][rows] = moved.tolist()
    return _tariff(values, f"{name}, prices times {level:.2f}, their spread times {spread:.2f}")


def market_tariff(
    market: Market, timezone: str, delivery_usd_per_kwh: float, demand_usd_per_kw: float, export_share: float
) -> Tariff:
    """A plan that passes a market's price through.

    Args:
        market: whose price.
        timezone: of the meter.
        delivery_usd_per_kwh: on top of it.
        demand_usd_per_kw: of every month; 0: none.
        export_share: of the market's price that an export earns; 0: it is not paid.
    """
    values = load_tariff(PASS_THROUGH).model_dump()
    values |= {
        "timezone": timezone,
        "settlement_point": market.settlement_point,
        "delivery_usd_per_kwh": delivery_usd_per_kwh,
        "price_cap_usd_per_kwh": market.price_cap_usd_per_kwh,
        "demand_usd_per_kw": demand_usd_per_kw,
        "export": {"kind": "pass_through", "share": export_share} if export_share else {"kind": "none"},
    }
    return _tariff(values, f"{market.name} plus {delivery_usd_per_kwh:.3f} $/kWh")


def varied_market(
    name: str, *, level: float, spread: float, scarce_days: float, noon_shift: float, error: float
) -> Market:
    """A market with its prices moved.

    Args:
        name: of the market.
        level: factor on every price.
        spread: factor on how far days and hours differ from their mean.
        scarce_days: share of days with prices near the cap.
        noon_shift: by how much noons are cheaper, on the bent scale of `Market.mean`: with 1 and more often below 0.
        error: factor on the deviation of the real-time price.
    """
    base = load_model(Market, "markets", name)
    values = base.model_dump()
    values["name"] = f"{name}, prices times {level:.2f}, their spread times {spread:.2f}"
    values["scale_usd_per_kwh"] *= level
    values["spread_usd_per_kwh"] *= level * spread
    for column in ("component_sd", "rest_sd"):
        values[column] = [spread * sd for sd in values[column]]
    mean = np.array(values["mean"])
    mean[:, NOON] -= noon_shift
    values["mean"] = mean.tolist()
    values["scarcity"]["day_probability"] = scarce_days
    values["deviation"]["innovation_sd_usd_per_kwh"] *= error
    values["deviation"]["jump_mean_usd_per_kwh"] *= error
    return Market.model_validate(_listed(values), strict=False)


def _tariff(values: dict[str, Any], title: str) -> Tariff:
    return Tariff.model_validate(_listed({**values, "title": title, "name": "drawn"}), strict=False)


def _listed(value: Any) -> Any:
    """With tuples for lists, as frozen records want them."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return tuple(_listed(item) for item in value) if isinstance(value, list | tuple) else value
