"""Readings of each car: which can be trusted, and what stands in for those that cannot."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..messages.request import DispatchRequest, Ports
from ..messages.vocabulary import DecisionReason
from .memory import PortMemory
from .parameters import USABLE_KW
from .settings import DefaultSettings, GateSettings

Array = Any

MOVED_SOC = 1e-4
"""A reading that differs by less from the last one has not moved."""

DAY_S = 86400

TAPER_FACTOR, EARLY_H = 1.2, 1.0
"""What a car without a said departure is given beside the time at full power: a fifth for its taper, and an hour."""


class Readings(NamedTuple):
    """What the gates made of the readings, columns (N,)."""

    ports: Ports  # with readings that a controller may use
    plugged_known: Array
    reason: Array  # why a car is left to the rules, a `DecisionReason`; AS_ASKED: it is not
    fresh: Array  # power and SoC are known and recent: the condition of export
    memory: PortMemory  # with the readings of this cycle


def judge_readings(
    request: DispatchRequest, memory: PortMemory, gates: GateSettings, defaults: DefaultSettings
) -> Readings:
    """Judge the readings of every port by themselves.

    A SoC that is too old, outside 0 to 1 or frozen is not used: the need takes its place, reckoned from the last good
    reading and the energy measured since. A SoC of some age is brought to now by the power measured since (evcc does
    the same).
    """
    p, now_s = request.ports, request.start_s
    here = p.plugged == 1
    soc_age, power_age = (_age(age, gates.future_s) for age in (p.soc_age_s, p.power_age_s))
    power_fresh = ~np.isnan(p.power_kw) & (power_age <= gates.power_max_age_s)
    power_kw = np.where(power_fresh, p.power_kw, 0.0)
    inside = (p.soc >= 0.0) & (p.soc <= 1.0)
    recent = inside & (soc_age <= gates.soc_max_age_s)
    memory = _reckoned(memory, p, np.where(here & power_fresh, power_kw, 0.0), request.interval_s)
    # A reading that was overtaken by a newer one comes late: the newer one counts.
    overtaken = recent & (now_s - soc_age < memory.soc_s - 1.0)
    soc = np.where(overtaken, memory.soc, p.soc)
    soc_age = np.where(overtaken, np.maximum(now_s - memory.soc_s, 0.0), soc_age)
    moved = recent & ~overtaken & ~(np.abs(soc - memory.soc) <= MOVED_SOC)
    frozen = recent & ~moved & (np.abs(memory.kwh_since) > gates.frozen_share * p.capacity_kwh)
    good = recent & ~frozen
    told = ~np.isnan(p.soc)
    reason = np.select(
        [here & told & ~inside, here & told & ~recent, here & frozen],
        [DecisionReason.BAD_SOC, DecisionReason.STALE_SOC, DecisionReason.FROZEN_SOC],
        int(DecisionReason.AS_ASKED),
    )
    ahead = _gained_kwh(p, power_kw) * np.minimum(soc_age, gates.soc_max_age_s) / 3600.0 / p.capacity_kwh
    now_soc = np.where(good, np.clip(soc + np.where(power_age <= soc_age + 1.0, ahead, 0.0), 0.0, 1.0), np.nan)
    need, needless = _need(p, memory, good, told, defaults)
    reason = np.where(here & ~good & needless & (reason == 0), int(DecisionReason.NO_NEED), reason)
    known, aged = _plug(p, here, told & inside, ~np.isnan(p.power_kw), soc_age, power_age, gates)
    ports = p._replace(
        soc=now_soc,
        need_kwh=np.where(good, need, np.where(needless, need, p.need_kwh)),
        target_soc=np.where(good & np.isnan(p.target_soc), defaults.target_soc, np.where(good, p.target_soc, np.nan)),
        power_kw=np.where(power_fresh, p.power_kw, np.nan),
    )
    ports = _departures(ports, request, defaults)
    reason = np.where(here & (reason == 0) & np.isnan(p.departs_in_s), int(DecisionReason.NO_DEPARTURE), reason)
    keep = here & good & moved
    memory = memory._replace(
        soc=np.where(keep, soc, memory.soc),
        soc_s=np.where(keep, now_s - soc_age, memory.soc_s),
        kwh_since=np.where(keep, 0.0, memory.kwh_since),
    )
    return Readings(ports, known & aged, reason.astype(np.int8), here & good & power_fresh, memory)


def _age(age_s: Array, future_s: float) -> Array:
    """Ages not below 0; what is not known or comes from the future is infinitely old."""
    return np.where(age_s >= -future_s, np.maximum(age_s, 0.0), np.inf)


def _gained_kwh(p: Ports, power_kw: Array) -> Array:
    """Energy into the battery per hour at a measured power."""
    loss = p.fixed_loss_kw
    taken = np.maximum(p.charge_efficiency * power_kw - loss, 0.0)
    given = (np.maximum(-power_kw, 0.0) + loss) / p.discharge_efficiency
    return np.where(power_kw > 0.0, taken, np.where(power_kw < 0.0, -given, 0.0))


def _reckoned(memory: PortMemory, p: Ports, power_kw: Array, interval_s: int) -> PortMemory:
    gained = _gained_kwh(p, power_kw) * interval_s / 3600.0
    return memory._replace(kwh_since=memory.kwh_since + np.nan_to_num(gained, posinf=0.0, neginf=0.0))


def _need(p: Ports, memory: PortMemory, good: Array, told: Array, defaults: DefaultSettings) -> tuple[Array, Array]:
    """kWh to the target for cars whose SoC is not used, and where the message's own need cannot be taken."""
    target = np.where(np.isnan(p.target_soc), defaults.target_soc, p.target_soc)
    last = np.clip(np.nan_to_num(memory.soc) + memory.kwh_since / p.capacity_kwh, 0.0, 1.0)
    said, never = ~np.isnan(p.need_kwh), np.isnan(memory.soc)
    missing = np.where(never & said, p.need_kwh, (target - np.where(never, 0.0, last)) * p.capacity_kwh)
    # With a good SoC the need follows from it; a said one is not looked at, but has to be a number.
    from_soc = (target - np.nan_to_num(p.soc)) * p.capacity_kwh
    return np.where(good, np.where(said, p.need_kwh, from_soc), missing), ~said | (told & ~good)


