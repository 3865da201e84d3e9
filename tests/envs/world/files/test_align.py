"""Source days for target dates, wall clocks across changes, and days of sessions for any number of ports."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.envs.world.files import (
    SessionTable,
    choose_source_day,
    is_weekend,
    local_to_utc_s,
    read_sessions,
    sample_day,
    source_steps,
)

DATA = Path(__file__).parents[4] / ".." / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data files are not beside the project")
PACIFIC = "America/Los_Angeles"
HEADER = "location,user_id,session_id,plugin_time,plugout_time,energy_kwh"


def homes(tmp_path: Path, users: int = 4, days: int = 14) -> SessionTable:
    """Every user plugs in daily at 18:00 plus its number of minutes, until 07:00; energy tells the day."""
    rows = [HEADER]
    for d in range(days):
        day = date(2019, 6, 3) + timedelta(days=d)  # a Monday
        for u in range(users):
            begin, end = f"{day} 18:{u:02d}:00", f"{day + timedelta(days=1)} 07:00:00"
            rows.append(f"OSL,OSL_{u},s{d}_{u},{begin},{end},{1 + d + u / 100}")
    path = tmp_path / "homes.csv"
    path.write_text("\n".join(rows) + "\n")
    return read_sessions(path)


def test_the_day_itself_is_taken_where_it_is_there():
    day = date(2025, 8, 6)
    source = choose_source_day(day, [day, day + timedelta(days=1)], np.random.default_rng(0), what="p", source="f")
    assert source.day == day
    assert "the day itself" in source.provenance


@given(offset=st.integers(0, 400), seed=st.integers(0, 99))
def test_a_weekday_borrows_a_weekday_and_says_so(offset, seed):
    target = date(2025, 8, 6) + timedelta(days=offset)
    held = [date(2021, 5, 1) + timedelta(days=d) for d in range(14)]
    chosen = [choose_source_day(target, held, np.random.default_rng(seed), what="emissions", source="m.csv")] * 2
    assert is_weekend(chosen[0].day) == is_weekend(target)
    assert chosen[0] == chosen[1]
    for word in ("m.csv", "weekend" if is_weekend(target) else "weekday", "2021", str(target.year)):
        assert word in chosen[0].provenance


def test_no_day_of_the_kind_is_refused():
    with pytest.raises(ValueError, match=r"m\.csv: no complete weekend day to stand in for 2025-08-09"):
        choose_source_day(date(2025, 8, 9), [date(2021, 5, 3)], np.random.default_rng(0), what="e", source="m.csv")


def wall_hours(utc_s: np.ndarray, zone: str) -> list[float]:
    moments = [datetime.fromtimestamp(int(s), ZoneInfo(zone)) for s in utc_s]
    return [m.hour + m.minute / 60 for m in moments]


@pytest.mark.parametrize(
    ("target", "hours"),
    [
        (date(2025, 8, 6), [0, 1, 2, 3, 4]),
        (date(2025, 3, 9), [0, 1, 3, 4, 5]),  # 23 hours
        (date(2025, 11, 2), [0, 1, 1, 2, 3]),  # 25 hours
    ],
)
def test_steps_follow_the_local_time_of_day(target, hours):
    start = datetime(target.year, target.month, target.day, tzinfo=ZoneInfo(PACIFIC))
    steps = source_steps(start, 60, 5, date(2021, 7, 7), "America/Chicago")
    assert wall_hours(steps, "America/Chicago") == hours


def test_steps_from_noon_run_into_the_next_source_day():
    start = datetime(2025, 8, 6, 12, tzinfo=ZoneInfo(PACIFIC))
    steps = source_steps(start, 15, 192, date(2021, 7, 7), PACIFIC)
    expected = datetime(2021, 7, 7, 12, tzinfo=ZoneInfo(PACIFIC)).timestamp() + np.arange(192) * 900
    np.testing.assert_array_equal(steps, expected)
    with pytest.raises(ValueError, match="has no time zone"):
        source_steps(datetime(2025, 8, 6), 15, 4, date(2021, 7, 7), PACIFIC)


@settings(deadline=None)
@given(
    day=st.sampled_from([date(2025, 3, 8), date(2025, 3, 9), date(2025, 11, 1), date(2025, 11, 2), date(2025, 6, 1)]),
    walls=st.lists(st.integers(-86_400, 3 * 86_400), min_size=2, max_size=20),
)
def test_wall_clock_order_survives_the_mapping(day, walls):
    walls_s = np.sort(np.array(walls))
    utc = local_to_utc_s(day, walls_s, PACIFIC)
    assert (np.diff(utc) >= 0).all()
    back = [datetime.fromtimestamp(int(s), ZoneInfo(PACIFIC)).replace(tzinfo=None) for s in utc]
    wanted = [datetime(day.year, day.month, day.day) + timedelta(seconds=int(w)) for w in walls_s]
    skipped = datetime(2025, 3, 9, 2)
    for b, w in zip(back, wanted, strict=True):
        assert b == w or (skipped <= w < skipped + timedelta(hours=1) and b == skipped + timedelta(hours=1))


def test_a_day_has_the_sessions_of_one_source_day_of_its_kind(tmp_path):
    table = homes(tmp_path)
    for weekend in (False, True):
        day = sample_day(table, weekend, np.random.default_rng(1), 4, 12, 24)
        assert len(day.source_days) == 1
        assert is_weekend(day.source_days[0]) == weekend
        assert sorted(day.port) == [0, 1, 2, 3]
        assert (day.arrive_wall_s // 3600 == 18).all()
        assert (day.depart_wall_s == 31 * 3600).all()
        assert np.unique(table.delivered_kwh[day.row].astype(int)).size == 1
        assert str(day.source_days[0]) in day.provenance
        assert "Europe/Oslo" in day.provenance


def test_fewer_ports_choose_users_and_spare_ports_take_further_days(tmp_path):
    table = homes(tmp_path)
    few = sample_day(table, False, np.random.default_rng(2), 2, 12, 24)
    assert sorted(few.port) == [0, 1]
    many = sample_day(table, False, np.random.default_rng(2), 30, 12, 24)
    assert sorted(many.port) == list(range(30))
    assert len(many.source_days) == 8
    assert len(set(many.source_days)) == 8
    more = sample_day(table, True, np.random.default_rng(2), 30, 12, 24)
    assert sorted(more.port) == list(range(30))
    assert 1 < len(set(more.source_days)) < len(more.source_days)
    with pytest.raises(ValueError, match="n_ports is 0"):
        sample_day(table, True, np.random.default_rng(2), 0, 12, 24)


def test_the_same_generator_gives_the_same_day(tmp_path):
    table = homes(tmp_path)
    days = [sample_day(table, True, np.random.default_rng(5), 3, 12, 24) for _ in range(2)]
    np.testing.assert_array_equal(days[0].row, days[1].row)
    np.testing.assert_array_equal(days[0].port, days[1].port)


def test_a_file_without_weekend_refuses_one(tmp_path):
    table = homes(tmp_path, days=4)
    with pytest.raises(ValueError, match="holds no whole weekend day"):
        sample_day(table, True, np.random.default_rng(0), 2, 12, 24)


@pytest.mark.parametrize(
    ("target", "hours"), [(date(2025, 8, 6), 13.0), (date(2025, 3, 8), 12.0), (date(2025, 11, 1), 14.0)]
)
def test_placed_stays_keep_their_local_times_on_days_of_23_and_25_hours(tmp_path, target, hours):
    day = sample_day(homes(tmp_path, users=1), False, np.random.default_rng(0), 1, 12, 24)
    placed = day.place(target, PACIFIC)
    assert wall_hours(placed.arrive_utc_s, PACIFIC) == [18.0]
    assert wall_hours(placed.depart_utc_s, PACIFIC) == [7.0]
    assert (placed.depart_utc_s - placed.arrive_utc_s)[0] / 3600 == hours
    assert np.isnan(placed.said_depart_utc_s).all()


@needs_data
@pytest.mark.parametrize("name", ["acn_sessions_jpl_2019-05", "home_sessions_norway"])
def test_real_days_never_overlap_on_a_port_and_use_ports_as_the_file_does(name):
    table = read_sessions(DATA / f"{name}.csv.gz")
    start_hour = 12 if table.kind == "home" else 0
    counts = []
    for seed in range(60):
        day = sample_day(table, False, np.random.default_rng(seed), 40, start_hour, 24)
        placed = day.place(date(2025, 3, 8), PACIFIC)
        same = np.diff(placed.port) == 0
        assert (placed.depart_utc_s[:-1] <= placed.arrive_utc_s[1:])[same].all()
        assert (placed.depart_utc_s > placed.arrive_utc_s).all()
        assert placed.port.max() < 40
        counts.append(len(placed.row))
    weekday = (table.arrive_wall_s // 86400 + 6) % 7 < 5
    dates = table.arrive_wall_s.min() // 86400 + np.arange(len(table.present))
    port_days = table.present[(dates + 6) % 7 < 5].sum()
    assert np.mean(counts) / 40 == pytest.approx(weekday.sum() / port_days, rel=0.15)
