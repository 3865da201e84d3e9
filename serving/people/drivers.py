"""One sentence a car for its driver: what it does and why, the charge expected at departure, and what is not feasible.

Symbols: `N` ports.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from ...agents.forward import filled, planned_soc
from ...envs.physics.backends import port_model
from ...envs.physics.port import FULL_SOC
from ..messages.answer import DispatchAnswer
from ..messages.vocabulary import DecisionReason, DecisionSource, Mode
from .plan import Plan
from .prices import PriceView, price_view, price_words
from .times import clock, time_of
from .words import BECAUSE, Cause

Array = Any

MET_SOC, MET_KWH = 0.005, 0.05
"""What may be missing of a target that counts as met."""


@dataclass(frozen=True)
class DriverLine:
    """What a driver is told.

    Args:
        port, car: ids; `car` is empty where none was said.
        sentence: for the driver.
        mode, source, reason: words of the decision.
        setpoint_kw: None: released.
        soc, soc_expected, target_soc: now, at departure and asked; None where no SoC is known.
        missing_kwh: of what was asked, expected at departure; at the battery.
        departs_at: local time; None where it lies beyond the plan.
        departure_said: False: the usual hour stands in.
        cause: name of a `words.Cause`; `none` where nothing is missing.
    """

    port: str
    car: str
    sentence: str
    mode: str
    source: str
    reason: str
    setpoint_kw: float | None
    soc: float | None
    soc_expected: float | None
    target_soc: float | None
    missing_kwh: float
    departs_at: datetime | None
    departure_said: bool
    cause: str


class Expected(NamedTuple):
    """What is expected of each car, columns (N,)."""

    soc: Array  # now; NaN where none is known
    target_soc: Array
    asked_kwh: Array  # from now on, at the battery; below 0 where there is more than asked
    missing_kwh: Array  # of it, at departure or at the end of the plan
    alone_kwh: Array  # that would be missing if it charged at full power from now on
    cause: Array  # a `Cause` each


def expected_of(plan: Plan, answer: DispatchAnswer) -> Expected:
    """What is expected of each car, and why it may be less than was asked."""
    cars, ports = plan.cars, plan.gated.request.ports
    soc, stop = (column[0] for column in planned_soc(cars))
    told = cars.soc[0]
    known, capacity = ~np.isnan(told), cars.capacity_kwh[0]
    asked_kwh = np.where(known, (np.minimum(ports.target_soc, FULL_SOC) - soc) * capacity, cars.need_kwh[0])
    asked_kwh = np.nan_to_num(asked_kwh)
    alone_kwh = asked_kwh - (_at_full_power(plan, soc, stop) - soc) * capacity
    missing_kwh = asked_kwh - plan.gained_kwh
    limited = known & (stop < np.nan_to_num(ports.target_soc) - MET_SOC)
    return Expected(
        soc=told,
        target_soc=np.where(known, ports.target_soc, np.nan),
        asked_kwh=asked_kwh,
        missing_kwh=np.maximum(missing_kwh, 0.0),
        alone_kwh=np.maximum(alone_kwh, 0.0),
        cause=_cause(plan, answer, missing_kwh, alone_kwh, limited, ~known & _fits_untapered(plan, asked_kwh)),
    )


def _at_full_power(plan: Plan, soc: Array, stop: Array) -> Array:
    """SoC (N,) at the end of each stay when a car charges at full power from now on, its own limits apart."""
    p, hours = filled(plan.cars), plan.steps_left * plan.request.interval_s / 3600
    curve = (p.capacity_kwh, p.taper_soc, p.battery_accept_kw, p.charge_efficiency, p.fixed_loss_kw)
    end, _ = port_model("numpy").charge(soc, p.max_charge_kw[0], hours, *(column[0] for column in curve), stop)
    return np.where(p.max_charge_kw[0] > 0.0, np.maximum(end, soc), soc)


def _fits_untapered(plan: Plan, asked_kwh: Array) -> Array:
    """Whether full power to the end of the stay gives what was asked, if the battery does not taper (N,)."""
    p, hours = filled(plan.cars), plan.steps_left * plan.request.interval_s / 3600
    battery_kw = np.minimum(p.charge_efficiency * p.max_charge_kw - p.fixed_loss_kw, p.battery_accept_kw)[0]
    return asked_kwh <= np.maximum(battery_kw, 0.0) * hours + MET_KWH


def _cause(
    plan: Plan, answer: DispatchAnswer, missing_kwh: Array, alone_kwh: Array, limited: Array, untold: Array
) -> Array:
    """A `Cause` each; `untold`: the SoC is not known, and only the taper that is reckoned with takes too long."""
    d, most = answer.decisions, np.maximum(MET_SOC * plan.cars.capacity_kwh[0], MET_KWH)
    later = plan.steps_left >= plan.n_steps
    cases = [
        (missing_kwh <= most, Cause.NONE),
        (d.mode == Mode.RELEASE, Cause.RELEASED),
        (limited, Cause.CHARGE_LIMIT),
        (later, Cause.LATER),
        ((alone_kwh > most) & untold, Cause.TAPER),
        (alone_kwh > most, Cause.TIME),
        (d.reason == DecisionReason.DRIVER_OPT_OUT, Cause.DRIVER),
        (d.source == DecisionSource.OPERATOR, Cause.OPERATOR),
        (d.reason == DecisionReason.EVENT, Cause.EVENT),
    ]
    causes = list(Cause)
    numbers = [causes.index(cause) for _, cause in cases]
    which = np.select([condition for condition, _ in cases], numbers, causes.index(Cause.SHARED))
    return np.array(causes, object)[which]


def driver_lines(plan: Plan, answer: DispatchAnswer, ports: Collection[str] | None = None) -> list[DriverLine]:
    """A line for each plugged-in car.

    Args:
        plan: of the cycle.
        answer: of the cycle.
        ports: ids of those that are asked for, of port or car; None: all.
    """
    request = plan.request
    wanted = plan.steps_left > 0
    if ports is not None:
        names = list(ports)
        wanted &= np.isin(request.ports.id, names) | np.isin(request.ports.car, names)
    expected, view = expected_of(plan, answer), price_view(request)
    return [_line(plan, answer, expected, view, at) for at in np.flatnonzero(wanted).tolist()]


def _line(plan: Plan, answer: DispatchAnswer, expected: Expected, view: PriceView, at: int) -> DriverLine:
    request, d = plan.request, answer.decisions
    within = plan.steps_left[at] < plan.n_steps
    mode, reason, cause = Mode(d.mode[at]), DecisionReason(d.reason[at]), expected.cause[at]
    has_all = mode == Mode.PAUSE and expected.asked_kwh[at] <= MET_KWH
    price = "as it has what was asked" if has_all else price_words(view, at, mode, int(plan.steps_left[at]))
    because = price if has_all and reason == DecisionReason.DRIVER_CHARGE_NOW else BECAUSE[reason] or price
    doing = f"Your car {_doing(mode, float(d.setpoint_kw[at]))}{because and f' {because}'}"
    return DriverLine(
        port=str(request.ports.id[at]),
        car=str(request.ports.car[at]),
        sentence=f"{doing}; {_outlook(plan, expected, at)}.",
        mode=mode.word,
        source=DecisionSource(d.source[at]).word,
        reason=reason.word,
        setpoint_kw=_told(d.setpoint_kw[at]),
        soc=_told(expected.soc[at]),
        soc_expected=_told(plan.soc_end[at]),
        target_soc=_told(expected.target_soc[at]),
        missing_kwh=0.0 if cause is Cause.NONE else float(expected.missing_kwh[at]),
        departs_at=time_of(request, int(plan.steps_left[at])) if within else None,
        departure_said=bool(~np.isnan(request.ports.departs_in_s[at])),
        cause=cause.name.lower(),
    )


def _doing(mode: Mode, setpoint_kw: float) -> str:
    power = f"{abs(setpoint_kw):.1f} kW"
    return {
        Mode.CHARGE: f"is charging at {power}",
        Mode.EXPORT: f"is giving {power} to the grid",
        Mode.PAUSE: "is paused",
        Mode.RELEASE: "is on its own schedule",
    }[mode]


def _outlook(plan: Plan, expected: Expected, at: int) -> str:
    """The second half of the sentence."""
    cause, end = expected.cause[at], time_of(plan.request, int(plan.steps_left[at]))
    said = not np.isnan(plan.request.ports.departs_in_s[at])
    when = f"{'at' if plan.steps_left[at] < plan.n_steps else 'by'} {clock(plan.request, end)}"
    when += "" if said else " (assumed, as no departure was said)"
    if cause is Cause.RELEASED:
        return str(cause.value)
    got, asked = _amounts(plan, expected, at)
    if cause is Cause.NONE:
        return f"{got} is expected {when}, as asked" if got == asked else f"{got} is expected {when}, {asked} was asked"
    least = "at least " if cause is Cause.TAPER else ""
    return f"{least}{got} of the {asked} asked is expected {when}: {cause.value}"


def _amounts(plan: Plan, expected: Expected, at: int) -> tuple[str, str]:
    """What is expected, never rounded up, and what was asked."""
    met = expected.cause[at] is Cause.NONE
    if np.isnan(expected.soc[at]):
        asked_kwh = plan.gained_kwh[at] + expected.missing_kwh[at]
        got_kwh = asked_kwh if met else plan.gained_kwh[at]
        return f"{_down(got_kwh, 10):.1f} kWh", f"{asked_kwh:.1f} kWh"
    asked, got = float(expected.target_soc[at]), float(plan.soc_end[at])
    got = max(got, asked) if met else got
    return f"{_down(got, 100):.0%}", f"{_down(asked, 100):.0%}"


def _down(value: float, parts: int) -> float:
    return float(np.floor(value * parts + 1e-6)) / parts


def _told(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
