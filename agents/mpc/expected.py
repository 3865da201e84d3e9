"""Cars that are still to come, as stays of a planning problem: the expected arrivals of other days, in few blocks.

The table of expected arrivals holds kWh by hour of arrival and of departure. Blocks of some hours become one stay
each, from the mean arrival to the mean departure of its energy. Meters with one port each are taken together: which
of them a car comes to is unknown, and behind a meter of its own only the feeder's limit and the prices matter.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.encoding.later import EFFICIENCY
from ...envs.snapshot import Snapshot
from ..planning.problem import PlanStays

Array = NDArray[Any]

PACE = 3.0
"""How many times its mean power a block may draw: its cars come and go within it."""

LEAST_KW = 7.0
"""Nor is it slower than one usual home charger."""

MOST_BLOCKS = 1024
"""More than there are hours in a table of arrivals."""

LEAST_KWH = 0.05
"""A block with less is left out."""

UNSERVED_SHARE = 0.5
"""Of the price of missing energy: a car that may come never takes from one that is here."""


@dataclass(frozen=True)
class Arrivals:
    """How expected arrivals enter a plan.

    Args:
        factor: how many times the expected energy is planned for; 0 plans without.
        block_h: hours of arrival, and of departure, that are taken together.
    """

    factor: float = 1.25
    block_h: int = 2

    def __post_init__(self) -> None:
        if not self.factor >= 0.0:
            raise ValueError(f"arrivals factor is {self.factor}; give 0 or more, 1 plans for what is expected")
        if self.block_h < 1:
            raise ValueError(f"arrivals block_h is {self.block_h}; give 1 hour or more")


class Groups(NamedTuple):
    """Sites whose expected arrivals are taken together, `G` groups."""

    members: Array  # (G, S) 1 where the site belongs to the group
    site: Array  # (G,) the site itself, or one of the group
    pooled: Array  # (G,) whether they stand for several meters


def groups_of(snapshot: Snapshot) -> Groups:
    """A site with several ports is its own group, the others are pooled by feeder and tariff."""
    sites = snapshot.sites
    count = len(sites.feeder)
    alone = np.bincount(snapshot.port_site, minlength=count) > 1
    key = np.stack([np.asarray(sites.feeder), np.asarray(sites.tariff), np.where(alone, np.arange(count), -1)])
    _, first, group = np.unique(key, axis=1, return_index=True, return_inverse=True)
    members = (np.arange(len(first))[:, None] == group.reshape(-1)).astype(float)
    return Groups(members, first, ~alone[first])


class Blocks(NamedTuple):
    """Expected stays, `K` of them."""

    number: Array  # (K,) the same block has the same number in every step
    group: Array  # (K,)
    from_step: Array  # (K,)
    to_step: Array  # (K,)
    battery_kwh: Array  # (K,)


def expected_blocks(snapshot: Snapshot, world: int, steps: int, groups: Groups, arrivals: Arrivals) -> Blocks:
    """The expected stays within the next `steps`, of their energy the share that is due within them."""
    sites = snapshot.sites
    table = np.asarray(sites.expected_arrivals_kwh, float)[int(sites.arrivals_row[world])]
    hour = int(sites.arrivals_hour[world])
    if arrivals.factor == 0 or hour >= table.shape[1]:
        nothing = np.zeros(0, np.int64)
        return Blocks(nothing, nothing, nothing, nothing, np.zeros(0))
    per_hour = round(1.0 / snapshot.step_h)
    passed = int(snapshot.context.seconds_of_day[world]) % 3600 // round(3600 * snapshot.step_h)
    came, leaves = np.arange(hour, table.shape[1]), np.arange(hour, table.shape[2])
    # A home whose car is here waits for no other.
    taken = np.bincount(snapshot.port_site, snapshot.ports.plugged[world], len(sites.feeder)) > 0
    waiting = np.where(groups.pooled[:, None], groups.members * ~taken, groups.members)
    kwh = np.tensordot(waiting, table[:, hour:, hour:], 1) * arrivals.factor
    # Of the running hour only what is left of it, and nobody leaves before it has come.
    kwh[:, 0] *= 1.0 - passed / per_hour
    arrive = (came - hour + 0.5) * per_hour - passed
    arrive[0] = 0.5 * (per_hour - passed)
    depart = (leaves - hour + 0.5) * per_hour - passed
    depart[-1] = max(steps, depart[-1])  # the last hour holds all later departures
    kwh *= leaves > came[:, None]
    return _in_blocks(kwh, arrive, depart, came // arrivals.block_h, leaves // arrivals.block_h, steps)


def _in_blocks(kwh: Array, arrive: Array, depart: Array, rows: Array, columns: Array, steps: int) -> Blocks:
    """Sum `kwh` (G, A, D) over blocks of rows and columns; times are the means by energy."""
    by_row = (np.arange(rows[0], rows[-1] + 1)[:, None] == rows).astype(float)
    by_column = (np.arange(columns[0], columns[-1] + 1)[:, None] == columns).astype(float)

    def total(values: Array) -> Array:
        return np.asarray(by_row @ values @ by_column.T)

    energy = total(kwh)
    group, i, j = np.nonzero(energy > LEAST_KWH)
    held = energy[group, i, j]
    begin = total(kwh * arrive[:, None])[group, i, j] / held
    end = total(kwh * depart)[group, i, j] / held
    begin = np.maximum(np.rint(begin).astype(np.int64), 1)
    end = np.maximum(np.rint(end).astype(np.int64), begin + 1)
    inside = np.clip((steps - begin) / (end - begin), 0.0, 1.0)
    kept = begin < steps
    number = (group * MOST_BLOCKS + rows[0] + i) * MOST_BLOCKS + columns[0] + j
    return Blocks(number[kept], group[kept], begin[kept], np.minimum(end, steps)[kept], (held * inside)[kept])


def expected_stays(
    blocks: Blocks, site: Array, first_port: int, step_h: float, unserved_usd_per_kwh: float
) -> PlanStays:
    """The blocks as stays of one-way cars that start empty and know no taper.

    Args:
        blocks: the expected stays.
        site: `(G,)` the meter of each group.
        first_port: a number above every port, to tell the blocks apart.
        step_h: length of a step.
        unserved_usd_per_kwh: what missing energy costs a car that is here.
    """
    kwh, count = blocks.battery_kwh, len(blocks.group)
    nothing, ones = np.zeros(count), np.ones(count)
    power = np.maximum(PACE * kwh / (EFFICIENCY * step_h * (blocks.to_step - blocks.from_step)), LEAST_KW)
    return PlanStays(
        port=first_port + blocks.number,
        site=site[blocks.group],
        from_step=blocks.from_step,
        to_step=blocks.to_step,
        start_kwh=nothing,
        top_kwh=kwh,
        export_floor_kwh=nothing,
        capacity_kwh=4.0 * kwh,  # so large that the taper above half of it is never met
        taper_soc=0.5 * ones,
        battery_accept_kw=power,
        max_charge_kw=power,
        max_discharge_kw=nothing,
        min_charge_kw=nothing,
        charge_efficiency=EFFICIENCY * ones,
        discharge_efficiency=ones,
        fixed_loss_kw=nothing,
        needed_kwh=kwh,
        unserved_usd_per_kwh=UNSERVED_SHARE * unserved_usd_per_kwh * ones,
        early_h=nothing,
        early_usd_per_kwh=nothing,
        end_usd_per_kwh=nothing,
        end_from_kwh=nothing,
        end_to_kwh=nothing,
        at_once_kwh=nothing,
        at_once_kw=nothing,
    )


def joined(one: PlanStays, other: PlanStays) -> PlanStays:
    """The stays of both."""
    return PlanStays(
        **{f.name: np.concatenate([getattr(one, f.name), getattr(other, f.name)]) for f in fields(PlanStays)}
    )
