"""The price of a kWh that a driver asked for and did not get: skipping must never pay (contracts 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .fleet import FleetTable
from .scenario import Money
from .settings import MoneySettings
from .tariffs import Tariff

LEAST_UNSERVED_USD_PER_KWH = 2.0
MARGIN = 1.2
DAYS_PER_BILLING_MONTH = 30.4
CLOCK_WINDOW_H = 0.25


@dataclass(frozen=True)
class Highest:
    """The highest prices that can ever meet the fleet; never those of a day, which would leak it."""

    import_usd_per_kwh: float
    export_usd_per_kwh: float
    programme_usd_per_kwh: float
    emission_kg_per_kwh: float
    demand_usd_per_kw: float


def demand_factor(billing_peak_kw: float, days: int) -> float:
    """Share of a month's demand charge that an episode pays: its days, or all where the month has a peak."""
    return days / DAYS_PER_BILLING_MONTH if billing_peak_kw == 0 else 1.0


def least_unserved_usd_per_kwh(
    highest: Highest, settings: MoneySettings, table: FleetTable, days: int, interval_minutes: int
) -> float:
    """The bound of contracts 3, at least 2 $/kWh, with the demand charge's own factor and clock window."""
    window_h = max(CLOCK_WINDOW_H, interval_minutes / 60)
    demand = highest.demand_usd_per_kw * demand_factor(settings.billing_peak_kw, days) / window_h
    market = max(highest.import_usd_per_kwh, highest.export_usd_per_kwh) + highest.programme_usd_per_kwh
    carbon = settings.carbon_usd_per_kg * highest.emission_kg_per_kwh
    return max(LEAST_UNSERVED_USD_PER_KWH, MARGIN * (market + carbon + demand) / table.least_efficiency)


def run_money(settings: MoneySettings, least: float) -> Money:
    """The run's constants.

    Raises:
        ValueError: `unserved_usd_per_kwh` is below the least.
    """
    unserved = least if settings.unserved_usd_per_kwh is None else settings.unserved_usd_per_kwh
    if unserved < least:
        raise ValueError(
            f"money.unserved_usd_per_kwh is {unserved:g}, below {least:.4g}, where leaving a car short would "
            "pay; raise it or leave it out"
        )
    plain = settings.model_dump(exclude={"unserved_usd_per_kwh", "billing_peak_kw"})
    return Money(unserved_usd_per_kwh=unserved, **plain)


def highest_demand_usd_per_kw(tariffs: Sequence[Tariff]) -> float:
    """The highest demand rate of any tariff in any season; a meter has one tariff, so they do not add up."""
    rates = [season.demand_usd_per_kw for tariff in tariffs for season in tariff.seasons]
    return max([0.0, *rates, *(tariff.demand_usd_per_kw for tariff in tariffs)])
