"""When cars come and go and what they need: stays drawn from stated percentiles.

A profile (`configs/presets/behaviour/*.toml`) holds percentiles of the arrival clock and, by hour of
arrival, of stay and energy. A draw is one uniform number per quantity, sent through the straight lines
between the percentiles. Stay and energy share their uniform number with probability
`stay_energy_rank_correlation`, which makes just that their rank correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field, Strict, model_validator

from .scenario import FloatArray, IntArray
from .settings import BehaviourSettings, Section, Share

Percentiles = Annotated[tuple[float, ...], Strict(False)]
DAY_BEGINS_H = 4  # a behavioural day runs from 4:00 to 28:00, past the hour at which clocks change


class Band(Section):
    """Percentiles of the stays that begin from this hour to the next band's."""

    from_h: Annotated[float, Field(ge=DAY_BEGINS_H, lt=DAY_BEGINS_H + 24)]
    stay_h: Percentiles
    energy_kwh: Percentiles


class BehaviourProfile(Section):
    """Percentiles of arrivals, stays, energies and of what drivers get wrong.

    Raises:
        ValueError: a list is not as long as `probabilities`, falls, or the first band does not begin at 4:00.
    """

    name: str
    source: str
    probabilities: Percentiles
    weekday_arrival_h: Percentiles
    weekend_arrival_h: Percentiles
    stay_energy_rank_correlation: Share
    departure_error_h: Percentiles  # said minus true
    request_excess_kwh: Percentiles  # asked minus needed
    claimed_share: Share
    bands: Annotated[tuple[Band, ...], Strict(False), Field(min_length=1)]

    @model_validator(mode="after")
    def _rising(self) -> Self:
        lists = {name: getattr(self, name) for name in ("weekday_arrival_h", "weekend_arrival_h")}
        lists |= {name: getattr(self, name) for name in ("departure_error_h", "request_excess_kwh")}
        for i, band in enumerate(self.bands):
            lists |= {f"bands.{i}.stay_h": band.stay_h, f"bands.{i}.energy_kwh": band.energy_kwh}
        for name, values in lists.items():
            if len(values) != len(self.probabilities):
                raise ValueError(f"{name} has {len(values)} values; give {len(self.probabilities)}, one a probability")
            if list(values) != sorted(values):
                raise ValueError(f"{name} falls somewhere; percentiles must rise")
        if self.bands[0].from_h != DAY_BEGINS_H:
            raise ValueError(f"bands.0.from_h is {self.bands[0].from_h}; the first band begins at {DAY_BEGINS_H}")
        return self


@dataclass(frozen=True)
class StayDraws:
    """Drawn stays before the grid, one row each: hours since the episode's start, energy at the battery."""

    port: IntArray  # -1 where any free port will do
    arrive_h: FloatArray
    depart_h: FloatArray
    energy_kwh: FloatArray
    vehicle_rank: FloatArray  # a uniform number that picks the car; one per port at homes
    driver: FloatArray  # (J, 6) uniform numbers for what else a driver is and says

    def take(self, rows: IntArray) -> StayDraws:
        """The rows of these indices, in their order."""
        fields = {name: value[rows] for name, value in vars(self).items()}
        return StayDraws(**fields)


N_DRIVER_DRAWS = 6


def draw_stays(
    rng: np.random.Generator,
    profile: BehaviourProfile,
    behaviour: BehaviourSettings,
    start: datetime,
    days: int,
    ports: int,
) -> StayDraws:
    """Stays that begin from the day before `start` to the end of the episode, sorted by arrival.

    Every port draws for every date as many numbers as any other, so that one stay more moves no other.
    """
    zone = start.tzinfo
    assert isinstance(zone, ZoneInfo)
    dates = [start.date() + timedelta(days=d) for d in range(-1, days + (start.hour > 0))]
    rates = [
        behaviour.weekend_sessions_per_port_day if d.weekday() >= 5 else behaviour.sessions_per_port_day for d in dates
    ]
    most = int(np.ceil(max(behaviour.weekend_sessions_per_port_day, behaviour.sessions_per_port_day)))
    u = rng.random((len(dates), most, ports, 6 + N_DRIVER_DRAWS))
    chance = np.clip(np.array(rates)[:, None, None] - np.arange(most)[:, None], 0.0, 1.0)
    day, _, port = where = np.nonzero(u[..., 0] < chance)
    u = u[where]
    weekend = np.array([d.weekday() >= 5 for d in dates])[day]
    clock_h = arrival_clock_h(profile, u[:, 1], weekend)
    stay_h, energy_kwh = stay_and_energy(profile, clock_h, u[:, 2:5])
    base_h = np.array([_four_o_clock(d, zone) - start.timestamp() for d in dates])[day] / 3600
    arrive_h = base_h + clock_h - DAY_BEGINS_H
    order = np.argsort(arrive_h, kind="stable")
    draws = StayDraws(port, arrive_h, arrive_h + stay_h, energy_kwh, u[:, 5], u[:, 6:])
    return draws.take(order)


def arrival_clock_h(profile: BehaviourProfile, u: FloatArray, weekend: np.ndarray) -> FloatArray:
    """Arrival on the wall clock, 4 to 28, of uniform numbers."""
    weekday_h = np.interp(u, profile.probabilities, profile.weekday_arrival_h)
    weekend_h = np.interp(u, profile.probabilities, profile.weekend_arrival_h)
    return np.where(weekend, weekend_h, weekday_h)


def stay_and_energy(profile: BehaviourProfile, clock_h: FloatArray, u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Length and energy of stays that begin at `clock_h`, of `(J, 3)` uniform numbers."""
    starts = [band.from_h for band in profile.bands]
    band = np.searchsorted(starts, clock_h, side="right") - 1
    band = np.maximum(band, 0)
    u_energy = np.where(u[:, 2] < profile.stay_energy_rank_correlation, u[:, 0], u[:, 1])
    stay_table, energy_table = _tables(profile)
    return _look_up(profile, stay_table, band, u[:, 0]), _look_up(profile, energy_table, band, u_energy)


@lru_cache(maxsize=16)
def _tables(profile: BehaviourProfile) -> tuple[FloatArray, FloatArray]:
    stay = np.array([band.stay_h for band in profile.bands])
    energy = np.array([band.energy_kwh for band in profile.bands])
    return stay, energy


def _look_up(profile: BehaviourProfile, table: FloatArray, row: IntArray, u: FloatArray) -> FloatArray:
    """Straight lines between a row's percentiles."""
    p = np.asarray(profile.probabilities)
    i = np.clip(np.searchsorted(p, u, side="right") - 1, 0, len(p) - 2)
    weight = (u - p[i]) / (p[i + 1] - p[i])
    mixed: FloatArray = (1 - weight) * table[row, i] + weight * table[row, i + 1]
    return mixed


@lru_cache(maxsize=4096)
def _four_o_clock(day: date, zone: ZoneInfo) -> float:
    return datetime(day.year, day.month, day.day, DAY_BEGINS_H, tzinfo=zone).timestamp()


def departure_error_h(profile: BehaviourProfile, u: FloatArray) -> FloatArray:
    """Said minus true departure of uniform numbers."""
    return np.interp(u, profile.probabilities, profile.departure_error_h)


def request_excess_kwh(profile: BehaviourProfile, u: FloatArray) -> FloatArray:
    """Asked minus needed energy of uniform numbers."""
    return np.interp(u, profile.probabilities, profile.request_excess_kwh)
