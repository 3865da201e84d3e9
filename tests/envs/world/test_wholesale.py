"""Generated market prices, what is known of them when, and the fit that made their figures."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ebbflow.configs.load import load_model
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.envs.world.calendar import StepTimes
from ebbflow.envs.world.fit import fit_day_ahead, fit_real_time
from ebbflow.envs.world.issued import HISTORY_DAYS, DailyPrices, issue
from ebbflow.envs.world.wholesale import Market, draw_day_ahead, draw_deviation

CHICAGO = ZoneInfo("America/Chicago")
DATA = Path(__file__).parents[3] / ".." / "shared" / "data"


def market(name: str = "ercot-houston") -> Market:
    return load_model(Market, "markets", name)


def days_of(model: Market, month: int, months: int, cap: float = 5.0) -> np.ndarray:
    """28 days of that month, drawn `months` times, `(28 months, 24)`."""
    rng = np.random.default_rng(month)
    first = date(2026, month, 1)
    drawn = [draw_day_ahead(rng, model, first, 28, cap).usd_per_kwh for _ in range(months)]
    return np.concatenate([d[HISTORY_DAYS:] for d in drawn])


@pytest.mark.parametrize("name", ["ercot-houston", "caiso-sp15"])
def test_prices_stay_between_floor_and_cap(name: str) -> None:
    model = market(name)
    prices = np.concatenate([days_of(model, m, 15, cap=1.5) for m in (2, 5, 8)])
    assert prices.max() <= 1.5
    assert prices.min() >= model.price_floor_usd_per_kwh
    assert np.isfinite(prices).all()


def test_scarcity_comes_as_often_as_stated_and_reaches_far_up() -> None:
    prices = days_of(market(), 1, 180)
    scarce = prices.max(axis=1) > 0.99
    assert scarce.mean() == pytest.approx(0.01, abs=0.005)
    assert prices.max() > 4.0


def test_texan_summer_peaks_in_the_afternoon_and_californian_spring_noons_are_negative() -> None:
    summer = days_of(market(), 7, 8)
    assert 14 <= int(np.median(summer, axis=0).argmax()) <= 18
    spring = days_of(market("caiso-sp15"), 4, 8)
    assert np.median(spring[:, 12]) < 0 < np.median(spring[:, 19])


def test_the_year_has_the_spread_it_was_fitted_to() -> None:
    model = market()
    usual = np.concatenate([days_of(model, m, 4) for m in range(1, 13)])
    usual = usual[usual.max(axis=1) < 0.9]
    assert usual.std(axis=1).mean() == pytest.approx(model.spread_usd_per_kwh, rel=0.35)
    assert np.median(usual) == pytest.approx(0.030, abs=0.004)  # the file's median


def times(start: datetime, hours: int = 48, interval: int = 15) -> StepTimes:
    return StepTimes(start, interval, hours * 60 // interval)


def test_tomorrow_is_published_at_13_and_the_rest_is_the_last_like_day() -> None:
    noon = datetime(2026, 6, 10, 12, tzinfo=CHICAGO)  # Wednesday
    t = times(noon)
    hourly = np.arange((HISTORY_DAYS + 3) * 24, dtype=float).reshape(-1, 24)
    prices = DailyPrices(hourly)
    issues = issue(prices.at(t), prices, t, 96, 13.0)
    assert issues.of_step[:4].tolist() == [0, 0, 0, 0]
    assert issues.of_step[4] == 1
    assert issues.known_until_step.tolist() == [12 * 4, 36 * 4]
    truth = prices.at(t)
    assert (issues.usd_per_kwh[0][:48] == truth[:48]).all()
    # Thursday's hours are forecast by Wednesday's, a day earlier.
    assert (issues.usd_per_kwh[0][48:144] == truth[48:144] - 24).all()
    assert (issues.usd_per_kwh[1][:144] == truth[:144]).all()


def test_a_monday_not_yet_published_is_forecast_by_friday() -> None:
    saturday = datetime(2026, 6, 13, 12, tzinfo=CHICAGO)
    t = times(saturday)
    prices = DailyPrices(np.repeat(np.arange(HISTORY_DAYS + 3.0)[:, None], 24, axis=1))
    last = issue(prices.at(t), prices, t, 96, 13.0).usd_per_kwh[1]
    friday = HISTORY_DAYS - 1
    assert (last[144:] == friday).all()


def test_the_repeated_hour_has_one_price_and_the_skipped_hour_none() -> None:
    prices = DailyPrices(np.tile(np.arange(24.0), (HISTORY_DAYS + 3, 1)))
    autumn = times(datetime(2026, 11, 1, 0, tzinfo=CHICAGO), 25, 60)
    assert prices.at(autumn).tolist() == [0, 1, 1, *range(2, 24)]
    spring = times(datetime(2026, 3, 8, 0, tzinfo=CHICAGO), 23, 60)
    assert prices.at(spring).tolist() == [0, 1, *range(3, 24)]


def test_real_time_is_billed_but_never_published() -> None:
    day_ahead = build_scenario(load_settings("home-texas"), seed=3, day=1)
    real_time = build_scenario(load_settings("home-texas", ["prices.kind=real_time"]), seed=3, day=1)
    assert (real_time.price_known_until_step == 0).all()
    issued = real_time.import_price_forecast_usd_per_kwh
    assert (issued == day_ahead.import_price_forecast_usd_per_kwh).all()
    assert not np.allclose(real_time.import_price_usd_per_kwh, day_ahead.import_price_usd_per_kwh)
    assert real_time.import_price_usd_per_kwh.max() <= real_time.highest_price_usd_per_kwh + 1e-12


def test_what_is_known_is_the_truth_for_day_ahead_prices() -> None:
    scenario = build_scenario(load_settings("home-texas"), seed=0, day=4)
    for v, until in enumerate(scenario.price_known_until_step):
        issued = scenario.import_price_forecast_usd_per_kwh[v, :, :until]
        assert (issued == scenario.import_price_usd_per_kwh[:, :until]).all()


def test_fitting_what_was_drawn_gives_the_deviation_back() -> None:
    model = market()
    t = times(datetime(2026, 1, 1, tzinfo=CHICAGO), 24 * 60, 5)
    drawn = draw_deviation(np.random.default_rng(1), model, t, model.deviation.spread_usd_per_kwh)
    day_ahead = np.random.default_rng(2).normal(0.03, 0.01, t.count)
    fitted = fit_real_time(day_ahead, day_ahead + drawn)
    assert fitted["correlation"] == pytest.approx(model.deviation.correlation, abs=0.05)
    assert fitted["innovation_sd_usd_per_kwh"] == pytest.approx(model.deviation.innovation_sd_usd_per_kwh, rel=0.1)
    assert fitted["jump_up_share"] == pytest.approx(model.deviation.jump_up_share, abs=0.05)


def test_fitting_what_was_drawn_gives_the_day_back() -> None:
    model = market()
    first = date(2026, 1, 1)
    prices = draw_day_ahead(np.random.default_rng(5), model, first, 730, 5.0).usd_per_kwh[HISTORY_DAYS:]
    dates = [first + timedelta(days=d) for d in range(730)]
    fitted = fit_day_ahead(prices, dates, scale_usd_per_kwh=0.02, scarce_usd_per_kwh=0.99)
    assert fitted["mean"] == pytest.approx(np.array(model.mean), abs=0.35)
    assert fitted["component_sd"] == pytest.approx(model.component_sd, rel=0.35)
    assert 0.004 < fitted["scarce_day_share"] < 0.02


def test_a_fit_on_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="288"):
        fit_real_time(np.zeros(100), np.zeros(100))
    with pytest.raises(ValueError, match="14 or more"):
        fit_day_ahead(
            np.zeros((3, 24)),
            [date(2026, 1, d) for d in (1, 2, 3)],
            scale_usd_per_kwh=0.02,
            scarce_usd_per_kwh=1,
        )


@pytest.mark.skipif(not DATA.exists(), reason="the real files are not beside the project")
def test_the_committed_texan_figures_are_those_of_the_file() -> None:
    from ebbflow.envs.world.file_prices import price_grid
    from ebbflow.envs.world.files import read_prices

    grid = price_grid(read_prices(DATA / "ercot_dam_spp_2021.csv.gz", location="LZ_HOUSTON"), CHICAGO)
    dates = [date.fromordinal(grid.first + d) for d in range(len(grid.usd_per_kwh))]
    fitted = fit_day_ahead(grid.usd_per_kwh, dates, scale_usd_per_kwh=0.02, scarce_usd_per_kwh=1.0)
    model = market()
    assert fitted["mean"] == pytest.approx(np.array(model.mean), abs=2e-3)
    assert fitted["spread_usd_per_kwh"] == pytest.approx(model.spread_usd_per_kwh, abs=1e-4)
    assert fitted["component_sd"] == pytest.approx(model.component_sd, abs=2e-3)


@pytest.mark.skipif(not DATA.exists(), reason="the real files are not beside the project")
def test_the_committed_deviation_is_that_of_the_californian_pair() -> None:
    from ebbflow.envs.world.files import read_prices
    from ebbflow.envs.world.fit_files import five_minute_pairs

    pair = [read_prices(DATA / f"caiso_sp15_{kind}_2025.csv.gz") for kind in ("da", "rt")]
    fitted = fit_real_time(*five_minute_pairs(*pair), least_usd_per_kwh=0.005)
    committed = market().deviation
    for name, value in fitted.items():
        assert value == pytest.approx(getattr(committed, name), rel=0.01), name
