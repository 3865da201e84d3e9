"""What must live from one cycle to the next, as a value: last commands, last good readings, breaker, orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..messages.fields import PORT_FIELDS
from ..messages.request import DispatchRequest
from .breaker import Breaker
from .controls import Order

Array = Any

MEMORY_SCHEMA = "ebbflow.memory/1"

LEAST_ABSENT = 1000
"""Ports that are remembered although a message left them out, however few it has."""


class PortMemory(NamedTuple):
    """Columns by port, (N,)."""

    id: Array
    car: Array
    setpoint_kw: Array  # last sent; NaN: none, or released
    changed_s: Array  # when it changed, Unix seconds
    commands_today: Array
    soc: Array  # last good reading; NaN: none
    soc_s: Array  # when it was taken, Unix seconds
    kwh_since: Array  # into the battery since the SoC last moved, by measured power


@dataclass(frozen=True)
class Memory:
    """The state of a fleet between cycles.

    Args:
        ports: of the last cycle.
        last_start_s: start of the last cycle, Unix seconds; None before the first.
        day: local date of the last cycle as a number; commands are counted by it.
        breaker: of the policy.
        orders: of the operators.
    """

    ports: PortMemory
    last_start_s: float | None = None
    day: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    orders: tuple[Order, ...] = ()


def blank_ports(ids: Array | None = None, cars: Array | None = None) -> PortMemory:
    """Ports of which nothing is remembered."""
    ids = np.zeros(0, "<U1") if ids is None else ids
    n = len(ids)
    nan, zero = np.full(n, np.nan), np.zeros(n)
    return PortMemory(
        ids, np.zeros(n, "<U1") if cars is None else cars, nan, zero, np.zeros(n, np.int64), nan.copy(), zero.copy(),
        zero.copy(),
    )  # fmt: skip


def new_memory() -> Memory:
    """Before the first cycle."""
    return Memory(blank_ports())


def remembered(memory: Memory, request: DispatchRequest) -> PortMemory:
    """What is remembered of the request's ports, in their order; nothing of a port whose car is another or gone."""
    ports, old = request.ports, memory.ports
    n = len(ports.id)
    same_order = np.array_equal(old.id[:n], ports.id)
    old = PortMemory(*(column[:n] for column in old)) if same_order else _reordered(old, ports.id)
    same = (old.car == ports.car) & (ports.plugged != 0)
    blank = blank_ports(ports.id, ports.car)
    kept = {
        name: np.where(same, getattr(old, name), getattr(blank, name))
        for name in ("setpoint_kw", "changed_s", "soc", "soc_s", "kwh_since")
    }
    # Commands are counted by port: a new car does not make its charger's connection cheaper.
    today = request.cycle_start.toordinal() == memory.day
    counted = blank._replace(commands_today=old.commands_today if today else blank.commands_today, **kept)
    return _as_said(counted, request)


def carried_over(ports: PortMemory, memory: Memory, request: DispatchRequest) -> PortMemory:
    """The ports of a cycle, and behind them those that its message left out: a budget of commands holds all day.

    What stands at them nobody knows. Yesterday's are forgotten, and so are more of them than a message has ports.

    Args:
        ports: after the cycle, in the request's order.
        memory: before it.
        request: of it.
    """
    old = memory.ports
    if request.cycle_start.toordinal() != memory.day:
        return ports
    absent = ~_told(old.id, ports.id) & ((old.commands_today > 0) | ~np.isnan(old.soc))
    rows = np.flatnonzero(absent)[: max(len(ports.id), LEAST_ABSENT)]
    if not len(rows):
        return ports
    left = PortMemory(*(column[rows] for column in old))._replace(setpoint_kw=np.full(len(rows), np.nan))
    return PortMemory(*(np.concatenate(both) for both in zip(ports, left, strict=True)))


def _told(known: Array, ids: Array) -> Array:
    """Which of the known ports a message tells of; mostly they are the first ones, in its order."""
    if np.array_equal(known[: len(ids)], ids):
        return np.arange(len(known)) < len(ids)
    told: Array = np.isin(known, ids)
    return told


def since_last_s(memory: Memory, request: DispatchRequest) -> float:
    """Seconds since the last cycle, at most an interval; 0 where none is remembered.

    Cycles come off the grid too: a loop begins one when a car arrives, a client may post every minute.
    """
    if memory.last_start_s is None:
        return 0.0
    return min(max(request.start_s - memory.last_start_s, 0.0), float(request.interval_s))


def _as_said(memory: PortMemory, request: DispatchRequest) -> PortMemory:
    """Where the sender tells what was last sent and how often, that counts."""
    p, power, commands = request.ports, PORT_FIELDS["last_setpoint_kw"], PORT_FIELDS["commands_today"]
    age = PORT_FIELDS["last_setpoint_age_s"]
    told = (p.last_setpoint_age_s >= age.low) & (p.last_setpoint_age_s <= age.high)
    last = np.where((p.last_setpoint_kw >= power.low) & (p.last_setpoint_kw <= power.high), p.last_setpoint_kw, np.nan)
    counted = (p.commands_today >= 0.0) & (p.commands_today <= commands.high)
    today: Array = np.where(counted, p.commands_today, memory.commands_today)
    return memory._replace(
        setpoint_kw=np.where(told, last, memory.setpoint_kw),
        changed_s=np.where(told, request.start_s - p.last_setpoint_age_s, memory.changed_s),
        commands_today=today.astype(np.int64),
    )


def _reordered(old: PortMemory, ids: Array) -> PortMemory:
    row = {name: at for at, name in enumerate(old.id.tolist())}
    at = np.array([row.get(name, -1) for name in ids.tolist()], np.int64)
    known, blank = at >= 0, blank_ports(ids)
    if not len(old.id):
        return blank
    columns = {
        name: np.where(known, getattr(old, name)[at], getattr(blank, name))
        for name in PortMemory._fields
        if name not in ("id",)
    }
    return blank._replace(**columns)


def memory_document(memory: Memory) -> dict[str, Any]:
    """The memory as a document for `canonical_json`, so that a restart goes on where the last cycle ended."""
    columns = memory.ports._asdict()
    columns["id"], columns["car"] = columns["id"].tolist(), columns["car"].tolist()
    return {
        "schema": MEMORY_SCHEMA, "ports": columns, "last_start_s": memory.last_start_s, "day": memory.day,
        "breaker": memory.breaker._asdict(), "orders": [order._asdict() for order in memory.orders],
    }  # fmt: skip


def memory_from(document: Mapping[str, Any]) -> Memory:
    """Read a memory that `memory_document` wrote.

    Raises:
        ValueError: it is none.
    """
    try:
        if document["schema"] != MEMORY_SCHEMA:
            raise ValueError(f"the memory's schema is {document['schema']!r}; this version reads {MEMORY_SCHEMA}")
        columns = {name: np.array(column) for name, column in document["ports"].items()}
        for name in ("setpoint_kw", "changed_s", "soc", "soc_s", "kwh_since"):
            columns[name] = np.array(document["ports"][name], np.float64)
        for name in ("id", "car"):
            columns[name] = np.array(document["ports"][name], np.str_)
        columns["commands_today"] = np.array(document["ports"]["commands_today"], np.int64)
        orders = tuple(Order(**order | {"ports": tuple(order["ports"])}) for order in document["orders"])
        return Memory(
            PortMemory(**columns), document["last_start_s"], document["day"], Breaker(**document["breaker"]), orders
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the memory cannot be read ({type(error).__name__}: {error}); begin with none") from None
