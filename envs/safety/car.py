"""What one car can take, can give and must get now: elementwise, once for every back end (contracts 2, 5).

A car whose SoC nobody tells is planned as if it had to end full: for a given need the taper can cost no more time
than that, so a plan that holds for this car holds for the true one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ..physics.backends import compile_scalar, operations, port_model
from ..physics.port import FULL_SOC, Operations, PortModel

TINY_SOC = 1e-9
"""Less room than this is none."""

TINY_HOURS = 1e-9
"""Less mandatory charging time than this is none: at 350 kW it is 3.5e-7 kWh."""


class CarModel(NamedTuple):
    """The functions of one back end; see their docstrings in `make_car_model`."""

    plan_soc: Callable[..., Any]
    plan_target: Callable[..., Any]
    hours_to: Callable[..., Any]
    taper_hours: Callable[..., Any]
    draw: Callable[..., Any]
    can_charge: Callable[..., Any]
    can_export: Callable[..., Any]
    hours_after_export: Callable[..., Any]
    mandatory: Callable[..., Any]


def make_car_model(
    ops: Operations, port: PortModel, compile_: Callable[..., Any] = lambda function: function
) -> CarModel:
    """Build the model for one back end."""
    where, minimum, maximum, log_above_one = ops.where, ops.minimum, ops.maximum, ops.log_above_one
    zero, one, tiny_soc, tiny_h = (ops.number(x) for x in (0.0, 1.0, TINY_SOC, TINY_HOURS))
    full = ops.number(FULL_SOC)
    full_power, taper_start, time_to, latest_start = (
        port.full_power,
        port.taper_start,
        port.time_to,
        port.latest_start,
    )
    power_to_reach, ceil_to_step, floor_to_step, discharge = (
        port.power_to_reach, port.ceil_to_step, port.floor_to_step, port.discharge,
    )  # fmt: skip

    @compile_
    def plan_soc(soc, known, need_kwh, capacity_kwh):
        """SoC to plan with: the reading, or what makes `need_kwh` end at full."""
        return where(known, soc, maximum(full - maximum(need_kwh, zero) / capacity_kwh, zero))

    @compile_
    def plan_target(soc, known, target_soc, charge_limit_soc, min_soc):
        """Target to plan for: the driver's, the minimum where the car is below it, never above its charge limit."""
        wanted = where(soc < min_soc, maximum(target_soc, min_soc), target_soc)
        return where(known, minimum(wanted, minimum(charge_limit_soc, full)), full)

    @compile_
    def hours_to(target_soc, soc, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw):
        """Hours at full power from `soc` to `target_soc`."""
        battery_kw = full_power(max_charge_kw, accept_kw, efficiency, loss_kw)
        knee = taper_start(battery_kw, accept_kw, taper_soc)
        tau = capacity_kwh * (one - taper_soc) / accept_kw
        return where(target_soc > soc + tiny_soc, time_to(target_soc, soc, battery_kw, knee, tau, capacity_kwh), zero)

    @compile_
    def taper_hours(target_soc, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw):
        """Hours at full power that a car spends in its taper before `target_soc`."""
        battery_kw = full_power(max_charge_kw, accept_kw, efficiency, loss_kw)
        knee = taper_start(battery_kw, accept_kw, taper_soc)
        tau = capacity_kwh * (one - taper_soc) / accept_kw
        goal = minimum(target_soc, full)
        return where(goal > knee, tau * log_above_one((one - knee) / (one - goal)), zero)

    @compile_
    def draw(soc, known, max_charge_kw, taper_soc, accept_kw, efficiency, loss_kw):
        """Highest set-point that still makes a difference: what the battery takes now, as grid power."""
        accepted = minimum(accept_kw, accept_kw * (one - soc) / (one - taper_soc))
        return where(known, minimum((accepted + loss_kw) / efficiency, max_charge_kw), max_charge_kw)

    @compile_
    def can_charge(soc, known, need_kwh, charge_limit_soc, max_charge_kw):
        """Highest set-point that makes sense now: nothing past the charge limit, or past what was asked."""
        room = where(known, minimum(charge_limit_soc, full) - soc > tiny_soc, need_kwh > zero)
        return where(room, max_charge_kw, zero)

    @compile_
    def floor_after(target_soc, hours_left, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw):
        """Least SoC at the end of the step from which full power still reaches the target in `hours_left`."""
        battery_kw = full_power(max_charge_kw, accept_kw, efficiency, loss_kw)
        knee = taper_start(battery_kw, accept_kw, taper_soc)
        tau = capacity_kwh * (one - taper_soc) / accept_kw
        return latest_start(target_soc, hours_left, battery_kw, knee, tau, capacity_kwh)

    @compile_
    def can_export(
        allowed, soc, target_soc, hours_after, step_h, reserve_soc, min_soc, max_discharge_kw, min_discharge_kw,
        step_kw, discharge_efficiency, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw,
        rounding,
    ):  # fmt: skip
        """Most export over one step that keeps reserve, minimum and the latest start after it."""
        floor = floor_after(
            target_soc, hours_after, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw
        )
        floor = maximum(floor, maximum(reserve_soc, min_soc))
        most = discharge_efficiency * capacity_kwh * (soc - floor) / step_h - loss_kw
        most = floor_to_step(maximum(minimum(most, max_discharge_kw), zero), step_kw, rounding)
        most = where(most * (one + rounding) < min_discharge_kw, zero, most)
        return where(allowed, most, zero)

    @compile_
    def hours_after_export(
        export_kw, soc, target_soc, step_h, discharge_efficiency, max_charge_kw, capacity_kwh, taper_soc, accept_kw,
        efficiency, loss_kw,
    ):  # fmt: skip
        """Hours at full power to the target after a step of export."""
        after, _ = discharge(soc, export_kw, step_h, capacity_kwh, discharge_efficiency, loss_kw, zero)
        return hours_to(target_soc, after, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw)

    @compile_
    def mandatory(
        progress_h, need_h, soc, known, target_soc, step_h, min_soc, can_charge_kw, min_charge_kw, step_kw,
        max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw, rounding,
    ):  # fmt: skip
        """Least set-point that advances the car by `progress_h` of its `need_h` hours at full power.

        Rounded up to the minimum current and to the charger's step; below `min_soc` a car charges at once.
        """
        after = floor_after(
            target_soc,
            need_h - progress_h,
            max_charge_kw,
            capacity_kwh,
            taper_soc,
            accept_kw,
            efficiency,
            loss_kw,
        )
        after = where(progress_h > tiny_h, minimum(after, target_soc), zero)
        after = where(known & (soc < min_soc), maximum(after, minimum(min_soc, target_soc)), after)
        power = power_to_reach(
            after, soc, step_h, max_charge_kw, capacity_kwh, taper_soc, accept_kw, efficiency, loss_kw
        )
        most = draw(soc, known, max_charge_kw, taper_soc, accept_kw, efficiency, loss_kw)
        power = where(progress_h >= step_h, most, minimum(power, most))
        power = maximum(ceil_to_step(power, step_kw, rounding), min_charge_kw)
        due = (progress_h > tiny_h) | (after > soc)
        return where(due, minimum(power, can_charge_kw), zero)

    return CarModel(
        plan_soc,
        plan_target,
        hours_to,
        taper_hours,
        draw,
        can_charge,
        can_export,
        hours_after_export,
        mandatory,
    )


@cache
def car_model(backend: str) -> CarModel:
    """The car model of `backend`; see `physics.backends.operations`."""
    ops, port = operations(backend), port_model(backend)
    return make_car_model(ops, port, compile_scalar) if backend == "numba" else make_car_model(ops, port)
