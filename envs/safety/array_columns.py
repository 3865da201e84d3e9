"""The look-ahead of sites that no feeder ties together, in NumPy: a column a site, a row a car; see `array_plan.fill`.

A step of it is a few operations on whole tables: no car is looked up by its site, and none is picked out or put back,
since those that stay longest stand first and the ones that a step can still serve are the first rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .array_column_levels import cut_columns
from .tolerances import TOLERANCE

MOST_PADDING = 3
"""How many times as large as the row of cars the table may be, for sites of unlike sizes, ..."""

FREE_PADDING = 2000
"""... where it has more places than this."""


class Table(NamedTuple):
    """Columns of `array_plan.Cars` as (M, G); where a site has no more cars nothing is needed and nobody stays."""

    left: Any
    need: Any
    power: Any
    bend: Any
    now: Any  # steps of full power that this step and those before it have to give


class Taper(NamedTuple):
    """The cars that end in their taper: their places in the flat table, rising, and their curves."""

    places: Any
    bend: Any
    base: Any
    span: Any
    rate: Any


def fits_columns(site: Any, sites: int) -> bool:
    """Whether the cars (K,) of `sites` sites make a table without much room for nobody."""
    places = int(np.bincount(site, minlength=sites).max()) * sites
    return places <= max(MOST_PADDING * len(site), FREE_PADDING)


def fill_columns(cars: Any, room: Any, now: Any, last: int) -> Any:
    """Reverse-time level filling from step `last` on: what this step must give, in steps of full power (K,).

    Args:
        cars: `array_plan.Cars`.
        room: kW of each site and step (G, H).
        now: steps of full power (K,) that have to be given until step `last`.
        last: the last step in which not all fit.
    """
    place = _places(cars, room.shape[0])
    table, taper = _tables(cars, now, place, room.shape[0])
    # How many rows hold a car that stays beyond each step, and how many places of tapering cars lie in them.
    rows = np.searchsorted(-table.left.max(1), -np.arange(last + 1)).tolist()
    ends = np.searchsorted(taper.places, np.array(rows) * room.shape[0]).tolist()
    level = np.zeros(room.shape[0])
    for h in range(last, 0, -1):
        if rows[h]:
            _step(Table(*(column[: rows[h]] for column in table)), taper, ends[h], h, room[:, h], level)
    return table.now.reshape(-1)[place]


def _step(part: Table, taper: Taper, tapering: int, h: int, room: Any, level: Any) -> None:
    """What step `h` serves taken off `part.now`, in place; `level` (G,) follows."""
    had = part.now
    share = np.minimum(had, 1.0)
    np.multiply(share, part.left > h, out=share)
    draw = _draw(part, taper, tapering, share)
    load = np.add.reduce(draw * share)
    if (load > room + TOLERANCE).any():
        share = cut_columns(had, share, draw, load, room, level)
    np.subtract(had, share, out=had)
    np.maximum(had, 0.0, out=had)


def _draw(part: Table, taper: Taper, tapering: int, share: Any) -> Any:
    """`array_plan.power_at`; the exponential for cars alone that end in their taper."""
    if not tapering:
        return part.power
    draw, places, bend = part.power.copy(), taper.places[:tapering], taper.bend[:tapering]
    missing = (part.need - part.now + share).take(places)
    tapered = np.exp(-np.maximum(taper.rate[:tapering] * (bend - missing), 0.0))
    tapered = taper.base[:tapering] + taper.span[:tapering] * tapered
    full = draw.take(places)
    draw.put(places, np.where(missing >= bend, full, tapered))
    return draw


def _places(cars: Any, sites: int) -> Any:
    """The place of each car (K,) in the flat table: its rank by stay within its site, then its site."""
    order = np.lexsort((-cars.left, cars.site))
    counts = np.bincount(cars.site, minlength=sites)
    site = cars.site[order]
    place = np.empty_like(order)
    place[order] = (np.arange(len(order)) - (counts.cumsum() - counts)[site]) * sites + site
    return place


def _tables(cars: Any, now: Any, place: Any, sites: int) -> tuple[Table, Taper]:
    rows = int(place.max()) // sites + 1

    def column(values: Any) -> Any:
        made = np.zeros(rows * sites, values.dtype)
        made[place] = values
        return made

    flat = Table(*map(column, (cars.left, cars.need, cars.power, cars.bend, now)))
    tapering = np.flatnonzero(flat.bend > 0.0)
    base, rate = column(cars.base)[tapering], column(cars.rate)[tapering]
    taper = Taper(tapering, flat.bend[tapering], base, flat.power[tapering] - base, rate)
    return Table(*(values.reshape(rows, sites) for values in flat)), taper
