"""What days must have in common to share a bank, and what the simulator takes for granted of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from .scenario import Scenario, Stays

COMMON = ("interval_minutes", "n_steps", "money", "peaker_window_local_hours")
FLEET = ("port_site", "site_feeder", "site_tariff")


def check_days(scenarios: Sequence[Scenario]) -> None:
    """Check days before they are packed.

    Raises:
        ValueError: no day; days of another fleet, time grid or money; stays that are unsorted, overlap on a port or
            cover no step; a carbon price without emission data.
    """
    if not scenarios:
        raise ValueError("0 scenarios given; a bank needs at least one day")
    first = scenarios[0]
    series = [f.name for f in fields(first) if isinstance(getattr(first, f.name), np.ndarray)]
    for day, scenario in enumerate(scenarios):
        _check_alike(day, scenario, first, series)
        _check_stays(day, scenario.stays)
        _check_emissions(day, scenario)


def _check_alike(day: int, scenario: Scenario, first: Scenario, series: Sequence[str]) -> None:
    rule = "a bank holds days of one fleet and one time grid"
    for name in COMMON:
        mine, theirs = getattr(scenario, name), getattr(first, name)
        if mine != theirs:
            raise ValueError(f"day {day} has {name} {mine!r}, day 0 has {theirs!r}; {rule}")
    for name in FLEET:
        if not np.array_equal(getattr(scenario, name), getattr(first, name)):
            raise ValueError(f"day {day} has another {name} than day 0; {rule}")
    for name in series:
        shape, other = getattr(scenario, name).shape, getattr(first, name).shape
        if shape != other:
            raise ValueError(f"day {day} has {name} of shape {shape}, day 0 of shape {other}; {rule}")


def _check_stays(day: int, stays: Stays) -> None:
    follows = np.diff(stays.port) == 0
    if np.any(np.diff(stays.port) < 0) or np.any(np.diff(stays.arrive_step)[follows] < 0):
        raise ValueError(f"the stays of day {day} are not sorted by port and arrival; sort them before packing")
    empty = np.flatnonzero(stays.depart_step <= stays.arrive_step)
    if len(empty):
        row = int(empty[0])
        raise ValueError(
            f"stay {row} of day {day} arrives at step {stays.arrive_step[row]} and departs at step "
            f"{stays.depart_step[row]}; a stay covers at least one whole step, leave the others out"
        )
    overlaps = np.flatnonzero(follows & (stays.arrive_step[1:] < stays.depart_step[:-1]))
    if len(overlaps):
        row = int(overlaps[0])
        raise ValueError(
            f"stays {row} and {row + 1} of day {day} overlap on port {stays.port[row]}: the second arrives at step "
            f"{stays.arrive_step[row + 1]}, the first departs at step {stays.depart_step[row]}; a port holds one car"
        )


def _check_emissions(day: int, scenario: Scenario) -> None:
    price = scenario.money.carbon_usd_per_kg
    if price != 0.0 and np.isnan(scenario.emissions_kg_per_kwh[: scenario.n_steps]).any():
        raise ValueError(
            f"day {day} has no emission data for every step, but carbon_usd_per_kg is {price:g}; "
            "give emissions or set it to 0"
        )
