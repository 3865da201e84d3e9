"""Presets load, scale with the ports, and refuse what contradicts itself."""

from __future__ import annotations

import pytest

from ebbflow.configs.load import ConfigError, preset_names
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.envs.world.settings import limit_kw

PRESETS = ("home-california", "home-texas", "depot-workplace")


def test_the_three_presets_are_there() -> None:
    assert set(PRESETS) <= set(preset_names("scenarios"))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_loads_with_25_ports_and_says_what_it_is(name: str) -> None:
    settings = load_settings(name)
    assert settings.name == name
    assert settings.ports == 25
    assert settings.description
    assert settings.n_steps == 96
    assert settings.n_times == 192


def test_overrides_change_the_feeder_limit_and_the_ports() -> None:
    settings = load_settings("home-california", ["feeder.import_limit_kw=120", "ports=60"])
    scenario = build_scenario(settings, seed=0, day=0)
    assert scenario.n_ports == scenario.n_sites == 60
    assert (scenario.feeder_import_limit_kw == 120.0).all()


def test_limits_per_port_scale_with_the_ports() -> None:
    small = build_scenario(load_settings("depot-workplace", ["ports=10"]), seed=0, day=0)
    large = build_scenario(load_settings("depot-workplace", ["ports=40"]), seed=0, day=0)
    assert large.site_import_limit_kw.max() == pytest.approx(4 * small.site_import_limit_kw.max())


def test_an_absolute_limit_wins_and_none_is_endless() -> None:
    assert limit_kw(7.0, 3.0, 10) == 7.0
    assert limit_kw("none", 3.0, 10) == 30.0
    assert limit_kw("none", "none", 10) == float("inf")


def test_an_unknown_key_is_refused_with_the_nearest_valid_name() -> None:
    with pytest.raises(ConfigError, match="import_limit_kw"):
        load_settings("home-california", ["feeder.import_limt_kw=120"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("interval_minutes=7", "interval_minutes"),
        ("ports=0", "ports"),
        ("fleet.v2g_share=1.5", "v2g_share"),
        ("period_first=2027-01-01", "period_first"),
        ("timezone=America/Nowhere", "Nowhere"),
        ("fleet.target_shares=[1.0]", "target_shares"),
    ],
)
def test_values_that_break_a_rule_are_refused(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings("home-california", [override])


def test_v2g_without_a_bidirectional_charger_is_refused() -> None:
    with pytest.raises(ConfigError, match="bidirectional"):
        load_settings("depot-workplace", ["fleet.chargers.bidirectional.bidirectional=false"])


def test_unserved_below_the_least_allowed_is_refused_with_both_numbers() -> None:
    settings = load_settings("depot-workplace", ["money.unserved_usd_per_kwh=2.5"])
    with pytest.raises(ValueError, match=r"2\.5, below 4\.\d+"):
        build_scenario(settings, seed=0, day=0)


def test_the_unserved_bound_is_the_formula_of_the_contracts() -> None:
    scenario = build_scenario(load_settings("depot-workplace"), seed=0, day=0)
    demand = 19.99 / 30.4 / 0.25  # rate x days over 30.4 / window hours
    least_efficiency = 0.89 - 0.17 / (6 * 208 / 1000)
    energy = scenario.highest_price_usd_per_kwh
    assert scenario.money.unserved_usd_per_kwh == pytest.approx(1.2 * (energy + demand) / least_efficiency)


def test_carbon_and_programme_raise_the_bound() -> None:
    plain = build_scenario(load_settings("home-california", ["programme.name=none"]), seed=0, day=0)
    paid = build_scenario(load_settings("home-california"), seed=0, day=0)
    carbon = build_scenario(load_settings("home-california", ["money.carbon_usd_per_kg=1.0"]), seed=0, day=0)
    assert plain.money.unserved_usd_per_kwh == 2.0
    assert paid.money.unserved_usd_per_kwh > 2.0
    least_efficiency = 0.89 - 0.17 / 1.44
    more = carbon.money.unserved_usd_per_kwh - paid.money.unserved_usd_per_kwh
    assert more == pytest.approx(1.2 * 0.664 / least_efficiency)


def test_a_month_with_a_peak_so_far_is_charged_whole() -> None:
    whole = build_scenario(load_settings("depot-workplace", ["money.billing_peak_kw=50.0"]), seed=0, day=0)
    share = build_scenario(load_settings("depot-workplace"), seed=0, day=0)
    assert whole.money.unserved_usd_per_kwh > 20 * share.money.unserved_usd_per_kwh
    assert (whole.billing_peak_kw == 50.0).all()
