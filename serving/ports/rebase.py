"""A site's state as it is at the start of a cycle, where it was told at another moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from ..messages.columns import RequestError, numbers
from ..messages.fields import ARRIVAL_FIELDS, FEEDER_SERIES, PORT_FIELDS, PRICE_SERIES, SITE_SERIES

Array = Any

AGED = {"soc": "soc_age_s", "power_kw": "power_age_s"}
"""Readings and the columns of their ages, which count as 0 where nothing is said."""

SEEN = ("plugged_age_s", "last_setpoint_age_s")
"""Ages that mean something else than 0 where nothing is said."""

AHEAD = {"ports": ("departs_in_s", "override_for_s"), "events": ("start_in_s", "end_in_s")}
SERIES = {"sites": SITE_SERIES, "feeders": FEEDER_SERIES, "prices": PRICE_SERIES}
HELD = ("sites", "feeders")
"""Tables whose series go on with their last number; of a price beyond the last one nothing is known."""

HOUR_S = 3600


def rebased(
    document: Mapping[str, Any], as_of: datetime, start: datetime, interval_s: int, now_s: float
) -> dict[str, Any]:
    """The document with ages and times from `start` on, which was true at `as_of`.

    A reading that was taken after `start`, but before now, is as old as the cycle: 0. Where the document itself comes
    from the future, one of two clocks is wrong: its readings get negative ages, which no gate trusts, and all else
    counts from now.

    Args:
        document: tables of a request.
        as_of: when it was true.
        start: of the cycle.
        interval_s: of the cycle; series have one number an interval.
        now_s: the reader's clock, Unix seconds.

    Raises:
        RequestError: a column that has to be moved is no column of numbers.
    """
    moved_s = start.timestamp() - as_of.timestamp()
    ahead_s, moved_s = (-moved_s, 0.0) if as_of.timestamp() > now_s else (0.0, moved_s)
    steps = int(start.timestamp() // interval_s - as_of.timestamp() // interval_s)
    made = {name: dict(table) if isinstance(table, Mapping) else table for name, table in document.items()}
    tables = {name: table for name, table in made.items() if isinstance(table, dict)}
    if "ports" in tables:
        _age(tables["ports"], moved_s, ahead_s)
    for name, columns in AHEAD.items():
        for column in columns:
            if tables.get(name, {}).get(column) is not None:
                tables[name][column] = numbers(tables[name][column], f"{name}.{column}") - moved_s
    _arrive(tables.get("arrivals", {}), moved_s)
    for name, fields in SERIES.items():
        _shift(tables.get(name, {}), fields, steps, name in HELD)
    _shift_flat(tables.get("emissions", {}), steps)
    _publish(tables.get("prices", {}), moved_s, steps)
    return made


def _age(ports: dict[str, Any], moved_s: float, ahead_s: float) -> None:
    for reading, name in AGED.items():
        if ports.get(reading) is not None:
            told = numbers(ports[reading], f"ports.{reading}")
            age = numbers(ports[name], f"ports.{name}") if ports.get(name) is not None else np.zeros(len(told))
            ports[name] = _older(np.nan_to_num(age, nan=PORT_FIELDS[name].default or 0.0), moved_s) - ahead_s
    for name in SEEN:
        if ports.get(name) is not None:
            ports[name] = _older(numbers(ports[name], f"ports.{name}"), moved_s)
    if ports.get("plugged_age_s") is None and isinstance(ports.get("plugged"), list | np.ndarray):
        # The plug is as old as the youngest reading of its row, and as the message where a row has none to go by.
        blank = np.ones(len(ports["plugged"]), bool)
        for reading in AGED:
            if ports.get(reading) is not None and not ahead_s:
                blank &= np.isnan(numbers(ports[reading], f"ports.{reading}", len(blank)))
        ports["plugged_age_s"] = np.where(blank, _older(np.zeros(len(blank)), moved_s), np.nan)


def _older(age_s: Array, moved_s: float) -> Array:
    """Ages from the start of the cycle on; NaN stays NaN, and what was of the future stays so."""
    return np.where(age_s >= 0.0, np.maximum(age_s + moved_s, 0.0), age_s)


def _arrive(arrivals: dict[str, Any], moved_s: float) -> None:
    """Expected arrivals by hours from now; those that have passed are dropped."""
    hours = int(moved_s // HOUR_S)
    if hours <= 0 or not all(arrivals.get(name) is not None for name in ("site", *ARRIVAL_FIELDS)):
        return
    columns = {name: numbers(arrivals[name], f"arrivals.{name}") for name in ARRIVAL_FIELDS}
    keep = columns["arrive_h"] >= hours
    for name in ("arrive_h", "depart_h"):
        columns[name] = columns[name] - hours
    arrivals.update({name: column[keep] for name, column in columns.items()})
    arrivals["site"] = [site for site, kept in zip(arrivals["site"], keep.tolist(), strict=True) if kept]


def _shift(table: dict[str, Any], names: Any, steps: int, hold: bool) -> None:
    for name in names:
        if table.get(name) is not None and steps > 0:
            rows = table[name]
            if not isinstance(rows, list | np.ndarray):
                raise RequestError(name, "should be a list of series, one a row")
            table[name] = [_later(row, steps, hold) for row in rows]


def _later(row: Any, steps: int, hold: bool) -> Any:
    if not isinstance(row, list | np.ndarray) or not len(row):
        return row
    return row[steps:] if len(row) > steps else [row[-1] if hold else None]


def _shift_flat(table: dict[str, Any], steps: int) -> None:
    if table.get("kg_per_kwh") is not None and steps > 0:
        table["kg_per_kwh"] = table["kg_per_kwh"][steps:]


def _publish(prices: dict[str, Any], moved_s: float, steps: int) -> None:
    if type(prices.get("published_age_s")) in (int, float):
        prices["published_age_s"] = max(prices["published_age_s"] + moved_s, 0.0)
    if type(prices.get("known_steps")) is int:
        prices["known_steps"] = max(prices["known_steps"] - max(steps, 0), 0)
