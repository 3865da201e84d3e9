"""All gates of one cycle: each car's rung on the ladder, and what may be exported. One bad car costs one car."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from ...agents.rules.fallback import export_value
from ...envs.snapshot import Snapshot
from ..messages.request import DispatchRequest
from ..messages.to_snapshot import snapshot_of
from ..messages.vocabulary import DecisionReason, Override
from .controls import InForce
from .memory import PortMemory
from .parameters import make_room, own_draw_kw, tamed
from .price_gate import check_prices
from .settings import ServingSettings
from .telemetry import judge_readings

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
    request: DispatchRequest, memory: PortMemory, orders: InForce, settings: ServingSettings, ledger_up: bool
) -> Gated:
    """Judge a request.

    Args:
        request: as it was sent.
        memory: of its ports, in its order.
        orders: of the operators, now.
        settings: ages, shares and defaults.
        ledger_up: without a ledger nothing is exported: no evidence, no export.
    """
    here = request.ports.plugged == 1
    ports, sound = tamed(request.ports)
    tame = replace(request, ports=ports)
    readings = judge_readings(tame, memory, settings.gates, settings.defaults)
    prices = check_prices(replace(tame, ports=readings.ports), settings.gates, settings.defaults)
    unseen = ~readings.plugged_known
    reason = np.where(here & (readings.reason == AS_ASKED) & prices.gap, DecisionReason.PRICE_GAP, readings.reason)
    released = (here & ~sound) | unseen | (orders.release & (here | unseen))
    driver = (readings.ports.override > 0) & (readings.ports.override_for_s > 0) & ~orders.hold
    rung = np.select(
        [released, ~here, driver, reason != AS_ASKED, orders.rules_only],
        [Rung.RELEASED, Rung.EMPTY, Rung.OVERRIDDEN, Rung.RULES, Rung.RULES],
        int(Rung.POLICY),
    )
    chief = np.select(
        [here & ~sound, unseen, orders.release & here, ~here, driver, rung == Rung.RULES],
        [
            DecisionReason.BAD_PARAMETERS, DecisionReason.NOT_PLUGGED_KNOWN, DecisionReason.OPERATOR_RELEASE,
            DecisionReason.EMPTY, _driver_reason(readings.ports.override),
            np.where(reason == AS_ASKED, DecisionReason.RULE, reason),
        ],
        AS_ASKED,
    )  # fmt: skip
    ports = readings.ports._replace(
        plugged=np.where(rung >= Rung.RELEASED, (rung == Rung.OVERRIDDEN), here).astype(np.int8),
        override=np.where(driver, readings.ports.override, 0).astype(np.int8),
        last_setpoint_kw=memory.setpoint_kw,
        last_setpoint_age_s=np.maximum(request.start_s - memory.changed_s, 0.0),
        commands_today=memory.commands_today.astype(float),
    )
    usable = make_room(replace(tame, ports=ports, prices=prices.prices), own_draw_kw(request.ports), released)
    snapshot = snapshot_of(usable)
    may_export = readings.fresh & ~orders.no_export & ledger_up & (rung < Rung.RELEASED)
    tariff = request.sites.tariff[request.ports.site]
    if settings.gates.export_must_pay:
        may_export &= _pays(usable, snapshot, prices.export_known[tariff], prices.import_known[tariff])
    return Gated(
        usable, snapshot, rung.astype(np.int8), chief.astype(np.int8), may_export, _binding(request), readings.memory,
        prices.problems,
    )  # fmt: skip


def _driver_reason(override: Array) -> Array:
    now = override == Override.CHARGE_NOW
    return np.where(now, DecisionReason.DRIVER_CHARGE_NOW, DecisionReason.DRIVER_OPT_OUT)


def _pays(request: DispatchRequest, snapshot: Snapshot, export_known: Array, import_known: Array) -> Array:
    """Where a kWh given now is worth more than the wear: by price, by an event, or by what the site itself draws."""
    site = request.ports.site
    own_load = (request.sites.net_load_kw[site] > 0.0) & import_known
    tariff = request.sites.tariff[site]
    by_price = np.where(export_known | (_event_rate(snapshot) > 0.0), export_value(snapshot)[0], -np.inf)
    saved = np.where(own_load, snapshot.context.import_price_now_usd_per_kwh[0, tariff], -np.inf)
    wear = request.wear_usd_per_kwh / np.where(request.ports.plugged == 1, request.ports.discharge_efficiency, 1.0)
    return np.maximum(by_price, saved) > wear


def _event_rate(snapshot: Snapshot) -> float:
    e = snapshot.context.events
    running = e.known & (e.start_step <= 0) & (e.end_step > 0) & e.pays_export
    return float(np.where(running, e.rate_usd_per_kwh, 0.0).max(initial=0.0))


def _binding(request: DispatchRequest) -> Array:
    e = request.events
    running = (e.binding == 1) & (e.start_in_s < request.interval_s) & (e.end_in_s > 0)
    return np.full(request.n_ports, bool(running.any()))
