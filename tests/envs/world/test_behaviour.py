"""Drawn stays have the percentiles of their sources."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ebbflow.configs.load import load_model
from ebbflow.envs.world.behaviour import (
    BehaviourProfile,
    StayDraws,
    departure_error_h,
    draw_stays,
    request_excess_kwh,
    stay_and_energy,
)
from ebbflow.envs.world.settings import BehaviourSettings

ZONE = ZoneInfo("America/Los_Angeles")
WEDNESDAY, SUNDAY = datetime(2026, 6, 10, 12, tzinfo=ZONE), datetime(2026, 6, 14, 12, tzinfo=ZONE)
N = 5_000
DATA = Path(__file__).parents[3] / ".." / "shared" / "data"


def profile(name: str) -> BehaviourProfile:
    return load_model(BehaviourProfile, "behaviour", name)


def stays(name: str, start: datetime, kind: str = "home") -> StayDraws:
    """One stay for each of N ports and dates; those of the start's own date."""
    settings = BehaviourSettings(kind=kind, profile=name, sessions_per_port_day=1.0, weekend_sessions_per_port_day=1.0)
    drawn = draw_stays(np.random.default_rng(7), profile(name), settings, start, 1, N)
    here = np.nonzero((drawn.arrive_h >= 4 - start.hour) & (drawn.arrive_h < 28 - start.hour))[0]
    return drawn.take(here)


def clock_h(drawn: StayDraws, start: datetime) -> np.ndarray:
    return drawn.arrive_h + start.hour


def test_home_arrivals_match_the_elaad_table() -> None:
    weekday = clock_h(stays("elaad-home", WEDNESDAY), WEDNESDAY)
    assert np.quantile(weekday, [0.25, 0.5, 0.75]) == pytest.approx([16.75, 18.5, 20.75], abs=0.25)
    assert np.median(clock_h(stays("elaad-home", SUNDAY), SUNDAY)) == pytest.approx(16.75, abs=0.25)


def test_home_stays_match_the_elaad_table() -> None:
    drawn = stays("elaad-home", WEDNESDAY)
    length = drawn.depart_h - drawn.arrive_h
    assert np.quantile(length, [0.1, 0.5, 0.9]) == pytest.approx([1.5, 11.0, 20.3], abs=0.7)
    assert length.mean() == pytest.approx(12.0, abs=0.9)
    clock = clock_h(drawn, WEDNESDAY)
    for hour, mean in ((8, 3.6), (12, 4.1), (17, 14.9), (20, 12.3)):
        assert length[np.abs(clock - hour) < 0.75].mean() == pytest.approx(mean, abs=1.2), hour


def test_home_energies_match_the_elaad_table() -> None:
    drawn = stays("elaad-home", WEDNESDAY)
    table = [3.3, 19.4, 51.4]
    assert np.quantile(drawn.energy_kwh, [0.1, 0.5, 0.9]) == pytest.approx(table, rel=0.12)
    assert drawn.energy_kwh.mean() == pytest.approx(24.1, rel=0.05)
    clock = clock_h(drawn, WEDNESDAY)
    for hour, mean in ((8, 14.6), (12, 15.5), (18, 24.4), (22, 29.9)):
        near = drawn.energy_kwh[np.abs(clock - hour) < 0.75]
        assert near.mean() == pytest.approx(mean, rel=0.2), hour


def test_workplace_stays_match_the_jpl_figures() -> None:
    start = WEDNESDAY.replace(hour=0)
    drawn = stays("acn-jpl", start, "workplace")
    assert np.quantile(clock_h(drawn, start), [0.25, 0.5, 0.75]) == pytest.approx([6.7, 7.35, 12.0], abs=0.6)
    assert np.median(drawn.depart_h - drawn.arrive_h) == pytest.approx(8.4, abs=0.4)
    assert np.quantile(drawn.energy_kwh, [0.5, 0.9]) == pytest.approx([11.2, 32.0], rel=0.1)
    assert drawn.energy_kwh.mean() == pytest.approx(14.3, rel=0.1)


@pytest.mark.parametrize(("name", "error_h", "excess"), [("acn-jpl", 2.1, 11.6), ("acn-caltech", 2.9, 8.5)])
def test_drivers_errors_have_the_acn_figures(name: str, error_h: float, excess: float) -> None:
    u = np.linspace(0, 1, 20_001)
    error = departure_error_h(profile(name), u)
    assert np.abs(error).mean() == pytest.approx(error_h, abs=0.3)
    assert -1.0 < np.median(error) < -0.3
    assert request_excess_kwh(profile(name), u).mean() == pytest.approx(excess, rel=0.12)


def test_energy_and_stay_share_their_rank_as_often_as_stated() -> None:
    u = np.random.default_rng(0).random((N, 3))
    length, energy = stay_and_energy(profile("acn-jpl"), np.full(N, 7.2), u)
    ranks = [np.argsort(np.argsort(x)) for x in (length, energy)]
    assert np.corrcoef(*ranks)[0, 1] == pytest.approx(0.2, abs=0.06)


def test_arrivals_keep_their_clock_on_the_day_when_clocks_change() -> None:
    spring = datetime(2026, 3, 8, 0, tzinfo=ZONE)  # 23 hours
    drawn = stays("acn-jpl", spring.replace(hour=4), "workplace")
    plain = stays("acn-jpl", datetime(2026, 3, 15, 4, tzinfo=ZONE), "workplace")
    assert np.median(drawn.arrive_h) == pytest.approx(np.median(plain.arrive_h))


def test_falling_percentiles_are_refused() -> None:
    plain = profile("acn-jpl").model_dump()
    plain["weekday_arrival_h"] = tuple(reversed(plain["weekday_arrival_h"]))
    with pytest.raises(ValueError, match="weekday_arrival_h falls"):
        BehaviourProfile.model_validate(plain)
    plain = profile("acn-jpl").model_dump()
    plain["departure_error_h"] = plain["departure_error_h"][1:]
    with pytest.raises(ValueError, match="one a probability"):
        BehaviourProfile.model_validate(plain)


@pytest.mark.skipif(not DATA.exists(), reason="the real files are not beside the project")
@pytest.mark.parametrize(("name", "file"), [("acn-jpl", "jpl"), ("acn-caltech", "caltech")])
def test_the_committed_percentiles_are_those_of_the_file(name: str, file: str) -> None:
    from ebbflow.envs.world.files import read_sessions

    table, committed = read_sessions(DATA / f"acn_sessions_{file}_2019-05.csv.gz"), profile(name)
    clock = (table.arrive_wall_s % 86_400) / 3600
    clock = np.where(clock < 4, clock + 24, clock)
    weekday = (table.arrive_wall_s // 86_400 + 6) % 7 < 5
    inner = slice(1, -1)  # the outermost are the 0.2nd and 99.8th percentile
    p = committed.probabilities[inner]
    assert np.quantile(clock[weekday], p) == pytest.approx(committed.weekday_arrival_h[inner], abs=0.03)
    stay_h = (table.depart_utc_s - table.arrive_utc_s) / 3600
    edges = [band.from_h for band in committed.bands] + [28.0]
    for band, end in zip(committed.bands, edges[1:], strict=True):
        here = (clock >= band.from_h) & (clock < end)
        assert np.quantile(stay_h[here], p) == pytest.approx(band.stay_h[inner], abs=0.05)
        assert np.quantile(table.delivered_kwh[here], p) == pytest.approx(band.energy_kwh[inner], abs=0.11)
