"""Readings of each car: which can be trusted, and what stands in for those that cannot."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..messages.request import DispatchRequest, Ports
from ..messages.vocabulary import DecisionReason
from .cases import first_case
from .memory import PortMemory
from .parameters import USABLE_KW
from .settings import DefaultSettings, GateSettings

Array = Any

MOVED_SOC = 1e-4
"""A reading that differs by less from the last one has not moved."""

CLOCK_ROUNDING_S = 1.0

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
    request: DispatchRequest, memory: PortMemory, elapsed_s: float, gates: GateSettings, defaults: DefaultSettings
) -> Readings:
    """Judge the readings of every port by themselves.

    A SoC that is too old, outside 0 to 1 or frozen is not used: the need takes its place, reckoned from the last good
    reading and the energy measured since. A SoC of some age is brought to now by the power measured since (evcc does
    the same).

    Args:
        request: with columns that formulas can take.
        memory: of its ports, in its order.
        elapsed_s: since the last cycle; for so long the measured power counts.
        gates: ages.
        defaults: for what was not said.
    """
    p, here = request.ports, request.ports.plugged == 1
    power = _power(p, gates)
    memory = _reckoned(memory, p, np.where(here, power.kw, 0.0), elapsed_s)
    soc = _soc(p, power, memory, request.start_s, gates)
    need, unsaid = _need(p, memory, soc, defaults)
    target = np.where(np.isnan(p.target_soc), defaults.target_soc, p.target_soc)
    ports = p._replace(
        soc=soc.now,
        need_kwh=np.where(unsaid | soc.good, need, p.need_kwh),
        target_soc=np.where(soc.good, target, np.nan),
        power_kw=np.where(power.fresh, p.power_kw, np.nan),
    )
    # Of an empty port too: a car may have come since it was told, and draws what it likes.
    known = (p.plugged >= 0) & _recently_seen(p, soc, power, gates)
    return Readings(
        ports=_departures(ports, request, defaults),
        plugged_known=known,
        reason=_reason(p, here, soc, unsaid),
        fresh=here & _fresh(p, soc, power, gates),
        memory=_with_readings(memory, here, soc, request.start_s),
    )


class _Power(NamedTuple):
    kw: Array  # 0 where it cannot be trusted
    age_s: Array
    fresh: Array


class _Soc(NamedTuple):
    told: Array  # as it was sent, or remembered where that is newer
    age_s: Array
    now: Array  # NaN where it cannot be trusted
    inside: Array
    recent: Array
    frozen: Array
    moved: Array
    good: Array


def _power(p: Ports, gates: GateSettings) -> _Power:
    age_s = _age(p.power_age_s, gates.future_s)
    fresh = ~np.isnan(p.power_kw) & (age_s <= gates.export_max_age_s)
    return _Power(np.where(fresh, p.power_kw, 0.0), age_s, fresh)


def _soc(p: Ports, power: _Power, memory: PortMemory, now_s: float, gates: GateSettings) -> _Soc:
    inside, age_s = (p.soc >= 0.0) & (p.soc <= 1.0), _age(p.soc_age_s, gates.future_s)
    recent = inside & (age_s <= gates.soc_max_age_s)
    # A reading that was overtaken by a newer one comes late: the newer one counts.
    overtaken = recent & (now_s - age_s < memory.soc_s - CLOCK_ROUNDING_S)
    soc = np.where(overtaken, memory.soc, p.soc)
    age_s = np.where(overtaken, np.maximum(now_s - memory.soc_s, 0.0), age_s)
    moved = recent & ~overtaken & ~(np.abs(soc - memory.soc) <= MOVED_SOC)
    frozen = recent & ~moved & (np.abs(memory.kwh_since) > gates.frozen_share * p.capacity_kwh)
    good = recent & ~frozen
    # The power counts for the time since the reading where it was not measured long before it.
    since_h = np.where(power.age_s <= age_s + CLOCK_ROUNDING_S, np.minimum(age_s, gates.soc_max_age_s), 0.0) / 3600.0
    ahead = soc + _gained_kwh(p, power.kw) * since_h / p.capacity_kwh
    now = np.where(good, np.clip(ahead, 0.0, 1.0), np.nan)
    return _Soc(soc, age_s, now, inside, recent, frozen, moved, good)


def _reason(p: Ports, here: Array, soc: _Soc, unsaid: Array) -> Array:
    """Why a car is left to the rules."""
    told = ~np.isnan(p.soc)
    cases = [
        (~here, DecisionReason.AS_ASKED),
        (told & ~soc.inside, DecisionReason.BAD_SOC),
        (told & ~soc.recent, DecisionReason.STALE_SOC),
        (soc.frozen, DecisionReason.FROZEN_SOC),
        (~soc.good & unsaid, DecisionReason.NO_NEED),
        (np.isnan(p.departs_in_s), DecisionReason.NO_DEPARTURE),
    ]
    return first_case(cases, DecisionReason.AS_ASKED)


def _fresh(p: Ports, soc: _Soc, power: _Power, gates: GateSettings) -> Array:
    """Whether both readings of this message are new enough to export by; one that is remembered or reckoned is not."""
    return soc.good & (_age(p.soc_age_s, gates.future_s) <= gates.export_max_age_s) & power.fresh


def _with_readings(memory: PortMemory, here: Array, soc: _Soc, now_s: float) -> PortMemory:
    """The memory with the readings of SoC that are good and new."""
    keep = here & soc.good & soc.moved
    return memory._replace(
        soc=np.where(keep, soc.told, memory.soc),
        soc_s=np.where(keep, now_s - soc.age_s, memory.soc_s),
        kwh_since=np.where(keep, 0.0, memory.kwh_since),
    )


def _age(age_s: Array, future_s: float) -> Array:
    """Ages not below 0; what is not known or comes from the future is infinitely old."""
    return np.where(age_s >= -future_s, np.maximum(age_s, 0.0), np.inf)


def _gained_kwh(p: Ports, power_kw: Array) -> Array:
    """Energy into the battery per hour at a measured power."""
    loss = p.fixed_loss_kw
    taken = np.maximum(p.charge_efficiency * power_kw - loss, 0.0)
    given = (np.maximum(-power_kw, 0.0) + loss) / p.discharge_efficiency
    return np.where(power_kw > 0.0, taken, np.where(power_kw < 0.0, -given, 0.0))


def _reckoned(memory: PortMemory, p: Ports, power_kw: Array, elapsed_s: float) -> PortMemory:
    gained = _gained_kwh(p, power_kw) * elapsed_s / 3600.0
    return memory._replace(kwh_since=memory.kwh_since + np.where(np.isfinite(gained), gained, 0.0))


def _need(p: Ports, memory: PortMemory, soc: _Soc, defaults: DefaultSettings) -> tuple[Array, Array]:
    """kWh to the target, and where the message's own need does not count.

    A SoC that was sent and cannot be used makes a need that was sent with it doubtful too, unless no good SoC is known.
    """
    target = np.where(np.isnan(p.target_soc), defaults.target_soc, p.target_soc)
    said, never = ~np.isnan(p.need_kwh), np.isnan(memory.soc)
    last = np.clip(np.where(never, 0.0, memory.soc) + memory.kwh_since / p.capacity_kwh, 0.0, 1.0)
    reckoned = np.where(never & said, p.need_kwh, (target - np.where(never, 0.0, last)) * p.capacity_kwh)
    by_soc = np.where(said, p.need_kwh, (target - soc.now) * p.capacity_kwh)
    return np.where(soc.good, by_soc, reckoned), ~said | (~np.isnan(p.soc) & ~soc.good)


def _recently_seen(p: Ports, soc: _Soc, power: _Power, gates: GateSettings) -> Array:
    """Whether the plug state was told recently enough; where its age is not said, that of the youngest reading counts.

    A sender who gives no age at all says how it is now.
    """
    soc_age = np.where(soc.inside, soc.age_s, np.nan)
    youngest = np.fmin(soc_age, np.where(np.isnan(p.power_kw), np.nan, power.age_s))
    said = np.where(np.isnan(p.plugged_age_s), youngest, _age(p.plugged_age_s, gates.future_s))
    return np.isnan(said) | (said <= gates.plugged_max_age_s)


def usual_departure_s(request: DispatchRequest, defaults: DefaultSettings) -> float:
    """Seconds until the hour at which cars leave whose drivers said nothing."""
    start = request.cycle_start
    second = start.hour * 3600 + start.minute * 60 + start.second
    return (defaults.departure_local_hour * 3600 - second) % DAY_S or DAY_S


def _departures(p: Ports, request: DispatchRequest, defaults: DefaultSettings) -> Ports:
    """Where no departure was said, the usual one, or sooner: as if the car had little more time than it needs.

    So it is charged early: events and peaks are left alone, but no cheap night is waited for.
    """
    usual_s = usual_departure_s(request, defaults)
    missing_kwh = np.where(np.isnan(p.soc), p.need_kwh, (p.target_soc - p.soc) * p.capacity_kwh)
    accept_kw = np.where(np.isnan(p.battery_accept_kw), np.inf, p.battery_accept_kw)
    battery_kw = np.minimum(p.charge_efficiency * p.max_charge_kw - p.fixed_loss_kw, accept_kw)
    needed_h = TAPER_FACTOR * np.maximum(missing_kwh, 0.0) / np.maximum(battery_kw, USABLE_KW)
    soon_s = np.minimum(usual_s, 3600.0 * (needed_h + EARLY_H))
    return p._replace(departs_in_s=np.where(np.isnan(p.departs_in_s), soon_s, p.departs_in_s))
