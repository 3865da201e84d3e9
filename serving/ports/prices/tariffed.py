"""Prices of a tariff: dated tables of its own, or a market's prices passed through."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from ....envs.world.calendar import StepTimes, time_zone
from ....envs.world.tariffs import Tariff
from .source import PriceError, PriceSource, PriceTable, intervals

Array = Any


class TariffPrices:
    """What a kWh costs and earns under a tariff.

    Args:
        tariff: which.
        market: the wholesale prices that it follows, without delivery; None where it follows none.

    Raises:
        ValueError: the tariff follows a market and none is given.
    """

    def __init__(self, tariff: Tariff, market: PriceSource | None = None) -> None:
        if tariff.needs_wholesale and market is None:
            raise ValueError(
                f"tariff {tariff.name!r} follows {tariff.settlement_point}; give its prices: --prices FILE or URL"
            )
        self._tariff, self._market = tariff, market
        self._zone = time_zone(tariff.timezone)

    def table(self, start: datetime, interval_s: int, now_s: float) -> PriceTable:
        """See `PriceSource`."""
        tariff, local = self._tariff, start.astimezone(self._zone)
        if local.date() < tariff.effective:
            raise PriceError(f"tariff {tariff.name} is in force from {tariff.effective} on, not yet on {local.date()}")
        minutes = interval_s // 60
        grid = local.replace(minute=local.minute - local.minute % minutes, second=0, microsecond=0)
        times = StepTimes(grid, minutes, intervals(interval_s))
        named = f"tariff {tariff.name} of {tariff.effective}"
        if not tariff.needs_wholesale or self._market is None:
            return PriceTable(
                tariff.import_price_usd_per_kwh(times), tariff.export_price_usd_per_kwh(times), np.nan, named
            )
        market = self._market.table(start, interval_s, now_s)
        wholesale, gap = market.import_usd_per_kwh, np.isnan(market.import_usd_per_kwh)
        capped = np.minimum(np.nan_to_num(wholesale), tariff.price_cap_usd_per_kwh or np.inf)
        buy, sell = tariff.import_price_usd_per_kwh(times, capped), tariff.export_price_usd_per_kwh(times, capped)
        # Time-of-use imports are known where the market is not.
        buy = np.where(gap, np.nan, buy) if tariff.kind == "pass_through" else buy
        return PriceTable(buy, np.where(gap, np.nan, sell), market.published_age_s, f"{named}, {market.source}")
