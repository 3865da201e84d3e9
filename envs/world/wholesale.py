"""Synthetic market prices: day-ahead hours from a fitted model, real time as a deviation with jumps.

Day-ahead: prices are bent by `asinh(price / scale)`, so that negative hours and spikes keep a finite
spread. The bent day is a mean by month and hour, an offset on weekends, a few principal components whose
weights follow an AR(1) from day to day, and a rest of its own spread at each hour. Now and then a
scarcity window lifts some hours far up.
Real time: day-ahead plus one AR(1) deviation in steps of five minutes, with jumps, scaled to the local
spread.
All is clipped to the market's offer cap (contracts 1). `fit` estimates the figures from files.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import Field, Strict, model_validator

from .calendar import StepTimes
from .issued import HISTORY_DAYS, DailyPrices
from .scenario import FloatArray
from .settings import NotNegative, Positive, Section, Share

Row = Annotated[tuple[float, ...], Strict(False), Field(min_length=24, max_length=24)]
Rows24 = Annotated[tuple[Row, ...], Strict(False)]
Numbers = Annotated[tuple[float, ...], Strict(False)]
Correlation = Annotated[float, Field(gt=-1.0, lt=1.0)]
DEVIATION_MINUTES = 5


class Scarcity(Section):
    """Rare windows of prices near the cap; the level is drawn log-uniformly."""

    day_probability: Share
    lowest_usd_per_kwh: Positive
    first_hour: Annotated[int, Field(ge=0, le=23)]
    last_hour: Annotated[int, Field(ge=0, le=23)]  # of the window's begin
    longest_h: Annotated[int, Field(ge=1, le=24)]


class Deviation(Section):
    """Real time minus day-ahead, in steps of five minutes."""

    source: str
    correlation: Correlation  # of one step and the next
    innovation_sd_usd_per_kwh: NotNegative
    jump_probability: Share  # per step
    jump_mean_usd_per_kwh: NotNegative  # of the size, which is exponential
    jump_up_share: Share
    spread_usd_per_kwh: Positive  # of the day-ahead prices it was fitted beside: their sd within days


class Market(Section):
    """One settlement point's prices.

    Raises:
        ValueError: a table of the wrong shape.
    """

    name: str
    source: str
    note: str = ""
    settlement_point: str
    price_cap_usd_per_kwh: Positive
    price_floor_usd_per_kwh: float
    scale_usd_per_kwh: Positive
    mean: Rows24  # 12 months x 24 hours, bent
    weekend_offset: Row
    components: Rows24
    component_sd: Numbers
    component_correlation: Numbers  # from day to day
    rest_sd: Row
    spread_usd_per_kwh: Positive  # mean over days of the sd within the day
    scarcity: Scarcity
    deviation: Deviation

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        if len(self.mean) != 12:
            raise ValueError(f"mean has {len(self.mean)} rows; give 12, one a month")
        counts = {len(self.components), len(self.component_sd), len(self.component_correlation)}
        if len(counts) != 1:
            raise ValueError("components, component_sd and component_correlation differ in length; make them equal")
        return self

    @cached_property
    def _mean(self) -> FloatArray:
        return np.array(self.mean)

    @cached_property
    def _components(self) -> FloatArray:
        return np.array(self.components).reshape(-1, 24)


def draw_day_ahead(rng: np.random.Generator, market: Market, first: date, days: int, cap: float) -> DailyPrices:
    """Hourly prices of `days` local dates from `first`, and of the week before for the like days."""
    dates = [first + timedelta(days=d) for d in range(-HISTORY_DAYS, days)]
    weights = _weights(rng, market, len(dates))
    bent = market._mean[[d.month - 1 for d in dates]] + weights @ market._components
    bent = bent + np.outer([d.weekday() >= 5 for d in dates], market.weekend_offset)
    bent = bent + rng.standard_normal(bent.shape) * market.rest_sd
    prices = market.scale_usd_per_kwh * np.sinh(bent)
    prices = np.maximum(prices, _scarce(rng, market.scarcity, len(dates), cap))
    return DailyPrices(np.clip(prices, market.price_floor_usd_per_kwh, cap))


def _weights(rng: np.random.Generator, market: Market, days: int) -> FloatArray:
    """AR(1) weights of the components, `(days, K)`, stationary from the first day."""
    sd, correlation = np.array(market.component_sd), np.array(market.component_correlation)
    shocks = rng.standard_normal((days, len(sd)))
    weights = np.empty_like(shocks)
    value = weights[0] = shocks[0]
    for d in range(1, days):
        value = weights[d] = correlation * value + np.sqrt(1 - correlation**2) * shocks[d]
    scaled: FloatArray = weights * sd
    return scaled


def _scarce(rng: np.random.Generator, scarcity: Scarcity, days: int, cap: float) -> FloatArray:
    """The scarcity price of each hour, minus infinity outside the windows, `(days, 24)`."""
    u = rng.random((days, 4))
    begin = scarcity.first_hour + np.floor(u[:, 1] * (scarcity.last_hour - scarcity.first_hour + 1))
    length = 1 + np.floor(u[:, 2] * scarcity.longest_h)
    low = min(scarcity.lowest_usd_per_kwh, cap)
    level = low * (cap / low) ** u[:, 3]
    hour = np.arange(24)
    inside = (hour >= begin[:, None]) & (hour < (begin + length)[:, None])
    return np.where(inside & (u[:, :1] < scarcity.day_probability), level[:, None], -np.inf)


def draw_deviation(rng: np.random.Generator, market: Market, times: StepTimes, spread_usd_per_kwh: float) -> FloatArray:
    """Real time minus day-ahead at each step, `(L,)`: the mean of the step's five-minute values.

    `spread_usd_per_kwh` is the local day-ahead prices' standard deviation within days, to which it is scaled.
    """
    deviation = market.deviation
    per_step = times.interval_minutes // DEVIATION_MINUTES
    count = times.count * per_step
    innovations = deviation.innovation_sd_usd_per_kwh * rng.standard_normal(count)
    u, size = rng.random((2, count)), rng.exponential(deviation.jump_mean_usd_per_kwh, count)
    jumps = np.where(u[1] < deviation.jump_up_share, size, -size)
    innovations += np.where(u[0] < deviation.jump_probability, jumps, 0.0)
    series, value = [], 0.0
    for innovation in innovations.tolist():
        value = deviation.correlation * value + innovation
        series.append(value)
    scale = spread_usd_per_kwh / deviation.spread_usd_per_kwh
    steps: FloatArray = scale * np.array(series).reshape(times.count, per_step).mean(axis=1)
    return steps
