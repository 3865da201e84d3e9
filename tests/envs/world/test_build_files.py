"""Scenarios from real files: aligned, named, or refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ebbflow.envs.world.build import build_scenario, load_settings, price_dates
from ebbflow.envs.world.files import DataFileError
from ebbflow.envs.world.sources import ScenarioFiles

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
real = pytest.mark.skipif(not DATA.exists(), reason="the real files are not beside the project")


def write_prices(path: Path, first: str, days: int, *, drop_hour: int | None = None, factor: float = 1.0) -> str:
    """A gridstatus file of hourly prices: the hour of the UTC day in $/MWh, plus 100 for each day."""
    start = np.datetime64(first)
    rows = ["Interval Start,Interval End,Market,Location,LMP"]
    for h in range(days * 24):
        if h == drop_hour:
            continue
        begin, end = start + np.timedelta64(h, "h"), start + np.timedelta64(h + 1, "h")
        price = factor * (h % 24 + 100 * (h // 24) + 1)
        rows.append(f"{begin}+00:00,{end}+00:00,DAY_AHEAD_HOURLY,HERE,{price}".replace("T", " "))
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def test_prices_of_a_file_are_billed_at_their_hours(tmp_path: Path) -> None:
    files = ScenarioFiles(prices=write_prices(tmp_path / "p.csv", "2025-06-02T00:00", 8))
    scenario = build_scenario(load_settings("home-california"), seed=0, day=0, files=files)
    begin = int(scenario.start.timestamp())
    hours = (begin + 900 * np.arange(192) - int(np.datetime64("2025-06-02T00:00", "s").astype(int))) // 3600
    assert scenario.import_price_usd_per_kwh[0] == pytest.approx((hours % 24 + 100 * (hours // 24) + 1) / 1000)
    assert (scenario.export_price_usd_per_kwh == scenario.import_price_usd_per_kwh).all()
    assert "p.csv" in scenario.provenance["prices"]
    assert "holds none from 2026-01-01" in scenario.provenance["prices"]
    assert scenario.highest_price_usd_per_kwh == pytest.approx(0.724)


def test_every_price_date_comes_before_any_comes_again(tmp_path: Path) -> None:
    files = ScenarioFiles(prices=write_prices(tmp_path / "p.csv", "2025-06-02T00:00", 8))
    preset = load_settings("home-california")
    held = price_dates(preset, files)
    assert held[0] == date(2025, 6, 2)
    drawn = [build_scenario(preset, seed=0, day=d, files=files).start.date() for d in range(len(held))]
    assert sorted(drawn) == list(held)


def test_a_date_with_a_gap_is_no_date_and_asking_for_it_is_refused(tmp_path: Path) -> None:
    path = write_prices(tmp_path / "gap.csv", "2025-06-02T00:00", 8, drop_hour=3 * 24)
    files = ScenarioFiles(prices=path)
    held = price_dates(load_settings("home-california"), files)
    assert date(2025, 6, 4) not in held
    asked = load_settings("home-california", ["period_first=2025-06-04", "period_last=2025-06-04"])
    with pytest.raises(ValueError, match=r"gap\.csv: no price for every hour from 2025-06-04"):
        build_scenario(asked, seed=0, day=0, files=files)


def test_unpublished_hours_are_forecast_from_days_before(tmp_path: Path) -> None:
    files = ScenarioFiles(prices=write_prices(tmp_path / "p.csv", "2025-06-02T00:00", 8))
    asked = load_settings("home-california", ["period_first=2025-06-04", "period_last=2025-06-04"])
    scenario = build_scenario(asked, seed=0, day=0, files=files)  # a Wednesday noon
    assert scenario.price_known_until_step.tolist() == [48, 144]
    truth, issued = scenario.import_price_usd_per_kwh[0], scenario.import_price_forecast_usd_per_kwh[0, 0]
    assert (issued[:48] == truth[:48]).all()
    assert issued[48:96] == pytest.approx(truth[48:96] - 0.1)  # the day before, 100 $/MWh less


def test_a_real_time_file_publishes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rt.csv"
    rows = ["Interval Start,Interval End,Market,Location,LMP"]
    start = np.datetime64("2025-06-02T00:00")
    for i in range(6 * 288):
        begin, end = (start + np.timedelta64(5 * (i + j), "m") for j in (0, 1))
        rows.append(f"{begin}+00:00,{end}+00:00,REAL_TIME_5_MIN,HERE,{20 + i % 12}".replace("T", " "))
    path.write_text("\n".join(rows) + "\n")
    scenario = build_scenario(load_settings("home-texas"), seed=0, day=0, files=ScenarioFiles(prices=str(path)))
    assert scenario.price_known_until_step.tolist() == [0]
    quarter = scenario.import_price_usd_per_kwh[0, :4] - 0.049993
    assert quarter == pytest.approx(np.array([21, 24, 27, 30]) / 1000)


def test_an_export_file_sets_the_export_price(tmp_path: Path) -> None:
    files = ScenarioFiles(
        prices=write_prices(tmp_path / "p.csv", "2025-06-02T00:00", 8),
        export_prices=write_prices(tmp_path / "e.csv", "2025-06-02T00:00", 8, factor=0.5),
    )
    scenario = build_scenario(load_settings("home-texas"), seed=0, day=0, files=files)
    imported = scenario.import_price_usd_per_kwh - 0.049993
    assert scenario.export_price_usd_per_kwh == pytest.approx(0.5 * imported)


def test_a_missing_file_and_a_unit_slip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        build_scenario(
            load_settings("home-texas"),
            seed=0,
            day=0,
            files=ScenarioFiles(prices=str(tmp_path / "nowhere.csv")),
        )
    slip = write_prices(tmp_path / "slip.csv", "2025-06-02T00:00", 4, factor=1e-4)
    with pytest.raises(DataFileError, match=r"slip\.csv"):
        build_scenario(load_settings("home-texas"), seed=0, day=0, files=ScenarioFiles(prices=slip))


def test_load_of_a_file_is_the_sites_load(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    start = np.datetime64("2025-06-02T07:00")
    rows = ["time,house_kw"]
    rows += [f"{start + np.timedelta64(h, 'h')}Z,{1 + (h % 24) / 100}" for h in range(10 * 24)]
    path.write_text("\n".join(rows) + "\n")
    preset = load_settings("home-california", ["site.pv_share=0.0"])
    scenario = build_scenario(preset, seed=0, day=0, files=ScenarioFiles(load=str(path)))
    hour = np.arange(192) // 4
    assert scenario.site_net_load_kw[3] == pytest.approx(1 + ((hour + 12) % 24) / 100)
    assert "load.csv" in scenario.provenance["load"]


@real
def test_norwegian_homes_on_californian_prices_name_their_years() -> None:
    files = ScenarioFiles(
        sessions=str(DATA / "home_sessions_norway.csv.gz"),
        prices=str(DATA / "caiso_sp15_da_2025.csv.gz"),
        emissions=(str(DATA / "moer_caiso_pge_2021-07.csv.gz"),),
    )
    scenario = build_scenario(load_settings("home-california"), seed=0, day=1, files=files)
    text = " ".join(scenario.provenance.values())
    assert "home_sessions_norway" in text
    assert "Europe/Oslo" in text
    assert "2021" in text
    assert scenario.start.year == 2025
    assert scenario.stays.soc_known.all()
    assert len(scenario.stays) > 0
    assert scenario.emissions_kg_per_kwh.max() <= 0.664 + 1e-9


@real
def test_acn_sessions_tell_no_soc_and_their_claims_are_the_misreport() -> None:
    files = ScenarioFiles(sessions=str(DATA / "acn_sessions_jpl_2019-05.csv.gz"))
    clean = build_scenario(load_settings("depot-workplace"), seed=0, day=0, files=files).stays
    claims = load_settings("depot-workplace", ["behaviour.misreport=acn"])
    said = build_scenario(claims, seed=0, day=0, files=files).stays
    assert not clean.soc_known.any()
    assert not clean.export_consent.any()
    assert (clean.said_depart_step == clean.depart_step).all()
    assert (said.said_depart_step != said.depart_step).mean() > 0.5
    assert said.asked_kwh.sum() > clean.asked_kwh.sum()
    room = (said.stop_soc - said.soc_arrive) * said.capacity_kwh
    assert room == pytest.approx(clean.asked_kwh, abs=1e-6)


@real
def test_the_missing_day_of_the_californian_file_is_refused_by_date() -> None:
    files = ScenarioFiles(prices=str(DATA / "caiso_sp15_da_2025.csv.gz"))
    asked = load_settings("home-california", ["period_first=2025-08-31", "period_last=2025-08-31"])
    with pytest.raises(ValueError, match="2025-08-31"):
        build_scenario(asked, seed=0, day=0, files=files)
    assert date(2025, 8, 31) not in price_dates(load_settings("home-california"), files)


@real
def test_the_texan_emergency_is_billed_at_nine_dollars() -> None:
    files = ScenarioFiles(prices=str(DATA / "ercot_dam_spp_2021.csv.gz"))
    asked = load_settings("home-texas", ["period_first=2021-02-16", "period_last=2021-02-16"])
    scenario = build_scenario(asked, seed=0, day=0, files=files)
    assert scenario.import_price_usd_per_kwh.max() == pytest.approx(8.99463 + 0.049993)
    assert "LZ_HOUSTON" in scenario.provenance["prices"]
    assert scenario.highest_price_usd_per_kwh >= scenario.import_price_usd_per_kwh.max()


@real
def test_reference_days_from_a_file_leave_out_the_day_itself() -> None:
    files = ScenarioFiles(sessions=str(DATA / "acn_sessions_caltech_2019-05.csv.gz"))
    scenario = build_scenario(load_settings("depot-workplace"), seed=0, day=0, files=files)
    assert scenario.baseline_kw.max() > 0
    assert scenario.expected_arrivals_kwh.sum() > 0
