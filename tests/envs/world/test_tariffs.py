"""Tariffs: prices computed by hand, full coverage of the year, valid pairs, caps and unit slips."""

from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.configs.load import ConfigError, preset_names, preset_path
from ebbflow.envs.world.calendar import StepTimes
from ebbflow.envs.world.tariffs import Tariff, load_tariff

PRESETS = preset_names("tariffs")


def hours_of(tariff: Tariff, day: tuple[int, int, int], interval: int = 60, count: int | None = None) -> StepTimes:
    start = datetime(*day, tzinfo=ZoneInfo(tariff.timezone))
    return StepTimes(start, interval, 24 * 60 // interval if count is None else count)


def prices(name: str, day: tuple[int, int, int], interval: int = 60) -> np.ndarray:
    tariff = load_tariff(name)
    return tariff.import_price_usd_per_kwh(hours_of(tariff, day, interval))


def flat(**changes: Any) -> dict[str, Any]:
    """A tariff of one price, from which the tests make wrong ones."""
    period = {"name": "always", "hours": [[0, 24]], "usd_per_kwh": 0.2}
    season = {"name": "year", "months": list(range(1, 13)), "periods": [period]}
    return {
        "name": "flat",
        "title": "one price",
        "utility": "none",
        "plan": "flat",
        "effective": "2026-01-01",
        "source": "this test",
        "timezone": "America/Los_Angeles",
        "kind": "time_of_use",
        "seasons": [season],
    } | changes


def build(**changes: Any) -> Tariff:
    return Tariff.model_validate(flat(**changes))


def test_the_named_presets_exist() -> None:
    assert {
        "pge-ev2-a",
        "pge-e-elec",
        "sce-tou-d-prime",
        "sdge-ev-tou-5",
        "pge-a-10",
        "sce-tou-ev-4",
        "texas-lz-houston",
    } <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_dated_sourced_and_named_after_its_file(name: str) -> None:
    tariff = load_tariff(name)
    assert tariff.name == name
    assert date(2018, 1, 1) < tariff.effective <= date(2026, 12, 31)
    assert len(tariff.source) > 20
    assert 0 < tariff.highest_price_usd_per_kwh < 20


@pytest.mark.parametrize(
    ("name", "day", "hour", "usd_per_kwh"),
    [
        ("pge-ev2-a", (2026, 7, 15), 14, 0.22558),
        ("pge-ev2-a", (2026, 7, 15), 15, 0.42760),
        ("pge-ev2-a", (2026, 7, 15), 16, 0.53809),
        ("pge-ev2-a", (2026, 7, 18), 20, 0.53809),  # a Saturday: the peak is every day
        ("pge-ev2-a", (2026, 7, 15), 21, 0.42760),
        ("pge-ev2-a", (2026, 10, 1), 16, 0.41099),
        ("pge-ev2-a", (2026, 1, 15), 23, 0.39428),
        ("pge-e-elec", (2026, 9, 30), 18, 0.55214),
        ("pge-e-elec", (2026, 6, 1), 0, 0.33358),
        ("pge-e-elec", (2026, 12, 1), 15, 0.29854),
        ("pge-e-elec", (2026, 12, 1), 3, 0.28468),
        ("sce-tou-d-prime", (2026, 8, 5), 17, 0.59),
        ("sce-tou-d-prime", (2026, 8, 8), 17, 0.40),  # a Saturday
        ("sce-tou-d-prime", (2026, 8, 5), 21, 0.26),
        ("sce-tou-d-prime", (2026, 2, 1), 17, 0.56),
        ("sce-tou-d-prime", (2026, 2, 1), 9, 0.24),
        ("sdge-ev-tou-5", (2026, 10, 30), 16, 0.80205),
        ("sdge-ev-tou-5", (2026, 7, 15), 5, 0.13090),
        ("sdge-ev-tou-5", (2026, 7, 15), 6, 0.49627),
        ("sdge-ev-tou-5", (2026, 7, 15), 13, 0.13090),
        ("sdge-ev-tou-5", (2026, 7, 15), 14, 0.49627),
        ("sdge-ev-tou-5", (2026, 7, 18), 9, 0.13090),  # a Saturday
        ("sdge-ev-tou-5", (2026, 11, 3), 16, 0.52383),
        ("sdge-ev-tou-5", (2026, 11, 3), 22, 0.46566),
        ("sdge-ev-tou-5", (2026, 11, 3), 0, 0.12332),
        ("pge-a-10", (2026, 7, 15), 12, 0.23223),
        ("pge-a-10", (2026, 7, 18), 12, 0.14903),  # a Saturday
        ("pge-a-10", (2026, 12, 2), 12, 0.1477),
        ("sce-tou-ev-4", (2026, 7, 15), 12, 0.26668),
        ("sce-tou-ev-4", (2026, 7, 15), 23, 0.05623),
        ("sce-tou-ev-4", (2026, 12, 2), 18, 0.07492),
    ],
)
def test_a_price_read_off_the_sheet(name: str, day: tuple[int, int, int], hour: int, usd_per_kwh: float) -> None:
    assert prices(name, day)[hour] == pytest.approx(usd_per_kwh, abs=1e-12)
    assert prices(name, day, 15)[4 * hour] == pytest.approx(usd_per_kwh, abs=1e-12)


def test_an_hour_that_holds_two_prices_costs_their_mean() -> None:
    assert prices("pge-a-10", (2026, 7, 15))[8] == pytest.approx((0.14903 + 0.1771) / 2)
    assert prices("pge-a-10", (2026, 7, 15), 15)[33:35].tolist() == [0.14903, 0.1771]
    assert prices("pge-a-10", (2026, 7, 15), 5)[101:103].tolist() == [0.14903, 0.1771]


def test_prices_follow_the_wall_clock_when_the_clocks_change() -> None:
    tariff = load_tariff("pge-ev2-a")
    spring = tariff.import_price_usd_per_kwh(hours_of(tariff, (2026, 3, 8), count=23))
    autumn = tariff.import_price_usd_per_kwh(hours_of(tariff, (2026, 11, 1), count=25))
    assert np.flatnonzero(spring == 0.41099).tolist() == [15, 16, 17, 18, 19]
    assert np.flatnonzero(autumn == 0.41099).tolist() == [17, 18, 19, 20, 21]


@given(start=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)), name=st.sampled_from(PRESETS))
def test_five_quarter_and_hourly_steps_cost_the_same(start: datetime, name: str) -> None:
    tariff = load_tariff(name)
    begin = start.replace(minute=0, second=0, microsecond=0, tzinfo=ZoneInfo(tariff.timezone))
    if begin.utcoffset() != datetime.fromtimestamp(begin.timestamp(), begin.tzinfo).utcoffset():
        return  # an hour that the clocks skip
    grids = [StepTimes(begin, interval, 30 * 60 // interval) for interval in (5, 15, 60)]
    for side in (Tariff.import_price_usd_per_kwh, Tariff.export_price_usd_per_kwh):
        five, quarter, hour = (side(tariff, grid, np.full(grid.count, 0.03)) for grid in grids)
        assert five.reshape(-1, 3).mean(axis=1) == pytest.approx(quarter)
        assert quarter.reshape(-1, 4).mean(axis=1) == pytest.approx(hour)
        assert max(five.max(), hour.max()) <= tariff.highest_price_usd_per_kwh + 1e-12


@pytest.mark.parametrize(
    ("month", "hour", "cents"),
    [
        (1, 12, 6.29),
        (1, 18, 9.97),
        (4, 12, 0.41),
        (4, 18, 7.33),
        (7, 18, 32.39),
        (8, 18, 107),
        (9, 18, 45.01),
        (12, 18, 9.58),
    ],
)
def test_export_credits_meet_those_that_the_utility_published(month: int, hour: int, cents: float) -> None:
    tariff = load_tariff("sdge-ev-tou-5")
    times = hours_of(tariff, (2026, month, 16))
    weekday = times if not times.is_weekend[0] else hours_of(tariff, (2026, month, 18))
    assert 100 * tariff.export_price_usd_per_kwh(weekday)[hour] == pytest.approx(cents, abs=0.03)


def test_exports_on_weekends_have_their_own_credits() -> None:
    tariff = load_tariff("sdge-ev-tou-5")
    saturday = tariff.export_price_usd_per_kwh(hours_of(tariff, (2026, 4, 4)))
    assert saturday[13:17].tolist() == [0, 0, 0, 0]
    assert saturday[18] > 0.06


def test_the_highest_price_is_of_the_year_and_not_of_the_day() -> None:
    tariff = load_tariff("sdge-ev-tou-5")
    assert tariff.import_price_usd_per_kwh(hours_of(tariff, (2026, 1, 15))).max() == 0.52383
    assert tariff.highest_import_price_usd_per_kwh == 0.80205
    assert tariff.highest_price_usd_per_kwh == tariff.highest_export_price_usd_per_kwh == 1.0698


def test_demand_rates_go_by_season() -> None:
    a10 = load_tariff("pge-a-10")
    assert a10.demand_rate_usd_per_kw(date(2026, 5, 1)) == 19.99
    assert a10.demand_rate_usd_per_kw(date(2026, 11, 1)) == 11.66
    assert load_tariff("sce-tou-ev-4").demand_rate_usd_per_kw(date(2026, 11, 1)) == 15.51
    assert load_tariff("pge-ev2-a").demand_rate_usd_per_kw(date(2026, 7, 1)) == 0
    assert load_tariff("texas-lz-houston").demand_rate_usd_per_kw(date(2026, 7, 1)) == 0


def test_texas_passes_wholesale_through_and_pays_no_delivery_back() -> None:
    tariff = load_tariff("texas-lz-houston")
    times = hours_of(tariff, (2026, 2, 1), count=3)
    wholesale = np.array([-0.01, 0.03, 5.0])
    assert tariff.needs_wholesale
    assert tariff.settlement_point == "LZ_HOUSTON"
    assert tariff.import_price_usd_per_kwh(times, wholesale) == pytest.approx([0.039993, 0.079993, 5.049993])
    assert tariff.export_price_usd_per_kwh(times, wholesale) == pytest.approx([-0.01, 0.03, 5.0])
    assert tariff.highest_price_usd_per_kwh == pytest.approx(5.049993)


def test_the_cap_is_that_of_the_market_or_of_the_price_file() -> None:
    tariff = load_tariff("texas-lz-houston")
    times = hours_of(tariff, (2021, 2, 15), count=1)
    with pytest.raises(ValueError, match=r"price 9 \$/kWh is above the cap 5;"):
        tariff.import_price_usd_per_kwh(times, np.array([9.0]))
    capped = tariff.with_price_cap(9.0)
    assert capped.import_price_usd_per_kwh(times, np.array([9.0])) == pytest.approx([9.049993])
    assert capped.highest_price_usd_per_kwh == pytest.approx(9.049993)


@pytest.mark.parametrize(
    ("wholesale", "says"),
    [
        (None, "follows LZ_HOUSTON; give its wholesale prices"),
        (np.zeros(3), r"shape \(3,\); give one per step, \(2,\)"),
        (np.array([0.1, np.nan]), "NaN or infinity"),
        (np.array([25.0, 30.0]), r"looks like \$/MWh: divide by 1,000"),
    ],
)
def test_wrong_wholesale_prices_are_refused(wholesale: np.ndarray | None, says: str) -> None:
    tariff = load_tariff("texas-lz-houston")
    with pytest.raises(ValueError, match=says):
        tariff.import_price_usd_per_kwh(hours_of(tariff, (2026, 2, 1), count=2), wholesale)


@pytest.mark.parametrize("name", ["pge-ev2-a", "texas-lz-houston", "pge-a-10"])
def test_a_plan_without_net_billing_is_no_valid_pair(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"'{name}' cannot be paired with export 'net_billing'; its plan permits none"
    ):
        load_tariff(name, ["export.kind=net_billing"])


def test_credits_of_one_plan_are_not_paid_on_another() -> None:
    credit = load_tariff("sdge-ev-tou-5").export.model_dump()
    with pytest.raises(ValueError, match="plan 'flat' cannot be paid 'SDG&E Solar Billing Plan"):
        build(permitted_exports=["net_billing"], export=credit)
    with pytest.raises(ValueError, match="'flat' cannot be paired with export 'net_billing'"):
        build(export=credit)
    paid = build(plan="EV-TOU-5", permitted_exports=["net_billing"], export=credit)
    assert paid.highest_price_usd_per_kwh == 1.0698


def test_the_plans_that_may_take_net_billing_accept_a_table_of_the_users_own() -> None:
    credit = load_tariff("sdge-ev-tou-5").export.model_dump() | {"eligible_plans": ["E-ELEC"]}
    data = load_tariff("pge-e-elec").model_dump() | {"export": credit}
    assert Tariff.model_validate(data).highest_export_price_usd_per_kwh == 1.0698


def period(**changes: Any) -> dict[str, Any]:
    return {"name": "p", "hours": [[0, 24]], "usd_per_kwh": 0.2} | changes


@pytest.mark.parametrize(
    ("periods", "says"),
    [
        ([period(hours=[[0, 23]])], "no period covers 23 h of a weekday"),
        ([period(days="weekday")], "no period covers 0 h of a weekend"),
        (
            [period(), period(name="q", hours=[[16, 21]])],
            r"'q' covers weekday hours in \[16, 21\] that another",
        ),
        ([period(hours=[[0, 12], [11, 24]])], r"'p' covers weekday hours in \[11, 24\] that another"),
        ([period(hours=[[21, 6]])], "end before they start; split at midnight"),
        ([period(hours=[[0, 8.4], [8.4, 24]])], "off the quarter hour"),
        ([period(usd_per_kwh=22.5)], r"22.5 looks like cents or \$/MWh"),
        ([period(usd_per_kwh=float("nan"))], "finite"),
    ],
)
def test_periods_that_do_not_cover_the_day_once_are_refused(periods: list[dict[str, Any]], says: str) -> None:
    season = {"name": "year", "months": list(range(1, 13)), "periods": periods}
    with pytest.raises(ValueError, match=says):
        build(seasons=[season])


@given(
    cuts=st.sets(st.integers(1, 95), max_size=6),
    drop=st.integers(0, 6),
    twice=st.booleans(),
)
def test_any_partition_of_the_day_is_taken_and_any_other_refused(cuts: set[int], drop: int, twice: bool) -> None:
    edges = [0.0, *(c / 4 for c in sorted(cuts)), 24.0]
    ranges = [[a, b] for a, b in pairwise(edges)]
    periods = [period(name=str(i), hours=[r], usd_per_kwh=0.1 * (i + 1)) for i, r in enumerate(ranges)]
    year = {"name": "year", "months": list(range(1, 13))}
    table = build(seasons=[year | {"periods": periods}]).import_table_usd_per_kwh
    assert table.shape == (12, 2, 96)
    assert len(np.unique(table)) == len(periods)
    place = drop % len(periods)
    wrong = [*periods, periods[place]] if twice else periods[:place] + periods[place + 1 :]
    with pytest.raises(ValueError, match=r"exactly one|at least 1 item"):
        build(seasons=[year | {"periods": wrong}])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seasons": []}, "every month 1 to 12 belongs to exactly one season"),
        ({"timezone": "California"}, "use an IANA name"),
        ({"demand_usd_per_kw": 9.0}, "put it into its seasons"),
        ({"kind": "pass_through"}, "has no seasons"),
        ({"kind": "pass_through", "seasons": []}, "settlement_point is missing"),
        (
            {"kind": "pass_through", "seasons": [], "settlement_point": "HB"},
            "price_cap_usd_per_kwh is missing",
        ),
        ({"price": 0.2}, "Extra inputs are not permitted"),
        ({"source": ""}, "at least 1 character"),
    ],
)
def test_an_inconsistent_tariff_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build(**changes)


