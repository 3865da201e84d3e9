"""A small world whose every number a test can compute by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ebbflow.envs.world.scenario import Events, Money, Scenario, Stays

POWER_KW, CAPACITY_KWH, FIRST_SOC = 8.0, 40.0, 0.1
MakeWorld = Callable[..., Scenario]


def make_world(
    need_steps: Sequence[float],
    depart: Sequence[int],
    arrive: Sequence[int] | None = None,
    *,
    price: Sequence[float] | float = 0.2,
    known_until: int | None = None,
    site_limit_kw: float = 1000.0,
    feeder_limit_kw: float = 1000.0,
    port_site: Sequence[int] | None = None,
    n_steps: int = 8,
    base_kw: float = 0.0,
    v2g: bool = False,
) -> Scenario:
    """One car per port, all alike: 8 kW, 40 kWh, lossless, no taper before full; an hour a step.

    Car `i` needs `need_steps[i]` hours (at most 4.4) at full power and leaves at step `depart[i]`.
    """
    n, length = len(need_steps), 2 * n_steps
    sites = np.zeros(n, np.int64) if port_site is None else np.array(port_site)
    s = int(sites.max()) + 1
    prices = np.broadcast_to(np.array(price, float), (length,)).copy() if np.ndim(price) == 0 else np.array(price)
    prices = np.concatenate([prices, np.full(length - len(prices), prices[-1])])[None]
    need_soc = np.array(need_steps) * POWER_KW / CAPACITY_KWH
    full, flags = (lambda value: np.full(n, value, float)), (lambda value: np.full(n, value))
    stays = Stays(
        port=np.arange(n), arrive_step=np.array(arrive or [0] * n), depart_step=np.array(depart),
        said_depart_step=np.array(depart), soc_arrive=full(FIRST_SOC), target_soc=FIRST_SOC + need_soc,
        asked_kwh=CAPACITY_KWH * need_soc, stop_soc=full(0.995), charge_limit_soc=FIRST_SOC + need_soc,
        reserve_soc=full(0.3), min_soc=full(0.05), soc_known=flags(True), export_consent=flags(v2g),
        capacity_kwh=full(CAPACITY_KWH), taper_soc=full(0.99), battery_accept_kw=full(100.0),
        max_charge_kw=full(POWER_KW), max_discharge_kw=full(POWER_KW if v2g else 0.0),
        min_charge_kw=full(0.0), min_discharge_kw=full(0.0), step_kw=full(0.0), charge_efficiency=full(1.0),
        discharge_efficiency=full(1.0), fixed_loss_kw=full(0.0), vehicle=np.zeros(n, np.int64),
    )  # fmt: skip
    nothing: dict[str, Any] = {
        "site_net_load_kw": np.full((s, length), base_kw),
        "site_net_load_forecast_kw": np.full((s, length), base_kw),
    }
    return Scenario(
        name="by-hand",
        start=datetime(2026, 7, 15, 12, tzinfo=ZoneInfo("America/Los_Angeles")),
        interval_minutes=60,
        n_steps=n_steps,
        stays=stays,
        port_site=sites,
        site_feeder=np.zeros(s, np.int64),
        site_tariff=np.zeros(s, np.int64),
        site_import_limit_kw=np.full((s, length), site_limit_kw),
        site_export_limit_kw=np.full((s, length), 1000.0),
        feeder_import_limit_kw=np.full((1, length), feeder_limit_kw),
        feeder_export_limit_kw=np.full((1, length), 1000.0),
        feeder_other_load_kw=np.zeros((1, length)),
        import_price_usd_per_kwh=prices,
        export_price_usd_per_kwh=prices * 0.0,
        import_price_forecast_usd_per_kwh=prices[None],
        export_price_forecast_usd_per_kwh=prices[None] * 0.0,
        price_issue_of_step=np.zeros(n_steps, np.int64),
        price_known_until_step=np.array([length if known_until is None else known_until]),
        demand_rate_usd_per_kw=np.zeros(1),
        fixed_usd_per_day=np.zeros(s),
        billing_peak_kw=np.zeros(s),
        typical_peak_kw=np.full(s, np.nan),
        events=Events.none(),
        baseline_kw=np.zeros((s, n_steps)),
        expected_arrivals_kwh=np.zeros((s, 0, 0)),
        emissions_kg_per_kwh=np.full(length, np.nan),
        emissions_forecast_kg_per_kwh=np.full(length, np.nan),
        emissions_issued_kg_per_kwh=np.zeros((n_steps, 0)),
        highest_price_usd_per_kwh=1.0,
        money=Money(unserved_usd_per_kwh=2.0),
        **nothing,
    )


@pytest.fixture(scope="session")
def world() -> MakeWorld:
    """The maker of worlds; see `make_world`."""
    return make_world
