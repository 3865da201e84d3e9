"""Random small worlds that stretch every rule: for property tests, parity tests and users' own checks.

Nothing here is calibrated; the calibrated days are in `behaviour` and `build`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from .scenario import Events, Money, Scenario, Stays, steps_per_hour

FULL = 0.995


@dataclass(frozen=True)
class Stress:
    """What a random world holds; the defaults turn everything on."""

    ports: int = 6
    sites: int = 3
    feeders: int = 2
    tariffs: int = 2
    interval_minutes: int = 15
    hours: int = 12
    lookahead_hours: int = 24
    tight: float = 0.6  # limits as a share of what the ports could draw together
    unknown_soc: float = 0.2
    bidirectional: float = 0.6
    misreport: bool = True
    minimum: bool = True  # 6 A minimum and current steps
    outlast: float = 0.3  # share of stays that go on after the end


def random_scenario(rng: np.random.Generator, stress: Stress | None = None) -> Scenario:
    """Draw a world of `stress`."""
    o = stress or Stress()
    per_hour = steps_per_hour(o.interval_minutes)
    t = o.hours * per_hour
    length = t + o.lookahead_hours * per_hour
    stays = _stays(rng, o, t)
    port_site = np.sort(np.arange(o.ports) % o.sites)
    site_feeder = np.arange(o.sites) % o.feeders
    site_power = np.bincount(port_site, minlength=o.sites) * 8.0
    base = rng.uniform(-2, 4, (o.sites, 1)) + rng.normal(0, 1, (o.sites, length))
    price = rng.uniform(-0.1, 0.5, (o.tariffs, 1)) + rng.normal(0, 0.15, (o.tariffs, length))
    export = price - rng.uniform(-0.05, 0.2, (o.tariffs, 1))
    limit = np.maximum(site_power * o.tight, 2.0)[:, None] * rng.uniform(0.7, 1.3, (o.sites, length))
    feeder_power = np.bincount(site_feeder, weights=site_power, minlength=o.feeders)
    feeder = np.maximum(feeder_power * o.tight, 2.0)[:, None] * rng.uniform(0.7, 1.2, (o.feeders, length))
    start = int(rng.integers(0, max(1, t - per_hour)))
    return Scenario(
        name="stress",
        start=datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("America/Los_Angeles")),
        interval_minutes=o.interval_minutes,
        n_steps=t,
        stays=stays,
        port_site=port_site,
        site_feeder=site_feeder,
        site_tariff=np.arange(o.sites) % o.tariffs,
        site_net_load_kw=base,
        site_net_load_forecast_kw=base + rng.normal(0, 0.3, base.shape),
        site_import_limit_kw=limit,
        site_export_limit_kw=limit * 0.5,
        feeder_import_limit_kw=feeder,
        feeder_export_limit_kw=feeder * 0.5,
        feeder_other_load_kw=rng.uniform(0, 1, (o.feeders, length)),
        import_price_usd_per_kwh=price,
        export_price_usd_per_kwh=export,
        import_price_forecast_usd_per_kwh=np.stack([price + rng.normal(0, 0.02, price.shape), price]),
        export_price_forecast_usd_per_kwh=np.stack([export, export]),
        price_issue_of_step=(np.arange(t) >= t // 2).astype(np.int64),
        price_known_until_step=np.array([t // 2, length]),
        demand_rate_usd_per_kw=rng.uniform(0, 20, o.tariffs),
        fixed_usd_per_day=rng.uniform(0, 1, o.sites),
        billing_peak_kw=np.where(rng.random(o.sites) < 0.5, 0.0, 3.0),
        typical_peak_kw=np.full(o.sites, np.nan),
        events=Events(
            start_step=np.array([start]),
            end_step=np.array([min(start + 2 * per_hour, t)]),
            notice_step=np.array([start - per_hour]),
            rate_usd_per_kwh=np.array([2.0]),
            pays_export=np.array([bool(rng.random() < 0.5)]),
            hours_used=np.array([10.0]),
        ),
        baseline_kw=rng.uniform(0, 3, (o.sites, t)),
        expected_arrivals_kwh=np.zeros((o.sites, 0, 0)),
        emissions_kg_per_kwh=rng.uniform(0, 0.5, length),
        emissions_forecast_kg_per_kwh=rng.uniform(0, 0.5, length),
        emissions_issued_kg_per_kwh=rng.uniform(0, 0.5, (t, 4)),
        highest_price_usd_per_kwh=2.0,
        money=Money(unserved_usd_per_kwh=6.0, carbon_usd_per_kg=0.05, calendar_wear_usd_per_kwh=120.0),
        vehicles=("any",),
        provenance={"world": "random, uncalibrated"},
    )


def _stays(rng: np.random.Generator, o: Stress, t: int) -> Stays:
    rows = [
        (port, lo, hi, outlast)
        for port in range(o.ports)
        for lo, hi, outlast in _slots(rng, t, o.outlast)
    ]  # fmt: skip
    port, arrive, depart, outlast = (np.array(c) for c in zip(*rows, strict=True))
    j = len(port)
    depart = np.where(outlast, t + rng.integers(1, t, j), depart)
    said = np.maximum(depart + rng.integers(-6, 7, j), arrive + 1) if o.misreport else depart
    capacity = rng.uniform(30, 110, j)
    step = 0.24 if o.minimum else 0.0
    charge = np.round(rng.uniform(16, 48, j)) * 0.24
    soc = rng.uniform(0.05, 0.95, j)
    target = np.minimum(np.where(rng.random(j) < 0.8, rng.uniform(soc, 1.0), rng.uniform(0.1, 0.9, j)), FULL)
    known = rng.random(j) >= o.unknown_soc
    target = np.where(known, target, np.maximum(target, soc))
    min_soc = rng.uniform(0.1, 0.25, j)
    limit = np.minimum(np.maximum(np.maximum(target, soc), min_soc), FULL)
    two_way = rng.random(j) < o.bidirectional
    return Stays(
        port=port, arrive_step=arrive, depart_step=depart, said_depart_step=said, soc_arrive=soc, target_soc=target,
        asked_kwh=capacity * (target - soc), stop_soc=limit, charge_limit_soc=limit,
        reserve_soc=rng.uniform(0.1, 0.5, j), min_soc=min_soc, soc_known=known,
        export_consent=two_way & (rng.random(j) < 0.9), capacity_kwh=capacity, taper_soc=rng.uniform(0.5, 0.9, j),
        battery_accept_kw=rng.uniform(6, 150, j), max_charge_kw=charge,
        max_discharge_kw=np.where(two_way, np.round(charge / 0.24) * 0.24, 0.0),
        min_charge_kw=np.full(j, 1.44 if o.minimum else 0.0), min_discharge_kw=np.zeros(j), step_kw=np.full(j, step),
        charge_efficiency=rng.uniform(0.86, 0.96, j), discharge_efficiency=rng.uniform(0.86, 0.96, j),
        fixed_loss_kw=rng.uniform(0, 0.2, j), vehicle=np.zeros(j, np.int64),
    )  # fmt: skip


def _slots(rng: np.random.Generator, t: int, outlast: float) -> list[tuple[int, int, bool]]:
    """Stays of one port that do not overlap; the last one may go on after the end."""
    edges = np.unique(rng.integers(0, t + 1, 4))
    pairs = [(int(a), int(b)) for a, b in zip(edges[:-1:2], edges[1::2], strict=False)]
    pairs = pairs or [(0, t)]
    last = rng.random() < outlast
    return [(a, b, last and i == len(pairs) - 1) for i, (a, b) in enumerate(pairs)]
