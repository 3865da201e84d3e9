"""Reading a request: each table once, in columns.

Whatever makes a message unreadable is refused as a whole; a number that cannot be true is its row's fault and left to
the gates, so that one bad car costs one car.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from . import fields as f
from .columns import (
    Column,
    RequestError,
    flags,
    ids,
    number,
    numbers,
    references,
    refuse_unknown,
    section,
    series,
    texts,
    words,
)
from .request import SCHEMA, SECTIONS, Arrivals, DispatchRequest, Events, Feeders, Ports, Prices, Sites
from .vocabulary import Override

Array = Any

INTERVALS_S = (300, 900, 3600)
OUTLOOK_H = 48
"""Longest series of a request, hours."""

_KEYS = ("schema", "fleet", "cycle_start", "interval_s", "wear_usd_per_kwh", *SECTIONS)


def parse_request(document: Any) -> DispatchRequest:
    """Read a request.

    Args:
        document: the table of contracts 7 as plain values; columns may also be NumPy arrays (an Arrow body).

    Raises:
        RequestError: it cannot be read; names the column, and repeats nothing of what was sent.
    """
    if not isinstance(document, Mapping):
        raise RequestError("the message", "should be a table")
    refuse_unknown(document, _KEYS)
    if document.get("schema", SCHEMA) != SCHEMA:
        raise RequestError("schema", f"is not one this service reads; it reads {SCHEMA}")
    start, interval_s = _cycle_start(document), _interval(document)
    steps = OUTLOOK_H * 3600 // interval_s
    tables = {name: section(document, name, getattr(f, key), required) for name, key, required in _TABLES}
    prices = _prices(tables["prices"], steps)
    feeders = _feeders(tables["feeders"], steps)
    sites = _sites(tables["sites"], steps, feeders, prices)
    return DispatchRequest(
        fleet=_fleet(document),
        cycle_start=start,
        interval_s=interval_s,
        ports=_ports(tables["ports"], sites),
        sites=sites,
        feeders=feeders,
        prices=prices,
        events=_events(tables["events"]),
        arrivals=_arrivals(tables["arrivals"], sites),
        emissions_kg_per_kwh=_emissions(document, steps),
        wear_usd_per_kwh=number(document.get("wear_usd_per_kwh", 0.02), "wear_usd_per_kwh", 0.0, 10.0),
    )


_TABLES = (
    ("ports", "PORT_KEYS", True), ("sites", "SITE_KEYS", False), ("feeders", "FEEDER_KEYS", False),
    ("prices", "PRICE_KEYS", False), ("events", "EVENT_KEYS", False), ("arrivals", "ARRIVAL_KEYS", False),
)  # fmt: skip


def _fleet(document: Mapping[str, Any]) -> str:
    fleet = document.get("fleet")
    if not isinstance(fleet, str) or not re.fullmatch(f.FLEET, fleet):
        raise RequestError("fleet", "should be 1 to 64 letters, digits, dots, dashes or underscores")
    return fleet


def _cycle_start(document: Mapping[str, Any]) -> datetime:
    text = document.get("cycle_start")
    why = "should be an RFC 3339 time with an offset, whole seconds, e.g. 2026-07-15T18:00:00-07:00"
    try:
        start = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        raise RequestError("cycle_start", why) from None
    if start.tzinfo is None or start.microsecond or not 2000 <= start.year <= 9000:
        raise RequestError("cycle_start", why)
    return start


def _interval(document: Mapping[str, Any]) -> int:
    interval = document.get("interval_s")
    if type(interval) is not int or interval not in INTERVALS_S:
        raise RequestError("interval_s", f"should be one of {', '.join(map(str, INTERVALS_S))}")
    return interval


def _ports(table: Mapping[str, Any], sites: Sites) -> Ports:
    names = ids(table.get("id"), "ports.id")
    n = len(names)
    if not n:
        raise RequestError("ports.id", "is empty; name at least one port")
    alone = [str(sites.id[0])] * n if len(sites.id) == 1 else None
    return Ports(
        id=names,
        car=texts(table["car"], "ports.car", n) if table.get("car") is not None else np.zeros(n, "<U1"),
        site=references(table.get("site") or alone, "ports.site", sites.id, n),
        plugged=flags(table.get("plugged"), "ports.plugged", n),
        export_consent=_said(flags, table, "export_consent", n),
        override=_said(words, table, "override", n, Override.words()),
        **{name: _column(table, "ports", name, field, n) for name, field in f.PORT_FIELDS.items()},
    )


def _said(read: Callable[..., Array], table: Mapping[str, Any], name: str, n: int, *more: Any) -> Array:
    """A column of flags or words; where there is none, no everywhere."""
    return read(table[name], f"ports.{name}", n, *more) if name in table else np.zeros(n, np.int8)


def _sites(table: Mapping[str, Any], steps: int, feeders: Feeders, prices: Prices) -> Sites:
    names = ids(table.get("id", ["site"]), "sites.id")
    s = len(names)
    if not s:
        raise RequestError("sites.id", "is empty; name at least one site, or leave the table out")
    columns = {
        name: _sound(_column(table, "sites", name, x, s), x, f"sites.{name}") for name, x in f.SITE_FIELDS.items()
    }
    return Sites(
        id=names,
        feeder=_reference(table, "feeder", feeders.id, s),
        tariff=_reference(table, "tariff", prices.tariff, s),
        **columns,
        **{name: _series(table, "sites", name, x, s, steps) for name, x in f.SITE_SERIES.items()},
    )


def _feeders(table: Mapping[str, Any], steps: int) -> Feeders:
    names = ids(table.get("id", ["feeder"]), "feeders.id")
    n = len(names)
    if not n:
        raise RequestError("feeders.id", "is empty; name at least one feeder, or leave the table out")
    field = f.FEEDER_FIELDS["net_load_kw"]
    return Feeders(
        id=names,
        net_load_kw=_sound(_column(table, "feeders", "net_load_kw", field, n), field, "feeders.net_load_kw"),
        **{name: _series(table, "feeders", name, x, n, steps) for name, x in f.FEEDER_SERIES.items()},
    )


def _reference(table: Mapping[str, Any], name: str, names: Array, rows: int) -> Array:
    value = table.get(name)
    if value is None and len(names) == 1:
        return np.zeros(rows, np.int64)
    return references(value, f"sites.{name}", names, rows)


def _prices(table: Mapping[str, Any], steps: int) -> Prices:
    names = ids(table.get("tariff", ["tariff"]), "prices.tariff")
    if not len(names):
        raise RequestError("prices.tariff", "is empty; name at least one tariff, or leave the table out")
    both = {}
    for name, field in f.PRICE_SERIES.items():
        value = table.get(name, [[None]] * len(names))
        read = series(value, f"prices.{name}", len(names), steps, hold=False)
        both[name] = np.where((read >= field.low) & (read <= field.high), read, np.nan)
    width = max(both["import_usd_per_kwh"].shape[1], 1)
    known = number(table.get("known_steps", width), "prices.known_steps", 0, steps)
    age = table.get("published_age_s")
    source = texts([table.get("source", "not said")], "prices.source")[0]
    return Prices(
        tariff=names,
        **both,
        known_steps=int(known),
        published_age_s=np.nan if age is None else number(age, "prices.published_age_s", -f.NEVER_S, f.LONG_AGO_S),
        source=str(source),
    )


def _events(table: Mapping[str, Any]) -> Events:
    kinds = texts(table.get("type", []), "events.type")
    e = len(kinds)
    columns = {name: _column(table, "events", name, x, e) for name, x in f.EVENT_FIELDS.items()} if e else {}
    if not e:
        columns = {name: np.zeros(0) for name in f.EVENT_FIELDS}
    sound = {name: _sound(columns[name], x, f"events.{name}") for name, x in f.EVENT_FIELDS.items()}
    said = {name: flags(table.get(name, [False] * e), f"events.{name}", e) for name in ("pays_export", "binding")}
    return Events(kinds, **said, **sound)


def _arrivals(table: Mapping[str, Any], sites: Sites) -> Arrivals:
    value = table.get("site", [])
    rows = references(value, "arrivals.site", sites.id, len(value) if isinstance(value, list | np.ndarray) else 0)
    n = len(rows)
    columns = {
        name: _sound(_column(table, "arrivals", name, x, n) if n else np.zeros(0), x, f"arrivals.{name}")
        for name, x in f.ARRIVAL_FIELDS.items()
    }
    return Arrivals(rows, **columns)


def _emissions(document: Mapping[str, Any], steps: int) -> Array:
    table = section(document, "emissions", ("kg_per_kwh",))
    read = numbers(table.get("kg_per_kwh", []), "emissions.kg_per_kwh")
    if len(read) > steps:
        raise RequestError("emissions.kg_per_kwh", f"should hold at most {steps} numbers")
    return np.where((read >= -10.0) & (read <= 10.0), read, np.nan)


def _column(table: Mapping[str, Any], where: str, name: str, field: Column, rows: int) -> Array:
    value = table.get(name)
    if value is None:
        if field.default is None:
            raise RequestError(f"{where}.{name}", "is missing; it has no default")
        return np.full(rows, field.default)
    read = numbers(value, f"{where}.{name}", rows)
    return read if field.default is None else np.where(np.isnan(read), field.default, read)


def _sound(column: Array, field: Column, where: str) -> Array:
    """The column, whose every row has to be right: of a site or an event, not of a car."""
    optional = field.default is not None and np.isnan(field.default)
    right = (column >= field.low) & (column <= field.high) | (optional & np.isnan(column))
    if not right.all():
        raise RequestError(where, f"should hold numbers from {field.low:g} to {field.high:g} ({field.unit})")
    return column


def _series(table: Mapping[str, Any], where: str, name: str, field: Column, groups: int, steps: int) -> Array:
    value = table.get(name)
    if value is None:
        return np.full((groups, 1), field.default)
    read = series(value, f"{where}.{name}", groups, steps)
    right = np.isnan(read) | (read >= field.low) & (read <= field.high)
    if not right.all():
        raise RequestError(
            f"{where}.{name}", f"should hold numbers from {field.low:g} to {field.high:g} ({field.unit})"
        )
    return read
