"""Reading session tables: both formats, silence, dirty rows, wrong units and columns."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ebbflow.envs.world.files import DataFileError, read_sessions

DATA = Path(__file__).parents[4] / ".." / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data files are not beside the project")

ACN_HEADER = (
    "arrival,departure,requested_energy (kWh),delivered_energy (kWh),station_id,session_id,estimated_departure,claimed"
)
ACN_ROWS = [
    "2019-05-01 08:00:00-07:00,2019-05-01 17:00:00-07:00,20.0,12.5,CA-1,2_1_1,2019-05-01 16:00:00-07:00,True",
    "2019-05-01 09:30:00-07:00,2019-05-01 11:00:00-07:00,4.0,4.0,CA-2,2_1_2,2019-05-01 11:00:00-07:00,False",
]
HOME_HEADER = (
    "location,user_id,session_id,plugin_time,plugout_time,connection_hours,energy_kwh,"
    "soc_start_percent,soc_diff_percent,charging_power_kw,battery_capacity_kwh"
)
HOME_ROWS = [
    "OSL,OSL_1,a,2019-06-01 18:00:00,2019-06-02 07:00:00,13.0,10.0,60.0,35.0,3.6,25.1",
    "OSL,OSL_2,b,2019-06-03 16:30:00,2019-06-03 20:00:00,3.5,6.0,,,,",
]


def write(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def acn(tmp_path: Path, rows: list[str], header: str = ACN_HEADER) -> Path:
    return write(tmp_path / "acn.csv", header, rows)


def home(tmp_path: Path, rows: list[str], header: str = HOME_HEADER) -> Path:
    return write(tmp_path / "home.csv", header, rows)


def test_acn_times_energies_and_what_was_said(tmp_path):
    table = read_sessions(acn(tmp_path, ACN_ROWS))
    zone = ZoneInfo("America/Los_Angeles")
    assert table.kind == "workplace"
    assert table.arrive_utc_s[0] == datetime(2019, 5, 1, 8, tzinfo=zone).timestamp()
    assert table.arrive_wall_s[0] == date(2019, 5, 1).toordinal() * 86400 + 8 * 3600
    assert table.said_depart_utc_s[0] == datetime(2019, 5, 1, 16, tzinfo=zone).timestamp()
    np.testing.assert_array_equal(table.delivered_kwh, [12.5, 4.0])
    assert table.requested_kwh[0] == 20.0
    assert np.isnan(table.soc_start).all()
    assert table.sites == ("Caltech",)
    assert list(table.line) == [2, 3]


def test_an_unclaimed_session_does_not_leak_the_truth(tmp_path):
    table = read_sessions(acn(tmp_path, ACN_ROWS))
    assert np.isnan(table.said_depart_utc_s[1])
    assert np.isnan(table.said_depart_wall_s[1])
    assert np.isnan(table.requested_kwh[1])
    assert "1 drivers said nothing" in table.description


def test_homes_in_local_time_with_estimates_where_given(tmp_path):
    table = read_sessions(home(tmp_path, HOME_ROWS))
    assert table.kind == "home"
    assert table.arrive_utc_s[0] == datetime(2019, 6, 1, 16, tzinfo=ZoneInfo("UTC")).timestamp()
    assert table.soc_start[0] == pytest.approx(0.6)
    assert table.capacity_kwh[0] == 25.1
    assert np.isnan([table.soc_start[1], table.capacity_kwh[1], table.power_kw[1]]).all()
    assert table.ports == ("OSL_1", "OSL_2")


def test_home_estimates_may_be_absent_altogether(tmp_path):
    header = "location,user_id,session_id,plugin_time,plugout_time,energy_kwh"
    row = "OSL,OSL_1,a,2019-06-01 18:00:00,2019-06-02 07:00:00,10.0"
    assert np.isnan(read_sessions(home(tmp_path, [row], header)).capacity_kwh).all()


def test_gzip_and_blank_lines_keep_the_line_numbers(tmp_path):
    path = tmp_path / "acn.csv.gz"
    path.write_bytes(gzip.compress("\n".join([ACN_HEADER, ACN_ROWS[0], "", ACN_ROWS[1]]).encode()))
    assert list(read_sessions(path).line) == [2, 4]


def test_local_days_of_23_and_25_hours(tmp_path):
    # in Oslo 02:00 to 03:00 is skipped on 31 March and comes twice on 27 October
    rows = [
        "OSL,OSL_1,a,2019-03-31 00:30:00,2019-03-31 08:00:00,6.5,10.0,60,35,3.6,25",
        "OSL,OSL_1,b,2019-10-27 00:30:00,2019-10-27 08:00:00,8.5,10.0,60,35,3.6,25",
        "OSL,OSL_2,c,2019-10-27 02:50:00,2019-10-27 02:10:00,0.3,1.0,60,35,3.6,25",
    ]
    table = read_sessions(home(tmp_path, rows))
    np.testing.assert_allclose((table.depart_utc_s - table.arrive_utc_s) / 3600, [6.5, 8.5, 1 / 3], atol=1e-9)


def test_stays_without_length_are_dropped_and_counted(tmp_path):
    empty = ACN_ROWS[0].replace("2019-05-01 17:00", "2019-05-01 08:00")
    negative = ACN_ROWS[0].replace("2019-05-01 17:00", "2019-05-01 07:00")
    table = read_sessions(acn(tmp_path, [*ACN_ROWS, ACN_ROWS[1].replace("CA-2", "CA-3"), empty, negative]))
    assert len(table) == 3
    assert any("2 stays of zero or negative length dropped (line 5, 6)" in n for n in table.notes)


def test_a_file_of_mostly_negative_stays_is_refused(tmp_path):
    header = ACN_HEADER.replace("arrival,departure,", "departure,arrival,")
    with pytest.raises(DataFileError, match=r"acn\.csv:2: 2 of 2 stays end before .* exchanged"):
        read_sessions(acn(tmp_path, ACN_ROWS, header))


def test_overlap_on_a_port_moves_the_later_stay_to_a_spare_port(tmp_path):
    later = ACN_ROWS[0].replace("2019-05-01 08:00", "2019-05-01 10:00").replace("2_1_1", "2_1_9")
    table = read_sessions(acn(tmp_path, [*ACN_ROWS, later]))
    assert [table.ports[p] for p in table.port] == ["Caltech CA-1", "Caltech CA-2", "Caltech CA-1 (2)"]
    assert any("1 stays that overlap" in n and "line 4" in n for n in table.notes)


def test_a_repeated_row_is_dropped(tmp_path):
    table = read_sessions(acn(tmp_path, [*ACN_ROWS, ACN_ROWS[0]]))
    assert len(table) == 2
    assert "1 repeated rows dropped (line 4)" in table.notes


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("12.5,CA-1", "12500,CA-1", r"acn\.csv:2: delivered_energy \(kWh\) is 12500, .*looks like Wh"),
        ("12.5,CA-1", "0.0125,CA-1", r"acn\.csv:2: .*looks like MWh"),
        ("12.5,CA-1", "abc,CA-1", r"acn\.csv:2: .*'abc', not a number"),
        ("12.5,CA-1", "-3,CA-1", r"acn\.csv:2: delivered_energy \(kWh\) is -3, outside"),
        ("12.5,CA-1", ",CA-1", r"acn\.csv:2: .*not a number"),
        ("2019-05-01 17:00:00-07:00", "yesterday", r"acn\.csv:2: column 'departure' holds 'yesterday'"),
    ],
)
def test_bad_cells_are_refused_with_their_line(tmp_path, old, new, message):
    with pytest.raises(DataFileError, match=message):
        read_sessions(acn(tmp_path, [ACN_ROWS[0].replace(old, new)]))


def test_a_wrong_column_names_the_one_expected_and_the_nearest(tmp_path):
    header = ACN_HEADER.replace("delivered_energy (kWh)", "delivered_kwh")
    with pytest.raises(DataFileError, match=r":1: has no column 'delivered_energy \(kWh\)'.*'delivered_kwh'"):
        read_sessions(acn(tmp_path, ACN_ROWS, header))
    header = HOME_HEADER.replace("charging_power_kw", "charging_power_kW")
    with pytest.raises(DataFileError, match="has column 'charging_power_kW', not 'charging_power_kw'"):
        read_sessions(home(tmp_path, HOME_ROWS, header))


def test_fractions_for_percent_are_refused(tmp_path):
    with pytest.raises(DataFileError, match="looks like a fraction"):
        read_sessions(home(tmp_path, [HOME_ROWS[0].replace(",60.0,35.0,", ",0.6,0.35,")]))


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv does not exist"):
        read_sessions(tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_sessions(tmp_path)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataFileError, match="is empty"):
        read_sessions(tmp_path / "empty.csv")
    with pytest.raises(DataFileError, match="no rows"):
        read_sessions(acn(tmp_path, []))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(ACN_HEADER.encode())[:-9])
    with pytest.raises(DataFileError, match="damaged gzip"):
        read_sessions(tmp_path / "cut.csv.gz")
    with pytest.raises(DataFileError, match="more cells than the header"):
        read_sessions(home(tmp_path, [HOME_ROWS[0].replace("10.0", "10,0")]))


def test_an_unknown_time_zone_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match="'Mars/Olympus' is unknown"):
        read_sessions(acn(tmp_path, ACN_ROWS), timezone="Mars/Olympus")


@needs_data
@pytest.mark.parametrize(
    ("name", "count", "median_kwh"),
    [("acn_sessions_caltech_2019-05", 3527, 5.8), ("acn_sessions_jpl_2019-05", 6026, 11.2)],
)
def test_real_workplace_sessions_agree_with_published_figures(name, count, median_kwh):
    table = read_sessions(DATA / f"{name}.csv.gz")
    assert len(table) == count
    assert np.median(table.delivered_kwh) == pytest.approx(median_kwh, abs=0.05)
    said = np.isfinite(table.said_depart_utc_s)
    assert 0.8 <= said.mean() <= 0.97
    assert (table.said_depart_utc_s != table.depart_utc_s)[said].mean() > 0.95


@needs_data
def test_real_home_sessions():
    table = read_sessions(DATA / "home_sessions_norway.csv.gz")
    assert len(table) == 22_630
    assert len(table.sites) == 12
    order = np.lexsort((table.arrive_utc_s, table.port))
    same = np.diff(table.port[order]) == 0
    assert (table.depart_utc_s[order][:-1] <= table.arrive_utc_s[order][1:])[same].all()
    assert any("overlap" in n for n in table.notes)