def _plug(
    p: Ports, here: Array, soc_told: Array, power_told: Array, soc_age: Array, power_age: Array, gates: GateSettings
) -> tuple[Array, Array]:
    """Whether a port's plug state is known, and known recently enough."""
    youngest = np.fmin(np.where(soc_told, soc_age, np.nan), np.where(power_told, power_age, np.nan))
    said = np.where(np.isnan(p.plugged_age_s), youngest, _age(p.plugged_age_s, gates.future_s))
    # A sender who gives no age at all says how it is now.
    return p.plugged >= 0, ~here | np.isnan(said) | (said <= gates.plugged_max_age_s)


def _departures(p: Ports, request: DispatchRequest, defaults: DefaultSettings) -> Ports:
    """Where no departure was said, the usual one, or sooner: as if the car had little more time than it needs.

    So it is charged early: events and peaks are left alone, but no cheap night is waited for.
    """
    start = request.cycle_start
    second = start.hour * 3600 + start.minute * 60 + start.second
    usual_s = (defaults.departure_local_hour * 3600 - second) % DAY_S or DAY_S
    missing_kwh = np.where(np.isnan(p.soc), p.need_kwh, (p.target_soc - p.soc) * p.capacity_kwh)
    accept_kw = np.where(np.isnan(p.battery_accept_kw), np.inf, p.battery_accept_kw)
    battery_kw = np.minimum(p.charge_efficiency * p.max_charge_kw - p.fixed_loss_kw, accept_kw)
    needed_h = TAPER_FACTOR * np.maximum(missing_kwh, 0.0) / np.maximum(battery_kw, USABLE_KW)
    soon_s = np.minimum(usual_s, 3600.0 * (needed_h + EARLY_H))
    return p._replace(departs_in_s=np.where(np.isnan(p.departs_in_s), soon_s, p.departs_in_s))
