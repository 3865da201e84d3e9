"""All gates of one cycle: each car's rung on the ladder, and what may be exported. One bad car costs one car."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from ...agents.rules.fallback import export_rate, export_value
from ...envs.snapshot import Snapshot
from ..messages.request import DispatchRequest, Ports
from ..messages.to_snapshot import snapshot_of
from ..messages.vocabulary import DecisionReason, Override
from .cases import first_case
from .controls import InForce
from .memory import PortMemory
from .parameters import make_room, own_draw_kw, tamed
from .price_gate import PriceCheck, check_prices
from .settings import ServingSettings
from .telemetry import Readings, judge_readings

Array = Any

AS_ASKED = int(DecisionReason.AS_ASKED)


class Rung(IntEnum):
    """Who decides for a car, recomputed each cycle."""

    POLICY = 0
    RULES = 1
    RELEASED = 2  # nobody: its own schedule applies
    OVERRIDDEN = 3  # its driver
    EMPTY = 4  # no car


class Gated(NamedTuple):
    """What a cycle goes on with; columns (N,)."""

    request: DispatchRequest  # with readings, prices and limits that a controller may use
    snapshot: Snapshot
    rung: Array
    reason: Array  # why a car is not on the policy's rung
    may_export: Array
    no_charge: Array  # a binding event
    memory: PortMemory
    problems: tuple[str, ...]


def pass_gates(
    request: DispatchRequest,
    memory: PortMemory,
    elapsed_s: float,
    orders: InForce,
    settings: ServingSettings,
    ledger_up: bool,
) -> Gated:
    """Judge a request.

    Args:
        request: as it was sent.
        memory: of its ports, in its order.
        elapsed_s: since the last cycle.
        orders: of the operators, now.
        settings: ages, shares and defaults.
        ledger_up: without a ledger nothing is exported: no evidence, no export.
    """
    columns, sound = tamed(request.ports)
    tame = replace(request, ports=columns)
    readings = judge_readings(tame, memory, elapsed_s, settings.gates, settings.defaults)
    prices = check_prices(replace(tame, ports=readings.ports), settings.gates, settings.defaults)
    rung, reason = _ladder(request, readings, sound, prices.gap, orders)
    released = rung == Rung.RELEASED
    ports = _for_controllers(readings.ports, rung, memory, request.start_s)
    usable = make_room(replace(tame, ports=ports, prices=prices.prices), own_draw_kw(request.ports), released)
    snapshot = snapshot_of(usable)
    # An operator may keep a car from charging now, but export takes the driver's consent.
    may_export = readings.fresh & ~orders.no_export & ledger_up & (rung < Rung.RELEASED) & ~_driver(readings.ports)
    if settings.gates.export_must_pay:
        may_export &= _pays(usable, snapshot, prices)
    return Gated(usable, snapshot, rung, reason, may_export, _binding(request), readings.memory, prices.problems)


def _ladder(
    request: DispatchRequest, readings: Readings, sound: Array, gap: Array, orders: InForce
) -> tuple[Array, Array]:
    """Each port's rung, and why it is not the policy's."""
    here, unseen = request.ports.plugged == 1, ~readings.plugged_known
    driver = _driver(readings.ports) & ~orders.hold
    told = np.where(here & (readings.reason == AS_ASKED) & gap, np.int8(DecisionReason.PRICE_GAP), readings.reason)
    now = readings.ports.override == Override.CHARGE_NOW
    cases: list[tuple[Array, Rung, Any]] = [
        (here & ~sound, Rung.RELEASED, DecisionReason.BAD_PARAMETERS),
        (unseen, Rung.RELEASED, DecisionReason.NOT_PLUGGED_KNOWN),
        (here & orders.release, Rung.RELEASED, DecisionReason.OPERATOR_RELEASE),
        (~here, Rung.EMPTY, DecisionReason.EMPTY),
        (driver & now, Rung.OVERRIDDEN, DecisionReason.DRIVER_CHARGE_NOW),
        (driver, Rung.OVERRIDDEN, DecisionReason.DRIVER_OPT_OUT),
        (told != AS_ASKED, Rung.RULES, told),
        (orders.rules_only, Rung.RULES, DecisionReason.RULE),
    ]
    rung = first_case([(holds, rung) for holds, rung, _ in cases], Rung.POLICY)
    return rung, first_case([(holds, reason) for holds, _, reason in cases], AS_ASKED)


def _driver(ports: Ports) -> Array:
    """Where an override of the driver is in force."""
    return (ports.override > 0) & (ports.override_for_s > 0)


def _for_controllers(ports: Ports, rung: Array, memory: PortMemory, start_s: float) -> Ports:
    """The ports that a controller may see: those that somebody decides for, with what was last sent to them."""
    steered = (rung != Rung.RELEASED) & (rung != Rung.EMPTY)
    return ports._replace(
        plugged=steered.astype(np.int8),
        override=np.where(rung == Rung.OVERRIDDEN, ports.override, 0).astype(np.int8),
        last_setpoint_kw=memory.setpoint_kw,
        last_setpoint_age_s=np.maximum(start_s - memory.changed_s, 0.0),
        commands_today=memory.commands_today.astype(float),
    )


def _pays(request: DispatchRequest, snapshot: Snapshot, prices: PriceCheck) -> Array:
    """Where a kWh given now is worth more than the wear: by price, by an event, or by what the site itself draws."""
    site = request.ports.site
    tariff = request.sites.tariff[site]
    rate, known = export_rate(snapshot)[0], prices.export_known[tariff]
    by_price = np.where(known, export_value(snapshot)[0], rate if rate > 0.0 else -np.inf)
    own_load = (request.sites.net_load_kw[site] > 0.0) & prices.import_known[tariff]
    saved = np.where(own_load, snapshot.context.import_price_now_usd_per_kwh[0, tariff], -np.inf)
    wear = request.wear_usd_per_kwh / np.where(request.ports.plugged == 1, request.ports.discharge_efficiency, 1.0)
    return np.maximum(by_price, saved) > wear


def _binding(request: DispatchRequest) -> Array:
    e = request.events
    running = (e.binding == 1) & (e.start_in_s < request.interval_s) & (e.end_in_s > 0)
    return np.full(request.n_ports, bool(running.any()))
