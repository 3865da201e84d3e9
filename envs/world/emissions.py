"""Marginal emissions of the grid: what happens, a typical day, and the forecasts as issued."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, Strict

from .calendar import StepTimes
from .scenario import FloatArray
from .settings import NotNegative, Section, Share

HourlyMean = Annotated[tuple[NotNegative, ...], Strict(False), Field(min_length=24, max_length=24)]


class EmissionModel(Section):
    """Hourly means, a level for each day, and a deviation that follows an AR(1) from hour to hour."""

    name: str
    source: str
    hourly_mean_kg_per_kwh: HourlyMean
    day_sd_kg_per_kwh: NotNegative
    deviation_sd_kg_per_kwh: NotNegative
    deviation_hourly_correlation: Share
    forecast_sd_kg_per_kwh: NotNegative
    highest_kg_per_kwh: NotNegative


@dataclass(frozen=True)
class Emissions:
    """Emissions of a day in kg CO2/kWh.

    Attributes:
        happened: `(L,)`; NaN where there is no data.
        typical: `(L,)` forecast beyond the issued reach.
        issued: `(T, Q)` forecast at step k for steps k+1 ... k+Q.
    """

    happened: FloatArray
    typical: FloatArray
    issued: FloatArray


def no_emissions(n_times: int, n_steps: int) -> Emissions:
    """No data: all NaN, no forecasts."""
    nothing = np.full(n_times, np.nan)
    return Emissions(nothing, nothing, np.zeros((n_steps, 0)))


def draw_emissions(
    rng: np.random.Generator, model: EmissionModel, times: StepTimes, n_steps: int, reach: int
) -> Emissions:
    """A day of emissions with forecasts that reach `reach` steps ahead."""
    typical = typical_kg_per_kwh(model, times)
    days = int(times.day_index[-1]) + 1
    level = model.day_sd_kg_per_kwh * rng.standard_normal(days)[times.day_index]
    step_correlation = model.deviation_hourly_correlation ** (times.interval_minutes / 60)
    deviation = level + model.deviation_sd_kg_per_kwh * ar1(rng, step_correlation, times.count)
    happened = np.clip(typical + deviation, 0.0, model.highest_kg_per_kwh)
    reach = min(reach, times.count - n_steps)
    ahead = np.arange(1, reach + 1)
    steps = np.arange(n_steps)[:, None]
    decayed = (happened - typical)[:n_steps, None] * step_correlation**ahead
    noise = model.forecast_sd_kg_per_kwh * rng.standard_normal((n_steps, reach))
    issued = np.clip(typical[steps + ahead] + decayed + noise, 0.0, model.highest_kg_per_kwh)
    return Emissions(happened, typical, issued)


def typical_kg_per_kwh(model: EmissionModel, times: StepTimes) -> FloatArray:
    """The hourly mean at the middle of each step, `(L,)`."""
    middle = times.local_hour + times.interval_minutes / 120
    return np.interp(middle, np.arange(24) + 0.5, model.hourly_mean_kg_per_kwh, period=24)


def ar1(rng: np.random.Generator, correlation: float, count: int) -> FloatArray:
    """A stationary AR(1) series of unit variance, `(count,)`."""
    shocks = rng.standard_normal(count).tolist()
    fresh = np.sqrt(1 - correlation**2)
    value, series = shocks[0], []
    for shock in shocks:
        series.append(value)
        value = correlation * value + fresh * shock
    return np.array(series)