def test_a_tariff_of_the_users_own_loads_the_same_way(tmp_path: Path) -> None:
    text = preset_path("tariffs", "pge-ev2-a").read_text(encoding="utf-8")
    file = tmp_path / "mine.toml"
    file.write_text(text.replace("usd_per_kwh = 0.53809", "usd_per_kwh = 0.6"), encoding="utf-8")
    mine = load_tariff(file)
    assert mine.import_price_usd_per_kwh(hours_of(mine, (2026, 7, 15)))[17] == 0.6
    file.write_text(text.replace("usd_per_kwh = 0.53809", "usd_per_kwh = 53.809"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.toml: seasons\.0\.periods\.0\.usd_per_kwh: 53\.809 looks like cents"):
        load_tariff(file)


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'pge-ev2-a'"):
        load_tariff("pge-ev2a")


ERCOT = Path(__file__).parents[3] / ".." / "shared" / "data" / "ercot_dam_spp_2021.csv.gz"


@pytest.mark.skipif(not ERCOT.exists(), reason="the real price files do not lie beside the checkout")
def test_the_emergency_of_february_2021_passes_through_at_its_own_cap() -> None:
    from ebbflow.envs.world.files import read_prices

    tariff = load_tariff("texas-lz-houston")
    table = read_prices(ERCOT, location="LZ_HOUSTON")
    times = hours_of(tariff, (2021, 2, 15))
    wholesale = table.series(int(times.utc_seconds[0]), 60, 24)
    assert wholesale.max() > 7
    with pytest.raises(ValueError, match="above the cap 5"):
        tariff.import_price_usd_per_kwh(times, wholesale)
    billed = tariff.with_price_cap(9.0).import_price_usd_per_kwh(times, wholesale)
    assert billed == pytest.approx(wholesale + 0.049993)
