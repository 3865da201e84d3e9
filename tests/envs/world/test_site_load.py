"""Base load, PV, limits and emissions of generated days."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.envs.world.calendar import StepTimes
from ebbflow.envs.world.settings import SiteSettings
from ebbflow.envs.world.site_load import base_load_kw, clear_sky, other_load_kw, pv_kw

ZONE = ZoneInfo("America/Los_Angeles")


def day(start: datetime = datetime(2026, 6, 10, 0, tzinfo=ZONE), interval: int = 15) -> StepTimes:
    return StepTimes(start, interval, 24 * 60 // interval)


def test_a_home_draws_its_energy_in_a_day_and_peaks_in_the_evening() -> None:
    site = SiteSettings(base_load="home")
    load, forecast = base_load_kw(np.random.default_rng(0), site, day(), 4_000, 25 / 24)
    assert load.sum(axis=1).mean() / 4 == pytest.approx(25.0, rel=0.03)
    assert forecast.sum(axis=1).mean() / 4 == pytest.approx(25.0, rel=0.03)
    assert 17 <= load.mean(axis=0).argmax() / 4 <= 20
    assert (load > 0).all()


def test_the_forecast_is_not_the_truth() -> None:
    load, forecast = base_load_kw(np.random.default_rng(0), SiteSettings(base_load="home"), day(), 50, 1.0)
    assert 0.05 < np.abs(load - forecast).mean() < 0.6


def test_intervals_agree_on_the_forecast_energy() -> None:
    site = SiteSettings(base_load="workplace")
    energies = [base_load_kw(np.random.default_rng(0), site, day(interval=i), 1, 10.0)[1].mean() for i in (5, 15, 60)]
    assert energies == pytest.approx([10.0] * 3, rel=0.01)


def test_workplaces_are_quieter_on_weekends() -> None:
    site = SiteSettings(base_load="workplace")
    sunday = day(datetime(2026, 6, 14, 0, tzinfo=ZONE))
    weekday = base_load_kw(np.random.default_rng(0), site, day(), 1, 10.0)[1].mean()
    assert base_load_kw(np.random.default_rng(0), site, sunday, 1, 10.0)[1].mean() < 0.7 * weekday


def test_the_sun_is_highest_at_noon_and_lower_in_winter() -> None:
    summer, winter = clear_sky(day()), clear_sky(day(datetime(2026, 12, 21, 0, tzinfo=ZONE)))
    assert summer.argmax() / 4 == pytest.approx(13.0, abs=0.3)  # daylight saving time
    assert winter.argmax() / 4 == pytest.approx(12.0, abs=0.3)
    assert summer.max() == pytest.approx(np.cos(np.deg2rad(34 - 23.1)), abs=0.02)
    assert summer.sum() > 1.5 * winter.sum()
    assert summer[0] == 0.0


def test_pv_stands_on_the_stated_share_of_the_roofs() -> None:
    site = SiteSettings(pv_share=0.4, pv_kw=6.0)
    pv, forecast = pv_kw(np.random.default_rng(0), site, day(), 50)
    assert (pv.max(axis=1) > 0).sum() == 20
    assert pv.max() <= 6.0
    assert ((forecast > 0) == (pv > 0)).all()


def test_the_feeders_other_load_has_its_mean() -> None:
    assert other_load_kw(day(), 20.0).mean() == pytest.approx(20.0, rel=0.01)


def test_the_transformer_is_derated_in_hot_hours_of_hot_months_only() -> None:
    july = build_scenario(
        load_settings("depot-workplace", ["period_first=2026-07-01", "period_last=2026-07-31"]), seed=0, day=0
    )
    january = build_scenario(
        load_settings("depot-workplace", ["period_first=2026-01-05", "period_last=2026-01-31"]), seed=0, day=0
    )
    at_14h = 14 * 4
    assert july.site_import_limit_kw[0, 0] == january.site_import_limit_kw[0, at_14h] == pytest.approx(120.0)
    assert july.site_import_limit_kw[0, at_14h] == pytest.approx(0.88 * 120.0)


def test_emissions_look_like_the_signal_they_were_fitted_to() -> None:
    settings = load_settings("depot-workplace")
    days = [build_scenario(settings, seed=0, day=d) for d in range(150)]
    rates = np.concatenate([d.emissions_kg_per_kwh[:96] for d in days])
    assert rates.mean() == pytest.approx(0.253, abs=0.015)
    assert np.quantile(rates, 0.05) == pytest.approx(0.0, abs=0.12)
    assert np.quantile(rates, 0.95) == pytest.approx(0.45, abs=0.06)
    assert rates.max() <= 0.664
    assert rates.min() >= 0.0


def test_issued_emissions_are_better_than_the_typical_day_and_worse_than_the_truth() -> None:
    settings = load_settings("depot-workplace")
    days = [build_scenario(settings, seed=0, day=d) for d in range(40)]
    assert days[0].emissions_issued_kg_per_kwh.shape == (96, 12)
    soon, typical = [], []
    for d in days:
        truth = d.emissions_kg_per_kwh[1:97]
        soon.append(np.abs(d.emissions_issued_kg_per_kwh[:, 0] - truth))
        typical.append(np.abs(d.emissions_forecast_kg_per_kwh[1:97] - truth))
    assert 0.01 < np.mean(soon) < 0.8 * np.mean(typical)


def test_without_emissions_there_is_no_number() -> None:
    scenario = build_scenario(load_settings("home-texas"), seed=0, day=0)
    assert np.isnan(scenario.emissions_kg_per_kwh).all()
    assert scenario.emissions_issued_kg_per_kwh.shape == (96, 0)


def test_a_last_site_with_fewer_ports_has_a_smaller_panel() -> None:
    uneven = ["ports=10", "fleet.ports_per_site=4"]
    scenario = build_scenario(load_settings("depot-workplace", uneven), seed=0, day=0)
    assert scenario.port_site.tolist() == [0] * 4 + [1] * 4 + [2] * 2
    assert scenario.site_import_limit_kw[:, 0] == pytest.approx([19.2, 19.2, 9.6])
    assert scenario.typical_peak_kw.shape == (3,)
