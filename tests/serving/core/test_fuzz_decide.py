"""Fuzzed snapshots by the batch through `decide`, with terms and economy: 20,000 by default, 1,000,000 as a study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.agents.decide import Terms, decide
from ebbflow.agents.economy import Economy
from ebbflow.agents.rules import Fallback
from ebbflow.envs.safety.projection import Projection, Reserve, make_projector
from ebbflow.envs.snapshot import (
    Context,
    EventColumns,
    FeederColumns,
    Outlook,
    PortColumns,
    SiteColumns,
    Snapshot,
)

from ...envs.safety.guard import assert_safe  # noqa: TID252

Array = Any
PORTS, SITES, TARIFFS, STEPS = 5, 2, 2, 24
BATCH = 2000


def fuzzed_snapshots(rng: np.random.Generator, worlds: int, interval_s: int) -> Snapshot:
    """Worlds that the gates let through, from quiet to desperate."""
    shape, soc_step = (worlds, PORTS), 0.01

    def uniform(low: float, high: float) -> Array:
        return rng.uniform(low, high, shape)

    def some(share: float) -> Array:
        return rng.random(shape) < share

    soc = np.round(uniform(0, 1) / soc_step) * soc_step
    step_kw = np.where(some(0.5), 0.24, 0.0)
    target = np.where(some(0.1), soc, uniform(0, 1))
    ports = PortColumns(
        plugged=some(0.8), soc=np.where(some(0.15), np.nan, soc), soc_age_s=np.zeros(shape),
        need_kwh=uniform(-20, 80), power_kw=np.zeros(shape), power_age_s=np.zeros(shape), capacity_kwh=uniform(1, 200),
        taper_soc=uniform(0, 0.994), battery_accept_kw=rng.choice([0.1, 3.0, 11.0, 150.0], shape),
        max_charge_kw=rng.choice([0.0, 1.5, 7.2, 22.0, 350.0], shape, p=[0.05, 0.1, 0.5, 0.3, 0.05]),
        max_discharge_kw=rng.choice([0.0, 7.2, 11.0, 100.0], shape), min_charge_kw=rng.choice([0.0, 1.44], shape),
        min_discharge_kw=rng.choice([0.0, 1.44], shape), step_kw=step_kw, charge_efficiency=uniform(0.5, 1),
        discharge_efficiency=uniform(0.5, 1), fixed_loss_kw=rng.choice([0.0, 0.1, 0.4], shape), target_soc=target,
        steps_left=rng.integers(-5, 3 * STEPS, shape), charge_limit_soc=np.where(some(0.5), 1.0, uniform(0, 1)),
        reserve_soc=uniform(0, 0.6), min_soc=uniform(0, 0.5), export_consent=some(0.7),
        override=np.where(some(0.05), rng.integers(0, 3, shape), 0), override_steps=np.ones(shape, np.int64),
        last_setpoint_kw=np.where(some(0.2), np.nan, uniform(-12, 12)), setpoint_age_s=uniform(0, 2000),
        commands_today=rng.integers(0, 30, shape),
    )  # fmt: skip

    def ahead(values: Array, groups: int) -> Outlook:
        table = rng.choice(values, (worlds, groups, STEPS)) * rng.choice([1.0, 1.0, rng.random()])
        return Outlook(table, np.arange(worlds), np.zeros(worlds, np.int64))

    limits = np.array([0.0, 1.0, 10.0, 30.0, 1000.0, np.inf])
    loads = np.array([-20.0, 0.0, 3.0, 15.0])
    prices = np.array([-0.5, 0.0, 0.1, 0.3, 5.0])
    buy, sell, many = ahead(prices, TARIFFS), ahead(prices, TARIFFS), (worlds, 2)
    starts = rng.integers(-4, 10, many)
    return Snapshot(
        step_h=interval_s / 3600, horizon=STEPS, port_site=np.arange(PORTS) % SITES, ports=ports,
        sites=SiteColumns(
            feeder=np.zeros(SITES, np.int64), tariff=np.arange(SITES), net_load_kw=rng.choice(loads, (worlds, SITES)),
            net_load_forecast_kw=ahead(loads, SITES), import_limit_kw=ahead(limits, SITES),
            export_limit_kw=ahead(limits, SITES), peak_kw=np.zeros((worlds, SITES)),
            typical_peak_kw=np.full((worlds, SITES), np.nan), demand_rate_usd_per_kw=np.zeros((worlds, SITES)),
            expected_arrivals_kwh=rng.uniform(0, 5, (worlds, SITES, 3, 6)) * (rng.random() < 0.5),
            arrivals_row=np.arange(worlds), arrivals_hour=np.zeros(worlds, np.int64),
        ),
        feeders=FeederColumns(
            net_load_kw=rng.choice(loads, (worlds, 1)), net_load_forecast_kw=ahead(loads, 1),
            import_limit_kw=ahead(limits, 1), export_limit_kw=ahead(limits, 1),
        ),
        context=Context(
            seconds_of_day=rng.integers(0, 86400, worlds), weekday=rng.integers(0, 7, worlds),
            import_price_now_usd_per_kwh=buy.now(), export_price_now_usd_per_kwh=sell.now(),
            import_price_usd_per_kwh=buy, export_price_usd_per_kwh=sell,
            price_known_steps=rng.integers(0, STEPS + 1, worlds), emissions_now_kg_per_kwh=np.full(worlds, np.nan),
            emissions_kg_per_kwh=ahead(np.array([0.2]), 1), emissions_issued_kg_per_kwh=ahead(np.zeros(1), 1),
            events=EventColumns(
                known=rng.random(many) < 0.4, start_step=starts, end_step=starts + rng.integers(0, 8, many),
                rate_usd_per_kwh=rng.uniform(0, 3, many), pays_export=rng.random(many) < 0.5,
                hours_used=np.zeros(many),
            ),
            baseline_kw=ahead(np.array([1.0]), SITES),
        ),
        wear_usd_per_kwh=0.02,
    )  # fmt: skip


class Wild:
    """Anything a policy may say."""

    name = "wild"

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def reset(self) -> None: ...

    def act(self, snapshot: Snapshot) -> Array:
        shape, rng = (snapshot.n_worlds, snapshot.n_ports), self._rng
        odd = rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0, 1e-9, 1.4399999], shape)
        return np.where(rng.random(shape) < 0.2, odd, rng.uniform(-14, 18, shape))


def fuzz(worlds: int, seed: int) -> int:
    """Decide fuzzed worlds in batches and check every set-point; returns how many worlds exported or charged."""
    rng, acted = np.random.default_rng(seed), 0
    policy, rules = Wild(rng), Fallback((16.0, 21.0))
    for batch in range(worlds // BATCH):
        snapshot = fuzzed_snapshots(rng, BATCH, int(rng.choice([300, 900, 3600])))
        shape = (BATCH, PORTS)
        holds, stops, trusted = (rng.random(shape) < share for share in (0.05, 0.05, 0.8))
        terms = Terms(hold=holds, no_charge=stops, may_export=rng.random(shape) < 0.8, policy_decides=trusted)
        economy = Economy(0.5, 600.0, 24) if batch % 2 else None
        projector = make_projector("numpy", Reserve(*((0.8, 1.0) if batch % 3 else (1.0, 0.0))))
        made = decide(snapshot, policy, rules, projector, 0.0, economy=economy, terms=terms)
        assert made.failure == ""
        assert np.isfinite(made.requested_kw).all()
        assert_safe(snapshot, Projection(made.applied_kw, made.reasons))
        assert not (made.applied_kw[~terms.may_export] < 0).any(), "export against the terms"
        acted += int((made.applied_kw != 0).any(axis=1).sum())
    return acted


def test_twenty_thousand_fuzzed_snapshots_are_decided_safely() -> None:
    assert fuzz(20_000, seed=1) > 10_000


@pytest.mark.study
def test_a_million_fuzzed_snapshots_are_decided_safely() -> None:
    assert fuzz(1_000_000, seed=2) > 500_000
