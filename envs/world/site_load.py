"""Base load and PV behind the meters, as they happen and as they are forecast the day before."""

from __future__ import annotations

import numpy as np

from .calendar import StepTimes
from .scenario import FloatArray, IntArray
from .settings import SiteSettings

# Load by hour of the wall clock, from midnight, relative to each other; assumed, no source: a home that is
# low at night and peaks at 19 h, an office that is up from 7 to 18 h.
HOME_SHAPE = np.array(
    [
        "0.62",
        "0.55",
        "0.52",
        "0.50",
        "0.52",
        "0.60",
        "0.80",
        "0.95",
        "0.92",
        "0.85",
        "0.82",
        "0.85",
        "0.90",
        "0.92",
        "0.95",
        "1.05",
        "1.25",
        "1.55",
        "1.80",
        "1.85",
        "1.70",
        "1.45",
        "1.10",
        "0.80",
    ],
    dtype=float,
)
WORKPLACE_SHAPE = np.array(
    [
        "0.55",
        "0.53",
        "0.52",
        "0.52",
        "0.55",
        "0.65",
        "0.85",
        "1.10",
        "1.30",
        "1.42",
        "1.50",
        "1.52",
        "1.52",
        "1.55",
        "1.55",
        "1.50",
        "1.40",
        "1.22",
        "1.00",
        "0.85",
        "0.75",
        "0.68",
        "0.62",
        "0.58",
    ],
    dtype=float,
)
WEEKEND_WORKPLACE = 0.6  # of a weekday's load; assumed
SITE_SPREAD = 0.35  # sigma of the log of a home's size; assumed
DAY_SPREAD = 0.12  # sigma of the log of a day's level, which the forecast does not know; assumed
HOUR_NOISE = {"home": 0.30, "workplace": 0.06, "none": 0.0}  # sigma of an hour's load about its mean; assumed
CLOUD_FORECAST_ERROR = 0.15  # sigma of clearness, forecast against happened; assumed
LATITUDE_DEG = 34.0  # of both Los Angeles and, within 5 degrees, Houston; sets the sun's path
PV_DERATE = 0.8  # AC output of a panel at full sun, per nominal kW; assumed


def base_load_kw(
    rng: np.random.Generator, site: SiteSettings, times: StepTimes, sites: int, mean_kw: float
) -> tuple[FloatArray, FloatArray]:
    """Base load of each site, happened and forecast, `(S, L)` each; `mean_kw` is a site's on average."""
    if site.base_load == "none" or mean_kw == 0:
        zero = np.zeros((sites, times.count))
        return zero, zero
    size = np.ones(sites) if site.base_load == "workplace" else _unit_lognormal(rng, SITE_SPREAD, (sites,))
    typical = mean_kw * size[:, None] * _shape(site.base_load, times)
    days = int(times.day_index[-1]) + 1
    level = _unit_lognormal(rng, DAY_SPREAD, (sites, days))[:, times.day_index]
    hours = _hour_of_step(times)
    noise = _unit_lognormal(rng, HOUR_NOISE[site.base_load], (sites, int(hours[-1]) + 1))[:, hours]
    return typical * level * noise, typical


def pv_kw(rng: np.random.Generator, site: SiteSettings, times: StepTimes, sites: int) -> tuple[FloatArray, FloatArray]:
    """PV output of each site, happened and forecast, `(S, L)` each; one sky over all of them."""
    has = rng.permutation(np.arange(sites) < round(site.pv_share * sites))
    days = int(times.day_index[-1]) + 1
    clearness = rng.beta(5.0, 1.5, days)  # assumed: mostly clear
    forecast = np.clip(clearness + CLOUD_FORECAST_ERROR * rng.standard_normal(days), 0.1, 1.0)
    hours = _hour_of_step(times)
    passing = np.clip(1.0 - 0.5 * (1.0 - clearness[times.day_index]) * rng.random(int(hours[-1]) + 1)[hours], 0, 1)
    top = site.pv_kw * PV_DERATE * clear_sky(times) * has[:, None]
    return top * clearness[times.day_index] * passing, top * forecast[times.day_index]


def other_load_kw(times: StepTimes, mean_kw: float) -> FloatArray:
    """Load of the feeder's other customers, homes of the usual shape, `(L,)`; it is known."""
    return mean_kw * _shape("home", times)


def clear_sky(times: StepTimes) -> FloatArray:
    """Sine of the sun's height at the middle of each step, not below 0, `(L,)`.

    Declination by Cooper's formula, 23.45 deg x sin(360 (284 + n)/365); solar noon at 12:00, or 13:00
    from April to October (daylight saving time).
    """
    day = (times.local_seconds // 86_400).astype("datetime64[D]")
    day_of_year = (day - day.astype("datetime64[Y]")).astype(np.int64) + 1
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (284 + day_of_year) / 365)
    noon = np.where((times.month >= 4) & (times.month <= 10), 13.0, 12.0)
    hour_angle = np.deg2rad(15.0) * (_middle_hour(times) - noon)
    latitude = np.deg2rad(LATITUDE_DEG)
    across = np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    height: FloatArray = np.maximum(np.sin(latitude) * np.sin(declination) + across, 0.0)
    return height


def _shape(kind: str, times: StepTimes) -> FloatArray:
    """Load of each step relative to the mean weekday's, `(L,)`."""
    shape = HOME_SHAPE if kind == "home" else WORKPLACE_SHAPE
    hourly = np.interp(_middle_hour(times), np.arange(24) + 0.5, shape, period=24)
    quiet = np.where(times.is_weekend & (kind == "workplace"), WEEKEND_WORKPLACE, 1.0)
    relative: FloatArray = hourly / shape.mean() * quiet
    return relative


def _middle_hour(times: StepTimes) -> FloatArray:
    return times.local_hour + times.interval_minutes / 120


def _hour_of_step(times: StepTimes) -> IntArray:
    hours: IntArray = np.arange(times.count) * times.interval_minutes // 60
    return hours


def _unit_lognormal(rng: np.random.Generator, sigma: float, shape: tuple[int, ...]) -> FloatArray:
    """Lognormal numbers of mean 1."""
    numbers: FloatArray = np.exp(sigma * rng.standard_normal(shape) - 0.5 * sigma**2)
    return numbers
