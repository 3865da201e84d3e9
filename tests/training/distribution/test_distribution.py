"""Drawn fleets: they repeat, they differ, every one of them can be played, and its prices are what was asked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ebbflow.agents.rules import CheapestHours
from ebbflow.agents.run import run_days
from ebbflow.envs.world.build import load_settings
from ebbflow.envs.world.settings import ScenarioSettings
from ebbflow.envs.world.tariffs import load_tariff
from ebbflow.envs.world.wholesale import draw_day_ahead
from ebbflow.training.distribution import Distribution, drawn_fleets, specialist
from ebbflow.training.distribution.fleets import draw_fleet
from ebbflow.training.distribution.prices import market_tariff, scaled_tariff, varied_market

HOURLY = Distribution(overrides=("interval_minutes=60",))
COUNT = 150


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[ScenarioSettings]:
    folder = tmp_path_factory.mktemp("fleets")
    return [draw_fleet(Distribution(own_share=0.0), 5, number, folder) for number in range(COUNT)]


def test_a_fleet_depends_on_seed_and_number_alone(tmp_path: Path, drawn: list[ScenarioSettings]) -> None:
    again = [draw_fleet(Distribution(own_share=0.0), 5, number, tmp_path) for number in (9, 3)]
    for ours, theirs in zip(again, (drawn[9], drawn[3]), strict=True):
        assert ours.model_dump(exclude={"site", "prices"}) == theirs.model_dump(exclude={"site", "prices"})
        assert Path(str(ours.site.tariff)).name == Path(str(theirs.site.tariff)).name
    assert draw_fleet(Distribution(own_share=0.0), 6, 3, tmp_path) != again[1]


def test_everything_is_varied(drawn: list[ScenarioSettings]) -> None:
    sizes = np.array([fleet.ports for fleet in drawn])
    assert sizes.min() <= 4
    assert sizes.max() >= 50
    assert 0.25 < (sizes <= 10).mean() < 0.75
    shares = np.array([fleet.fleet.v2g_share for fleet in drawn])
    assert {0.0, 1.0} < set(shares.tolist())
    assert {fleet.prices.kind for fleet in drawn} == {"day_ahead", "real_time"}
    assert {fleet.behaviour.misreport for fleet in drawn} == {"off", "acn"}
    assert sum(fleet.fleet.soc_unknown_share > 0 for fleet in drawn) > 0.3 * COUNT
    tariffs = [load_tariff(fleet.site.tariff) for fleet in drawn if isinstance(fleet.site.tariff, str)]
    bills_peaks = [tariff.demand_rate_usd_per_kw(date(2026, 1, 1)) > 0 for tariff in tariffs]
    assert 0.1 < np.mean(bills_peaks) < 0.7
    flat = [t for t in tariffs if t.kind == "time_of_use" and np.ptp(t.import_table_usd_per_kwh) < 1e-9]
    assert 0 < len(flat) < 0.3 * COUNT


def test_every_fleet_can_be_played(tmp_path: Path) -> None:
    for fleet in drawn_fleets(HOURLY, seed=2, fleets=12, days=2, folder=tmp_path):
        ran = run_days(fleet.bank, CheapestHours(), reserve=fleet.reserve)
        assert ran.failure == ""
        assert all(np.isfinite(day.net_cost_usd) for day in ran.ledgers)
        assert fleet.bank.first.n_ports == fleet.settings.ports


def test_a_seed_draws_the_same_days_again_and_no_two_fleets_share_one(tmp_path: Path) -> None:
    first, again = (
        list(drawn_fleets(specialist("home-texas"), seed=1, fleets=3, days=2, folder=tmp_path)) for _ in range(2)
    )
    for ours, theirs in zip(first, again, strict=True):
        assert ours.settings == theirs.settings
        for name in ("import_price", "net_load_kw", "stays"):
            np.testing.assert_equal(getattr(ours.bank.days, name), getattr(theirs.bank.days, name))
    prices = [scenario.import_price_usd_per_kwh.tobytes() for fleet in first for scenario in fleet.bank.scenarios]
    assert len(set(prices)) == len(prices)


def test_a_specialist_is_mostly_its_preset(tmp_path: Path) -> None:
    preset = load_settings("depot-workplace")
    made = [draw_fleet(specialist("depot-workplace"), 0, number, tmp_path) for number in range(60)]
    assert 0.5 < np.mean([fleet == preset for fleet in made]) < 0.9
    assert {fleet.name for fleet in made} == {"depot-workplace"}


def test_prices_are_moved_as_asked() -> None:
    base = load_tariff("pge-a-10")
    dearer = scaled_tariff("pge-a-10", 2.0, 0.5, 7.0)
    ours, theirs = dearer.import_table_usd_per_kwh, base.import_table_usd_per_kwh
    np.testing.assert_allclose(ours.mean(), 2.0 * theirs.mean(), rtol=1e-6)
    np.testing.assert_allclose(np.ptp(ours), np.ptp(theirs), rtol=1e-6)
    assert {season.demand_usd_per_kw for season in dearer.seasons} == {7.0}
    assert np.ptp(scaled_tariff("sdge-ev-tou-5", 1.0, 0.0, None).import_table_usd_per_kwh) < 1e-9


def test_cheap_noons_bring_prices_below_zero() -> None:
    def negative(noon_shift: float) -> float:
        """Share of days with a price below zero."""
        market = varied_market(
            "ercot-houston", level=1.0, spread=1.0, scarce_days=0.0, noon_shift=noon_shift, error=1.0
        )
        prices = draw_day_ahead(np.random.default_rng(0), market, date(2026, 4, 1), 200, 5.0).usd_per_kwh
        return float((prices.min(axis=1) < 0).mean())

    assert negative(0.0) < 0.15
    assert negative(1.5) > 0.5


def test_a_market_tariff_pays_what_it_says() -> None:
    market = varied_market("caiso-sp15", level=1.5, spread=1.0, scarce_days=0.01, noon_shift=0.0, error=1.0)
    unpaid = market_tariff(market, "America/Chicago", 0.1, 9.0, 0.0)
    assert unpaid.needs_wholesale
    assert unpaid.highest_export_price_usd_per_kwh == 0.0
    assert unpaid.highest_import_price_usd_per_kwh == pytest.approx(market.price_cap_usd_per_kwh + 0.1)
    assert market_tariff(market, "America/Chicago", 0.1, 9.0, 0.7).highest_export_price_usd_per_kwh == pytest.approx(
        0.7 * market.price_cap_usd_per_kwh
    )


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="variety is 2"):
        Distribution(variety=2.0)
    with pytest.raises(ValueError, match="ports from 9 to 4"):
        Distribution(least_ports=9, most_ports=4)
    with pytest.raises(ValueError, match="0 fleets"):
        drawn_fleets(HOURLY, seed=0, fleets=0, days=1, folder=tmp_path)
    with pytest.raises(ValueError, match="home-texas"):
        draw_fleet(Distribution(presets=("home-texs",)), 0, 0, tmp_path)
