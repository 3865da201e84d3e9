"""Programmes: windows, notice, frequency and season caps of the events that are drawn."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.configs.load import ConfigError, preset_names
from ebbflow.envs.world.calendar import StepTimes
from ebbflow.envs.world.programmes import Programme, load_programme
from ebbflow.envs.world.scenario import Events

PACIFIC = ZoneInfo("America/Los_Angeles")


def programme(**changes: Any) -> Programme:
    """A programme that calls an event on nearly every day it may."""
    values = {
        "name": "test",
        "title": "test",
        "effective": "2026-01-01",
        "source": "this test",
        "rate_usd_per_kwh": 2.0,
        "pays_export": True,
        "months": [5, 6, 7, 8, 9, 10],
        "window_local_hours": [16, 21],
        "durations": [{"hours": 1, "share": 0.5}, {"hours": 3, "share": 0.5}],
        "expected_events_per_season": 184.0,
        "season_cap_hours": 1_000.0,
        "day_ahead_notice_hour": 17.0,
    }
    return Programme.model_validate(values | changes)


def times_of(*day: int, interval: int = 15, hours: int = 48) -> StepTimes:
    return StepTimes(datetime(*day, tzinfo=PACIFIC), interval, hours * 60 // interval)


def draw(rules: Programme, times: StepTimes, seed: int = 0, hours: int = 24) -> Events:
    return rules.draw_events(np.random.default_rng(seed), times, hours * 60 // times.interval_minutes)


def test_the_programmes_are_dated_and_sourced() -> None:
    names = preset_names("programmes")
    assert {"elrp-a5", "elrp-a1"} <= set(names)
    for name in names:
        rules = load_programme(name)
        assert rules.name == name
        assert len(rules.source) > 20


def test_elrp_as_published() -> None:
    rules = load_programme("elrp-a5")
    assert (rules.rate_usd_per_kwh, rules.pays_export, rules.season_cap_hours) == (2.0, True, 60.0)
    assert (rules.window_local_hours, rules.months) == ((16, 21), (5, 6, 7, 8, 9, 10))
    assert rules.expected_events_per_season * rules.mean_duration_h == pytest.approx(20, abs=0.1)
    assert not load_programme("elrp-a1").pays_export


def test_notice_comes_the_day_before() -> None:
    events = draw(programme(), times_of(2026, 7, 15, 0))
    start = times_of(2026, 7, 15, 0).time_of(int(events.start_step[0]))
    assert start.hour in range(16, 21)
    assert events.notice_step[0] == -7 * 4  # 17:00 on the day before an episode from midnight


def test_notice_may_be_hours_before() -> None:
    rules = programme(day_ahead_notice_hour=None, notice_hours=2.1)
    events = draw(rules, times_of(2026, 7, 15, 0))
    assert events.notice_step[0] == events.start_step[0] - 8  # rounded up: it is known from the next step on


def test_no_event_outside_the_months_and_days() -> None:
    assert len(draw(programme(), times_of(2026, 3, 15, 0)).start_step) == 0
    weekdays = programme(days="weekday", expected_events_per_season=131.0)
    assert len(draw(weekdays, times_of(2026, 7, 18, 0)).start_step) == 0
    assert len(draw(weekdays, times_of(2026, 7, 17, 0)).start_step) == 1


def test_an_episode_that_misses_the_window_has_no_event() -> None:
    assert len(draw(programme(), times_of(2026, 7, 15, 21), hours=12).start_step) == 0


def test_an_event_is_cut_at_the_end_of_the_episode() -> None:
    rules = programme(durations=[{"hours": 5, "share": 1.0}])
    events = draw(rules, times_of(2026, 7, 15, 12), hours=6)
    assert (events.start_step.tolist(), events.end_step.tolist()) == ([16], [24])


def test_a_used_up_season_cuts_the_event_and_then_ends_it() -> None:
    long = programme(durations=[{"hours": 4, "share": 1.0}], season_cap_hours=6.0)
    times = times_of(2026, 10, 30, 0, hours=96)
    drawn = [draw(long, times, seed, hours=48) for seed in range(40)]
    assert {1, 2} <= {len(events.start_step) for events in drawn}
    for events in drawn:
        if not len(events.start_step):
            continue  # the season was used up before
        lengths = (events.end_step - events.start_step) / 4
        assert events.hours_used[0] + lengths.sum() <= 6.0 + 1e-9
        assert lengths.max() <= 4
        if len(lengths) == 2:
            assert events.hours_used[1] == pytest.approx(events.hours_used[0] + lengths[0])


def test_the_hours_used_grow_with_the_season() -> None:
    rules = load_programme("elrp-a5", ["expected_events_per_season=180.0"])

    def used(*day: int) -> np.ndarray:
        return np.concatenate([draw(rules, times_of(*day), seed).hours_used for seed in range(200)])

    assert used(2026, 5, 1, 0).max() == 0
    assert used(2026, 8, 1, 0).mean() == pytest.approx(15, abs=2)  # half of the cap, half gone on average
    assert used(2026, 8, 1, 0).max() <= 30.1
    assert used(2026, 10, 31, 0).mean() > 25


def test_a_season_over_new_year_is_one_season() -> None:
    winter = programme(months=[11, 12, 1, 2], expected_events_per_season=100.0)
    shares = [winter.season_share(date(2026, month, 1)) for month in (11, 12, 1, 2)]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert winter.season_share(date(2026, 2, 28)) > 0.98


def test_events_come_as_often_as_stated() -> None:
    rules = load_programme("elrp-a5", ["expected_events_per_season=46.0"])
    times = times_of(2026, 6, 15, 0)
    rng = np.random.default_rng(1)
    called = [len(rules.draw_events(rng, times, 96).start_step) for _ in range(2_000)]
    assert np.mean(called) == pytest.approx(46 / 184, abs=0.03)
    rare = load_programme("elrp-a5")
    assert rare.event_probability == pytest.approx(7 / 184)


def test_the_stream_stays_aligned_whatever_is_called() -> None:
    times = times_of(2026, 7, 15, 0)
    after = []
    for rules in (
        programme(),
        programme(months=[1], expected_events_per_season=10.0),
        load_programme("elrp-a5"),
    ):
        rng = np.random.default_rng(7)
        rules.draw_events(rng, times, 96)
        after.append(rng.random())
    assert after[0] == after[1] == after[2]


@given(
    seed=st.integers(0, 2**32 - 1),
    day=st.dates(date(2025, 4, 20), date(2026, 11, 10)),
    start_hour=st.integers(0, 23),
    interval=st.sampled_from([5, 15, 60]),
    hours=st.sampled_from([6, 24, 72]),
    cap=st.floats(0.5, 60),
)
def test_every_event_keeps_the_rules(
    seed: int, day: date, start_hour: int, interval: int, hours: int, cap: float
) -> None:
    rules = programme(season_cap_hours=cap)
    start = datetime(day.year, day.month, day.day, start_hour, tzinfo=PACIFIC)
    times = StepTimes(start, interval, (hours + 24) * 60 // interval)
    n_steps = hours * 60 // interval
    events = rules.draw_events(np.random.default_rng(seed), times, n_steps)
    assert len(events.start_step) <= 2
    assert (events.start_step < events.end_step).all()
    assert (events.end_step <= n_steps).all()
    assert (events.notice_step < events.start_step).all()
    assert (events.start_step[1:] >= events.end_step[:-1]).all()
    for first, end, used in zip(events.start_step, events.end_step, events.hours_used, strict=True):
        assert times.month[first] in rules.months
        assert times.in_window(16, 21)[first:end].all()
        assert used + (end - first) * interval / 60 <= cap + 1e-6
    assert (events.rate_usd_per_kwh == 2.0).all()
    assert events.pays_export.all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"window_local_hours": [21, 16]}, "end before they start"),
        ({"durations": [{"hours": 6, "share": 1.0}]}, "6 h does not fit the window"),
        ({"durations": [{"hours": 1, "share": 0.7}]}, "sum to 0.7; they must sum to 1"),
        ({"notice_hours": 2.0}, "one of the two"),
        ({"day_ahead_notice_hour": None}, "one of the two"),
        ({"expected_events_per_season": 200.0}, "called on 184 days"),
        ({"months": [5, 5]}, "name a month twice"),
        ({"months": [13]}, "less than or equal to 12"),
        ({"rate_usd_per_kwh": 2_000.0}, r"looks like cents or \$/MWh"),
        ({"rate_usd_per_kwh": 0.0}, "greater than 0"),
        ({"baseline": "10 of 10"}, "Extra inputs are not permitted"),
    ],
)
def test_an_inconsistent_programme_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        programme(**changes)


def test_too_few_times_are_refused() -> None:
    with pytest.raises(ValueError, match="times hold 96 steps, the episode 97"):
        programme().draw_events(np.random.default_rng(0), times_of(2026, 7, 15, 0, hours=24), 97)


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'elrp-a5'"):
        load_programme("elrp-a-5")
