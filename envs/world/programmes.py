"""Payment programmes: dated rules of events that pay for reduced or exported energy, and their drawing."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from ...configs.load import load_model
from .calendar import StepTimes
from .records import Month, Pair, Part, Price, Record, Rows
from .scenario import Events, FloatArray, IntArray

MOST_EVENTS = 2  # in one episode

WindowHour = Annotated[int, Field(ge=0, le=24)]


class Duration(Part):
    """A length of event and how often it is called."""

    hours: int = Field(ge=1, le=24)
    share: float = Field(gt=0, le=1)


class Programme(Record):
    """One programme: when events may be called, with what notice, and what a kWh earns.

    Performance is baseline minus import, plus export where `pays_export`. No event is called outside the
    window, and none once the season's cap of hours is used up.
    """

    rate_usd_per_kwh: Price = Field(gt=0)
    pays_export: bool
    months: Rows[Month] = Field(min_length=1)
    days: Literal["all", "weekday"] = "all"
    window_local_hours: Pair[WindowHour]
    durations: Rows[Duration] = Field(min_length=1)
    expected_events_per_season: float = Field(gt=0)
    season_cap_hours: float = Field(gt=0)
    notice_hours: float | None = Field(default=None, ge=0, le=168)  # before the event
    day_ahead_notice_hour: float | None = Field(default=None, ge=0, le=24)  # local hour of the day before

    @field_validator("months")
    @classmethod
    def _months(cls, months: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(months)) < len(months):
            raise ValueError(f"months {list(months)} name a month twice; name each once")
        return months

    @model_validator(mode="after")
    def _consistent(self) -> Programme:
        start, end = self.window_local_hours
        if start >= end:
            raise ValueError(f"window_local_hours [{start}, {end}] end before they start; a window lies within a day")
        longest = max(duration.hours for duration in self.durations)
        if longest > end - start:
            raise ValueError(f"an event of {longest} h does not fit the window [{start}, {end}]; shorten it")
        total = sum(duration.share for duration in self.durations)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of the durations sum to {total:g}; they must sum to 1")
        if (self.notice_hours is None) == (self.day_ahead_notice_hour is None):
            raise ValueError("give notice_hours or day_ahead_notice_hour, one of the two")
        if self.event_probability > 1:
            raise ValueError(
                f"expected_events_per_season is {self.expected_events_per_season:g}, but events may be "
                f"called on {self.season_days:.0f} days; lower it"
            )
        return self

    @cached_property
    def mean_duration_h(self) -> float:
        """Mean length of an event."""
        return sum(duration.hours * duration.share for duration in self.durations)

    @cached_property
    def season_days(self) -> float:
        """Days of a season on which an event may be called, in a year without a leap day."""
        days = sum(calendar.monthrange(2023, month)[1] for month in self.months)
        return days * (5 / 7 if self.days == "weekday" else 1.0)

    @property
    def event_probability(self) -> float:
        """Chance of an event on a day on which one may be called."""
        return self.expected_events_per_season / self.season_days

    def may_call(self, day: date) -> bool:
        """Whether an event may be called on that local date."""
        return day.month in self.months and (self.days == "all" or day.weekday() < 5)

    def season_share(self, day: date) -> float:
        """Share of the season that has passed before that date, 0 to 1.

        The season starts with the first of its months after a gap, so that one over New Year is one season.
        """
        order = _season_order(self.months)
        lengths = [calendar.monthrange(day.year, month)[1] for month in order]
        if day.month not in order:
            return 0.0
        place = order.index(day.month)
        return (sum(lengths[:place]) + day.day - 1) / sum(lengths)

    def draw_events(self, rng: np.random.Generator, times: StepTimes, n_steps: int) -> Events:
        """Draw the events of one episode, at most two and at most one a day.

        The number of draws depends on the dates alone, so a stream stays aligned whatever is called. Events
        begin on the hour, inside the window and the episode; they are cut at the end of the episode and where
        the season's cap is reached.

        Args:
            rng: stream of this topic.
            times: times of at least `n_steps` steps.
            n_steps: length of the episode.

        Raises:
            ValueError: `times` is shorter than the episode.
        """
        if times.count < n_steps:
            raise ValueError(f"times hold {times.count} steps, the episode {n_steps}; give at least as many")
        if n_steps == 0:
            return Events.none()
        uniform = rng.random((len(times.dates), 3))
        used_h = _hours_used(self, rng.random(), times.dates[0])
        drawn = [_draw_call(self, u, times, index, n_steps) for index, u in enumerate(uniform)]
        calls = [call for call in drawn if call is not None]
        return _events(self, calls[:MOST_EVENTS], used_h, times.interval_minutes / 60.0)


@dataclass(frozen=True)
class _Call:
    """An event as drawn: half-open steps and the step of its notice."""

    start: int
    end: int
    notice: int


def _season_order(months: tuple[int, ...]) -> list[int]:
    ordered = sorted(months)
    first = next((m for m in ordered if (m - 2) % 12 + 1 not in ordered), ordered[0])
    return sorted(ordered, key=lambda month: (month - first) % 12)


def _hours_used(programme: Programme, u: float, day: date) -> float:
    """Hours called so far: uniform up to twice what is expected, at most the cap, in step with the season."""
    expected = programme.expected_events_per_season * programme.mean_duration_h
    return u * programme.season_share(day) * min(2.0 * expected, programme.season_cap_hours)


def _draw_call(programme: Programme, uniform: FloatArray, times: StepTimes, index: int, n_steps: int) -> _Call | None:
    if not programme.may_call(times.dates[index]) or uniform[0] >= programme.event_probability:
        return None
    shares = np.cumsum([duration.share for duration in programme.durations])
    hours = programme.durations[min(int(np.searchsorted(shares, uniform[1], side="right")), len(shares) - 1)].hours
    starts = _possible_starts(programme, times, index, hours, n_steps)
    if not len(starts):
        return None
    start = int(starts[int(uniform[2] * len(starts))])
    end = min(start + hours * 60 // times.interval_minutes, n_steps)
    return _Call(start, end, _notice_step(programme, times, start))


def _duration_h(programme: Programme, u: float) -> int:
    shares = np.cumsum([duration.share for duration in programme.durations])
    place = int(np.searchsorted(shares, u, side="right"))
    return programme.durations[min(place, len(shares) - 1)].hours


def _possible_starts(programme: Programme, times: StepTimes, index: int, hours: int, n_steps: int) -> IntArray:
    first, last = programme.window_local_hours
    hour = times.local_hour[:n_steps]
    on_the_hour = (hour % 1.0 == 0) & (times.day_index[:n_steps] == index)
    return np.flatnonzero(on_the_hour & (hour >= first) & (hour + hours <= last))


def _notice_step(programme: Programme, times: StepTimes, start: int) -> int:
    """First step at which the event is known, rounded up."""
    begin = times.time_of(start)
    if programme.day_ahead_notice_hour is None:
        assert programme.notice_hours is not None  # one of the two is given
        notice = datetime.fromtimestamp(begin.timestamp() - 3600 * programme.notice_hours, tz=begin.tzinfo)
    else:
        midnight = datetime.combine(begin.date() - timedelta(days=1), time(), tzinfo=begin.tzinfo)
        notice = midnight + timedelta(hours=programme.day_ahead_notice_hour)  # wall-clock arithmetic
    seconds = notice.timestamp() - times.start.timestamp()
    return int(-(-seconds // (60 * times.interval_minutes)))


def _events(programme: Programme, calls: Sequence[_Call], used_h: float, step_h: float) -> Events:
    """Cut the calls where the season's cap is reached; a call without a whole step left is none."""
    rows: list[tuple[int, int, int, float]] = []
    for call in calls:
        steps_left = int((programme.season_cap_hours - used_h) / step_h + 1e-9)
        end = min(call.end, call.start + steps_left)
        if end > call.start:
            rows.append((call.start, end, call.notice, used_h))
            used_h += (end - call.start) * step_h
    steps = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3)
    return Events(
        start_step=steps[:, 0],
        end_step=steps[:, 1],
        notice_step=steps[:, 2],
        rate_usd_per_kwh=np.full(len(rows), programme.rate_usd_per_kwh),
        pays_export=np.full(len(rows), programme.pays_export),
        hours_used=np.array([row[3] for row in rows], dtype=np.float64),
    )


def load_programme(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Programme:
    """The programme of that preset name, or of the user's own TOML file.

    Raises:
        ConfigError: no such preset or file, or a figure that a rule of the programme refuses.
    """
    return load_model(Programme, "programmes", name_or_path, overrides)
