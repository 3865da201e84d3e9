"""Estimate the figures of a `Market` from price files; what the committed markets were made with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from .scenario import BoolArray, FloatArray

COMPONENTS = 3
JUMP_SIGMAS = 4.0  # an innovation beyond this many robust standard deviations is a jump
MAD_TO_SD = 1.4826  # of a normal distribution


def fit_day_ahead(
    usd_per_kwh: FloatArray, dates: Sequence[date], *, scale_usd_per_kwh: float, scarce_usd_per_kwh: float
) -> dict[str, Any]:
    """Figures of the day-ahead model.

    Args:
        usd_per_kwh: `(D, 24)` by local date and hour; NaN where an hour is missing.
        dates: the D local dates.
        scale_usd_per_kwh: about a usual price; where `asinh` turns from straight to logarithmic.
        scarce_usd_per_kwh: days with a price above it count as scarce and stand outside the rest of the fit.

    Raises:
        ValueError: fewer than two weeks of days.
    """
    prices = np.asarray(usd_per_kwh, dtype=float)
    scarce = np.nanmax(prices, axis=1) > scarce_usd_per_kwh
    usual, days = prices[~scarce], [d for d, s in zip(dates, scarce, strict=True) if not s]
    if len(days) < 14:
        raise ValueError(f"{len(days)} days without scarcity; the fit needs 14 or more")
    bent = np.arcsinh(usual / scale_usd_per_kwh)
    weekend = np.array([d.weekday() >= 5 for d in days])
    mean, offset = _means(bent, np.array([d.month for d in days]), weekend)
    residual = bent - mean[[d.month - 1 for d in days]] - weekend[:, None] * offset
    parts = _components(np.nan_to_num(residual))
    return {
        "scale_usd_per_kwh": scale_usd_per_kwh,
        "spread_usd_per_kwh": float(np.nanmean(np.nanstd(usual, axis=1))),
        "scarce_day_share": float(scarce.mean()),
        "mean": mean,
        "weekend_offset": offset,
        **parts,
    }


def _means(bent: FloatArray, month: FloatArray, weekend: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Mean of weekdays by month and hour (hours without data: of all months), and the weekend's offset."""
    overall = np.nanmean(bent[~weekend], axis=0)
    mean = np.tile(overall, (12, 1))
    for m in np.unique(month[~weekend]):
        rows = bent[(month == m) & ~weekend]
        held = ~np.isnan(rows).all(axis=0)
        mean[int(m) - 1, held] = np.nanmean(rows[:, held], axis=0)
    above = bent[weekend] - mean[month[weekend].astype(int) - 1]
    return mean, np.nanmean(above, axis=0) if len(above) else np.zeros(24)


def _components(residual: FloatArray) -> dict[str, FloatArray]:
    """Principal components by singular value decomposition, their AR(1), and the rest."""
    _, _, directions = np.linalg.svd(residual, full_matrices=False)
    directions = directions[:COMPONENTS]
    weights = residual @ directions.T
    sd = weights.std(axis=0)
    correlation = [float(np.corrcoef(w[:-1], w[1:])[0, 1]) for w in weights.T]
    return {
        "components": directions,
        "component_sd": sd,
        "component_correlation": np.clip(correlation, -0.99, 0.99),
        "rest_sd": (residual - weights @ directions).std(axis=0),
    }


def fit_real_time(
    day_ahead_usd_per_kwh: FloatArray,
    real_time_usd_per_kwh: FloatArray,
    *,
    least_usd_per_kwh: float | None = None,
) -> dict[str, float]:
    """AR(1) with jumps of real time minus day-ahead, both in steps of five minutes.

    Args:
        day_ahead_usd_per_kwh: `(n,)`; NaN where missing.
        real_time_usd_per_kwh: `(n,)`; NaN where missing.
        least_usd_per_kwh: leave out steps in which either price is below it, for files that hold rows of
            other things than prices.

    Raises:
        ValueError: fewer than a day of neighbouring steps.
    """
    day_ahead, real_time = (np.array(x, dtype=float) for x in (day_ahead_usd_per_kwh, real_time_usd_per_kwh))
    if least_usd_per_kwh is not None:
        bad = (day_ahead < least_usd_per_kwh) | (real_time < least_usd_per_kwh)
        day_ahead[bad], real_time[bad] = np.nan, np.nan
    deviation = real_time - day_ahead
    deviation = deviation - np.nanmedian(deviation)
    pairs = np.isfinite(deviation[:-1]) & np.isfinite(deviation[1:])
    if pairs.sum() < 288:
        raise ValueError(f"{int(pairs.sum())} pairs of neighbouring steps; the fit needs 288, a day of them")
    before, after = deviation[:-1][pairs], deviation[1:][pairs]
    # The slope through the middle of the data: a single spike must not set the correlation.
    bound = JUMP_SIGMAS * MAD_TO_SD * float(np.median(np.abs(before)))
    middle = (np.abs(before) < bound) & (np.abs(after) < bound)
    correlation = float((before[middle] @ after[middle]) / (before[middle] @ before[middle]))
    innovation = after - correlation * before
    sd = MAD_TO_SD * float(np.median(np.abs(innovation)))
    jumps = innovation[np.abs(innovation) > JUMP_SIGMAS * sd]
    return {
        "correlation": correlation,
        "innovation_sd_usd_per_kwh": sd,
        "jump_probability": len(jumps) / len(innovation),
        "jump_mean_usd_per_kwh": float(np.abs(jumps).mean()) if len(jumps) else 0.0,
        "jump_up_share": float((jumps > 0).mean()) if len(jumps) else 0.5,
        "spread_usd_per_kwh": float(np.nanstd(day_ahead)),
    }
