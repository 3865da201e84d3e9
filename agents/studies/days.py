"""Random days of a wanted tightness, drawn afresh for the study of the guarantee; nothing here is calibrated.

5 to 60 cars, all there from the start or coming over the day, leave over 24 hours. A day's limits and loads are
scaled together so that its tightness is as drawn: 1 is where perfect foresight could only just serve everybody.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.world.reference_days import arrivals_kwh
from ...envs.world.scenario import Events, Money, Scenario, Stays
from .least_shortfall import charging_of, least_shortfall_kwh, tightness

Array = NDArray[Any]

STEPS, INTERVAL_MINUTES = 96, 15
PORTS = 60
CARS = (5, 60)
PEAK = (1.5, 4.0)
"""Uncontrolled peak over the limit, at the one meter or, with a feeder, at the feeder."""

TIGHTNESS = (0.80, 1.05)
NO_LIMIT_KW = 1e9
ATTEMPTS = 200
OTHER_DAYS = 30
"""Days of the same fleet from which the expected arrivals are taken."""

LEVEL_1_KW = 1.44
"""6 A at 240 V."""


@dataclass(frozen=True)
class Kind:
    """What the days of a row of the study hold."""

    taper: bool = False
    minimum: bool = False  # 6 A minimum current
    forecast_error: float = 0.0  # of the capacity, at most
    sites: int = 1
    arrivals: bool = False  # most cars come later; what other days of the fleet would bring is known


@dataclass(frozen=True)
class StudyDay:
    """A day, how tight it is, and what perfect foresight could not serve."""

    scenario: Scenario
    tightness: float
    least_shortfall_kwh: float
    peak_ratio: float


def draw_day(kind: Kind, seed: int, day: int) -> StudyDay:
    """Draw day number `day`; it depends on the kind, the seed and the number alone.

    Raises:
        RuntimeError: no day with the wanted peak was found, which no seed has shown yet.
    """
    rng = np.random.default_rng([seed, day, *(int(1000 * value) for value in astuple(kind))])
    for _ in range(ATTEMPTS):
        wanted = float(rng.uniform(*TIGHTNESS))
        plain = _unscaled(rng, kind)
        if not _peak_fits(plain, _at_least(plain) / wanted, slack=1.5):
            continue
        scale = tightness(charging_of(plain)) / wanted
        if _peak_fits(plain, scale):
            scenario = _with_forecast(rng, _scaled(plain, scale), kind.forecast_error)
            least = least_shortfall_kwh(charging_of(scenario)) if wanted > 1.0 else 0.0
            return StudyDay(scenario, wanted, least, _peak_ratio(plain, scale))
    raise RuntimeError(f"no day with an uncontrolled peak of {PEAK} times the limit in {ATTEMPTS} draws")


def _unscaled(rng: np.random.Generator, kind: Kind) -> Scenario:
    length = 2 * STEPS
    limit, load = _limits(rng, kind, length)
    count = int(rng.integers(CARS[0], CARS[1] + 1))
    stays = _stays(rng, kind, count)
    port_site = np.arange(PORTS) * kind.sites // PORTS
    feeder_limit, other = _feeder(rng, kind, stays, port_site, limit, load)
    expected, zero = _expected_arrivals(rng, kind, count), np.zeros((1, length))
    return Scenario(
        name="guarantee",
        start=datetime(2026, 1, 1, tzinfo=UTC),
        interval_minutes=INTERVAL_MINUTES,
        n_steps=STEPS,
        stays=stays,
        port_site=port_site,
        site_feeder=np.zeros(kind.sites, np.int64),
        site_tariff=np.zeros(kind.sites, np.int64),
        site_net_load_kw=load,
        site_net_load_forecast_kw=load,
        site_import_limit_kw=limit,
        site_export_limit_kw=limit,
        feeder_import_limit_kw=feeder_limit,
        feeder_export_limit_kw=feeder_limit,
        feeder_other_load_kw=other,
        import_price_usd_per_kwh=zero,
        export_price_usd_per_kwh=zero,
        import_price_forecast_usd_per_kwh=zero[None],
        export_price_forecast_usd_per_kwh=zero[None],
        price_issue_of_step=np.zeros(STEPS, np.int64),
        price_known_until_step=np.array([length]),
        demand_rate_usd_per_kw=np.zeros(1),
        fixed_usd_per_day=np.zeros(kind.sites),
        billing_peak_kw=np.zeros(kind.sites),
        typical_peak_kw=np.full(kind.sites, np.nan),
        events=Events.none(),
        baseline_kw=np.zeros((kind.sites, STEPS)),
        expected_arrivals_kwh=expected,
        emissions_kg_per_kwh=np.full(length, np.nan),
        emissions_forecast_kg_per_kwh=np.full(length, np.nan),
        emissions_issued_kg_per_kwh=np.zeros((STEPS, 0)),
        highest_price_usd_per_kwh=0.0,
        money=Money(unserved_usd_per_kwh=1.0),
    )


def _limits(rng: np.random.Generator, kind: Kind, length: int) -> tuple[Array, Array]:
    """Constant limits and loads that leave a moving share of them, (S, L)."""
    hour = np.arange(length) * INTERVAL_MINUTES / 60.0
    size = rng.uniform(0.5, 2.0, (kind.sites, 1)) if kind.sites > 1 else np.ones((1, 1))
    phase = rng.uniform(0.0, 24.0, (kind.sites, 1))
    swing = rng.uniform(0.05, 0.3, (kind.sites, 1)) * np.cos((hour - phase) * np.pi / 12.0)
    noise = rng.normal(0.0, 0.05, (kind.sites, length))
    share = np.clip(rng.uniform(0.2, 0.5, (kind.sites, 1)) + swing + noise, 0.0, 0.95)
    return np.broadcast_to(size, share.shape).copy(), size * share


def _feeder(
    rng: np.random.Generator, kind: Kind, stays: Stays, port_site: Array, limit: Array, load: Array
) -> tuple[Array, Array]:
    """A feeder that binds now and then beside the sites where there are several, else none; (1, L) each."""
    length = limit.shape[1]
    if kind.sites == 1:
        return np.full((1, length), NO_LIMIT_KW), np.zeros((1, length))
    # Sites sized like the cars on them, and a feeder for which their sum is too much.
    power = np.bincount(port_site[stays.port], stays.max_charge_kw, kind.sites)[:, None] / 20.0 + 0.05
    limit *= power
    load *= power
    head = (limit - load).sum(0, keepdims=True)
    wave = np.cos((np.arange(length) / 4.0 - rng.uniform(0.0, 24.0)) * np.pi / 12.0)
    other = np.full((1, length), limit.sum() / length * 0.1)
    return load.sum(0) + other + head * (rng.uniform(0.5, 0.8) + 0.15 * wave), other


def _expected_arrivals(rng: np.random.Generator, kind: Kind, count: int) -> Array:
    """What other days of as many cars bring, (S, 24, 25) kWh by hour of arrival and departure."""
    if not kind.arrivals:
        return np.zeros((kind.sites, 0, 0))
    others = [arrivals_kwh(_stays(rng, kind, count), (24, 25), 4) for _ in range(OTHER_DAYS)]
    return np.broadcast_to(np.mean(others, axis=0) / kind.sites, (kind.sites, 24, 25)).copy()


def _stays(rng: np.random.Generator, kind: Kind, j: int) -> Stays:
    port = np.sort(rng.choice(PORTS, j, replace=False))
    power = rng.choice([3.6, 6.6, 7.2, 9.6, 11.5], j)
    efficiency = rng.uniform(0.86, 0.95, j) if kind.taper else np.ones(j)
    arrive = rng.integers(0, STEPS - 16, j) if kind.arrivals else np.zeros(j, np.int64)
    depart = rng.integers(arrive + 8, STEPS + 1)
    hours = np.minimum(rng.uniform(0.5, 9.0, j), (depart - arrive) / 4.0 * rng.uniform(0.3, 1.0, j))
    capacity = rng.uniform(40.0, 100.0, j)
    target = rng.uniform(0.7, 0.995, j) if kind.taper else np.full(j, 0.9)
    need = np.minimum(hours * power * efficiency, (target - 0.05) * capacity)
    soc = target - need / capacity
    two_way = rng.random(j) < 0.5
    ones, zeros = np.ones(j), np.zeros(j)
    return Stays(
        port=port, arrive_step=arrive, depart_step=depart, said_depart_step=depart, soc_arrive=soc,
        target_soc=target, asked_kwh=need, stop_soc=target, charge_limit_soc=target, reserve_soc=zeros, min_soc=zeros,
        soc_known=np.ones(j, bool), export_consent=two_way, capacity_kwh=capacity,
        taper_soc=rng.uniform(0.6, 0.9, j) if kind.taper else 0.99 * ones,
        battery_accept_kw=power * efficiency * rng.uniform(1.0, 4.0, j) if kind.taper else 1e6 * ones,
        max_charge_kw=power, max_discharge_kw=np.where(two_way, power, 0.0),
        min_charge_kw=LEVEL_1_KW * ones if kind.minimum else zeros, min_discharge_kw=zeros, step_kw=zeros,
        charge_efficiency=efficiency, discharge_efficiency=efficiency, fixed_loss_kw=zeros,
        vehicle=np.zeros(j, np.int64),
    )  # fmt: skip


def _at_least(day: Scenario) -> float:
    """A scale of the limits below which somebody must go short: the energy due by each departure."""
    cars = charging_of(day)
    room = np.cumsum(cars.site_room_kw.sum(0)) * cars.step_h
    due = np.bincount(cars.depart - 1, cars.need_kwh / cars.efficiency, minlength=STEPS).cumsum()
    return float((due / room).max())


def _peak_fits(day: Scenario, scale: float, slack: float = 1.0) -> bool:
    ratio = _peak_ratio(day, scale)
    return ratio <= PEAK[1] * slack and (slack > 1.0 or ratio >= PEAK[0])


def _peak_ratio(day: Scenario, scale: float) -> float:
    """Highest load if all charge at once from their arrival, over the limit; limits times `scale`."""
    cars = charging_of(day)
    hours = cars.need_kwh / cars.efficiency / cars.power_kw
    since = np.arange(STEPS) - cars.arrive[:, None]
    on = np.clip(hours[:, None] / day.step_h - since, 0.0, 1.0) * (since >= 0) * cars.power_kw[:, None]
    limit, load = day.site_import_limit_kw.sum(0), day.site_net_load_kw.sum(0)
    if day.n_sites > 1:
        limit, load = day.feeder_import_limit_kw[0], load + day.feeder_other_load_kw[0]
    return float(((on.sum(0) / scale + load[:STEPS]) / limit[:STEPS]).max())


def _scaled(day: Scenario, scale: float) -> Scenario:
    names = (
        "site_net_load_kw", "site_net_load_forecast_kw", "site_import_limit_kw", "site_export_limit_kw",
        "feeder_import_limit_kw", "feeder_export_limit_kw", "feeder_other_load_kw",
    )  # fmt: skip
    return replace(day, **{name: getattr(day, name) * scale for name in names})


def _with_forecast(rng: np.random.Generator, day: Scenario, error: float) -> Scenario:
    """A forecast whose room is wrong by a bias of the day and an hourly error, together at most `error`."""
    if error == 0.0:
        return day
    shape = day.site_net_load_kw.shape
    hourly = np.repeat(rng.uniform(-error, error, (shape[0], shape[1] // 4)), 4, axis=1)
    wrong = np.clip(rng.uniform(-error, error, (shape[0], 1)) + hourly, -error, error)
    room = day.site_import_limit_kw - day.site_net_load_kw
    return replace(day, site_net_load_forecast_kw=day.site_import_limit_kw - room * (1.0 + wrong))
