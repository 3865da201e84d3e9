"""Reading prices: units, time zones on the days when clocks change, gaps, duplicates, several points."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.envs.world.files import DataFileError, PriceTable, Timeline, read_prices

DATA = Path(__file__).parents[4] / ".." / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data files are not beside the project")
CHICAGO = ZoneInfo("America/Chicago")


def caiso(path: Path, start: datetime, prices: list[float], minutes: int = 60, skip: tuple[int, ...] = ()) -> Path:
    rows = ["Interval Start,Interval End,Market,Location,LMP"]
    for k, price in enumerate(prices):
        begin = start + timedelta(minutes=minutes * k)
        if k not in skip:
            rows.append(f"{begin},{begin + timedelta(minutes=minutes)},DAY_AHEAD_HOURLY,TH_SP15,{price}")
    path.write_text("\n".join(rows) + "\n")
    return path


def ercot(path: Path, day: str, endings: list[tuple[str, str, float]], points: tuple[str, ...] = ("LZ_A",)) -> Path:
    rows = ["Delivery Date,Hour Ending,Repeated Hour Flag,Settlement Point,Settlement Point Price"]
    rows += [f"{day},{ending},{flag},{point},{price}" for ending, flag, price in endings for point in points]
    path.write_text("\n".join(rows) + "\n")
    return path


def autumn_day() -> list[tuple[str, str, float]]:
    hours = [(f"{h:02d}:00", "N", 10.0 * h) for h in range(1, 25)]
    return [*hours[:2], ("02:00", "Y", 25.0), *hours[2:]]


def spring_day() -> list[tuple[str, str, float]]:
    return [(f"{h:02d}:00", "N", 10.0 * h) for h in range(1, 25) if h != 3]


START = datetime(2025, 8, 1, tzinfo=UTC)
S0 = int(START.timestamp())


def test_prices_become_dollars_per_kwh_and_keep_negatives_and_caps(tmp_path):
    table = read_prices(caiso(tmp_path / "p.csv", START, [-30.0, 5000.0, 9000.0]))
    np.testing.assert_allclose(table.price_usd_per_kwh, [-0.03, 5.0, 9.0])
    assert table.max_usd_per_kwh == 9.0
    assert (table.location, table.market) == ("TH_SP15", "DAY_AHEAD_HOURLY")


def test_series_repeats_hours_and_averages_five_minutes(tmp_path):
    hourly = read_prices(caiso(tmp_path / "h.csv", START, [10.0, 20.0]))
    np.testing.assert_allclose(hourly.series(S0 + 2700, 15, 2), [0.01, 0.02])
    fine = read_prices(caiso(tmp_path / "f.csv", START, [30.0, 60.0, 90.0, 0.0, 0.0, 3.0], minutes=5))
    np.testing.assert_allclose(fine.series(S0, 15, 2), [0.06, 0.001])
    np.testing.assert_allclose(fine.series(S0, 5, 2), [0.03, 0.06])


def test_a_step_that_straddles_two_hours_is_weighted_by_time(tmp_path):
    hourly = read_prices(caiso(tmp_path / "h.csv", START, [10.0, 40.0]))
    np.testing.assert_allclose(hourly.series(S0 + 2400, 60, 1), [(10 * 20 + 40 * 40) / 60 / 1000])


def test_local_offsets_of_the_gridstatus_convention(tmp_path):
    local = START.astimezone(ZoneInfo("America/Los_Angeles"))
    table = read_prices(caiso(tmp_path / "p.csv", local, [10.0, 20.0]))
    assert int(table.timeline.start_utc_s[0]) == S0


def test_times_without_offset_are_refused(tmp_path):
    with pytest.raises(DataFileError, match=r"p\.csv:2: Interval Start '2025-08-01 00:00:00' has no UTC offset"):
        read_prices(caiso(tmp_path / "p.csv", START.replace(tzinfo=None), [10.0, 20.0]))


def test_ercot_day_of_25_hours(tmp_path):
    table = read_prices(ercot(tmp_path / "e.csv", "11/07/2021", autumn_day()))
    begin = int(datetime(2021, 11, 7, tzinfo=CHICAGO).timestamp())
    assert table.timeline.start_utc_s[0] == begin
    assert table.timeline.gaps == ()
    np.testing.assert_allclose(table.series(begin, 60, 25)[:4], [0.01, 0.02, 0.025, 0.03])
    assert table.days("America/Chicago").complete == (date(2021, 11, 7),)
    assert table.days("America/Chicago", hours=24).complete == (date(2021, 11, 7),)


def test_ercot_day_of_23_hours(tmp_path):
    table = read_prices(ercot(tmp_path / "e.csv", "03/14/2021", spring_day()))
    begin = int(datetime(2021, 3, 14, tzinfo=CHICAGO).timestamp())
    assert table.timeline.gaps == ()
    np.testing.assert_allclose(table.series(begin, 60, 23)[:4], [0.01, 0.02, 0.04, 0.05])
    assert table.days("America/Chicago").complete == (date(2021, 3, 14),)
    assert table.days("America/Chicago", hours=24).complete == ()


def test_ercot_hours_that_cannot_be(tmp_path):
    path = tmp_path / "e.csv"
    ercot(path, "03/14/2021", [("02:00", "N", 20.0), ("03:00", "N", 30.0)])
    with pytest.raises(DataFileError, match=r"e\.csv:3: this hour does not exist"):
        read_prices(path)
    ercot(path, "11/07/2021", [("05:00", "N", 20.0), ("05:00", "Y", 30.0)])
    with pytest.raises(DataFileError, match=r"e\.csv:3: Repeated Hour Flag is Y"):
        read_prices(path)
    ercot(path, "11/07/2021", [("25:00", "N", 20.0)])
    with pytest.raises(DataFileError, match=r"e\.csv:2: Hour Ending is '25:00'"):
        read_prices(path)
    ercot(path, "7. November", [("01:00", "N", 20.0)])
    with pytest.raises(DataFileError, match=r"e\.csv:2: Delivery Date holds '7. November', not a date"):
        read_prices(path)


def test_an_unflagged_repeated_hour_is_a_contradiction(tmp_path):
    ercot(tmp_path / "e.csv", "11/07/2021", [("02:00", "N", 20.0), ("02:00", "N", 30.0)])
    with pytest.raises(
        DataFileError, match=r"e\.csv:3: a second price for 2021-11-07 06:00 UTC differs from .*e\.csv:2"
    ):
        read_prices(tmp_path / "e.csv")


def test_several_settlement_points_need_a_choice(tmp_path):
    path = ercot(tmp_path / "e.csv", "11/07/2021", autumn_day(), ("LZ_HOUSTON", "LZ_WEST"))
    with pytest.raises(DataFileError, match="holds 2 settlement points: LZ_HOUSTON, LZ_WEST"):
        read_prices(path)
    with pytest.raises(DataFileError, match=r"no settlement point 'LZ_HOUSTN'.*nearest is 'LZ_HOUSTON'"):
        read_prices(path, location="LZ_HOUSTN")
    assert read_prices(path, location="LZ_WEST").location == "LZ_WEST"


def test_several_markets_need_a_choice(tmp_path):
    path = caiso(tmp_path / "p.csv", START, [10.0, 20.0])
    rows = path.read_text()
    fine = caiso(tmp_path / "f.csv", START, [30.0, 60.0], minutes=5).read_text().split("\n", 1)[1]
    path.write_text(rows + fine.replace("DAY_AHEAD_HOURLY", "REAL_TIME_5_MIN"))
    with pytest.raises(DataFileError, match="2 markets: DAY_AHEAD_HOURLY, REAL_TIME_5_MIN"):
        read_prices(path)
    assert read_prices(path, market="REAL_TIME_5_MIN").timeline.interval_s == 300


@pytest.mark.parametrize(
    ("prices", "message"),
    [
        ([0.03, 0.05, -0.01], "looks like \\$/kWh"),
        ([30_000.0, 50_000.0], "p.csv:3: .* beyond any market's cap"),
    ],
)
def test_a_unit_slip_by_1000_is_refused(tmp_path, prices, message):
    with pytest.raises(DataFileError, match=message):
        read_prices(caiso(tmp_path / "p.csv", START, prices))


def test_a_gap_is_found_and_refused_where_it_is_needed(tmp_path):
    table = read_prices(caiso(tmp_path / "p.csv", START, [20.0] * 96, skip=(30, 31)))
    assert table.timeline.gaps == ((S0 + 30 * 3600, S0 + 32 * 3600),)
    days = table.days("UTC")
    assert days.complete == (date(2025, 8, 1), date(2025, 8, 3), date(2025, 8, 4))
    assert days.missing == (date(2025, 8, 2),)
    assert "gaps (UTC): 2025-08-02 06:00 to 2025-08-02 08:00" in table.description
    assert len(table.series(S0, 60, 24)) == 24
    with pytest.raises(DataFileError, match=r"p\.csv:31: no price from 2025-08-02 06:00 to 2025-08-02 08:00 UTC"):
        table.series(S0 + 24 * 3600, 15, 96)


def test_a_day_outside_the_file_is_refused_by_date(tmp_path):
    table = read_prices(caiso(tmp_path / "p.csv", START, [20.0] * 24))
    for moment, shown in ((S0 - 3600, "2025-07-31 23:00"), (S0 + 86400, "2025-08-02 00:00")):
        with pytest.raises(DataFileError, match=f"no price for {shown} UTC: the file holds 2025-08-01 00:00"):
            table.series(moment, 60, 1)


def test_windows_from_noon_need_the_next_morning(tmp_path):
    table = read_prices(caiso(tmp_path / "p.csv", START, [20.0] * 48))
    assert table.days("UTC", 12, 24).complete == (date(2025, 8, 1),)
    assert table.days("UTC", 12, 48).complete == ()


def test_duplicates_equal_are_dropped_and_unequal_refused(tmp_path):
    path = caiso(tmp_path / "p.csv", START, [20.0, 30.0])
    last = path.read_text().splitlines()[-1]
    path.write_text(path.read_text() + last + "\n")
    table = read_prices(path)
    assert len(table.price_usd_per_kwh) == 2
    assert "1 repeated rows dropped" in table.notes
    path.write_text(path.read_text() + last.replace("30.0", "31.0") + "\n")
    with pytest.raises(DataFileError, match=r"p\.csv:5: a second price"):
        read_prices(path)


def test_unequal_intervals_are_refused(tmp_path):
    path = caiso(tmp_path / "p.csv", START, [20.0, 30.0])
    tail = caiso(tmp_path / "q.csv", START + timedelta(hours=2), [1.0], minutes=30).read_text().splitlines()[1]
    path.write_text(path.read_text() + tail + "\n")
    with pytest.raises(DataFileError, match=r"p\.csv:4: an interval of 30 minutes, where the first has 60"):
        read_prices(path)


def test_months_in_two_files_join_and_errors_name_the_right_one(tmp_path):
    first = caiso(tmp_path / "a.csv", START, [20.0] * 24)
    second = caiso(tmp_path / "b.csv", START + timedelta(days=1), [40.0] * 24, skip=(5,))
    table = read_prices([second, first])
    np.testing.assert_allclose(table.series(S0 + 23 * 3600, 60, 2), [0.02, 0.04])
    with pytest.raises(DataFileError, match=r"b\.csv:6: no price from 2025-08-02 05:00"):
        table.series(S0 + 24 * 3600, 60, 24)


def test_a_missing_column_names_format_and_nearest(tmp_path):
    path = caiso(tmp_path / "p.csv", START, [20.0])
    path.write_text(path.read_text().replace("LMP", "LMPs"))
    with pytest.raises(DataFileError, match=r":1: has no column 'LMP', .*'gridstatus prices'.*nearest found: 'LMPs'"):
        read_prices(path)


@given(
    values=st.lists(st.floats(-500, 9000), min_size=48, max_size=48),
    rows_minutes=st.sampled_from([5, 15, 30, 60]),
    step_minutes=st.sampled_from([5, 15, 60]),
    offset_minutes=st.sampled_from([0, 5, 15, 30]),
)
def test_the_mean_price_over_a_span_is_the_same_on_any_step(values, rows_minutes, step_minutes, offset_minutes):
    rows = np.arange(48)
    line = Timeline(("x.csv",), "price", S0 + rows * rows_minutes * 60, rows_minutes * 60, rows, rows * 0)
    table = PriceTable("M", "L", line, np.array(values) / 1000, ())
    begin = S0 + offset_minutes * 60
    hours = (48 * rows_minutes - offset_minutes) // 60
    on_steps = table.series(begin, step_minutes, hours * 60 // step_minutes).mean()
    on_minutes = table.series(begin, 5, hours * 12).mean()
    assert on_steps == pytest.approx(on_minutes, abs=1e-9)


@needs_data
def test_real_california_files_have_the_gap_that_is_known():
    for name in ("da", "rt"):
        table = read_prices(DATA / f"caiso_sp15_{name}_2025.csv.gz")
        august_31 = datetime(2025, 8, 31, tzinfo=UTC).timestamp()
        assert table.timeline.gaps == ((august_31, august_31 + 86400),)
        days = table.days("America/Los_Angeles")
        assert set(days.missing) >= {date(2025, 8, 30), date(2025, 8, 31)}
        assert len(days.complete) == 37
        assert table.price_usd_per_kwh.min() < 0


@needs_data
def test_real_texas_file_is_whole_and_holds_the_emergency():
    table = read_prices(DATA / "ercot_dam_spp_2021.csv.gz", location="LZ_HOUSTON")
    assert len(table.price_usd_per_kwh) == 8760
    assert table.timeline.gaps == ()
    assert len(table.days("America/Chicago").complete) == 365
    assert 8.9 < table.max_usd_per_kwh < 9.1
    noon = int(datetime(2021, 2, 16, 12, tzinfo=CHICAGO).timestamp())
    assert table.series(noon, 60, 24).max() > 5.0
