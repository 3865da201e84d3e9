"""The physics of one port and its battery, written once for every back end (contracts 2).

`make_port_model` closes over a set of elementwise operations, so the same bodies run on NumPy arrays, on torch
tensors (differentiable) and, compiled by Numba, on scalars. All powers are kW at the grid side, energies kWh at the
battery, times hours, SoC a fraction. A charging battery of capacity `C` accepts `B` kW up to `taper_soc`, then
`B (1-s)/(1-taper_soc)`; efficiency and a fixed loss `p0` make the grid power affine in the battery power. Every
formula is exact within the step, so steps of 1, 5 and 15 minutes agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

FULL_SOC = 0.995
"""A battery counts as full here; the linear taper would never end (contracts 2)."""

NEWTON_STEPS = 5
"""Newton's method on `w - ln(1+w) = L` from `sqrt(2L) + 2L/3` is at rounding error after five for every L < 60."""


class Operations(NamedTuple):
    """Elementwise operations of one back end; `number` makes its literals.

    Most cars are not in their taper, and a logarithm costs as much as the rest of a formula: the three that are mostly
    trivial say so, and compiled scalars branch.
    """

    where: Callable[..., Any]
    minimum: Callable[..., Any]
    maximum: Callable[..., Any]
    decay: Callable[..., Any]  # exp(-x) where x > 0, else 1
    log: Callable[..., Any]
    log_above_one: Callable[..., Any]  # log(x) where x > 1, else 0
    sqrt: Callable[..., Any]
    floor: Callable[..., Any]
    number: Callable[[float], Any]
    where_needed: Callable[..., Any]  # of condition, function, a, b: function(a, b) where it holds, else any number


class PortModel(NamedTuple):
    """The functions of one back end; see their docstrings in `make_port_model`."""

    floor_to_step: Callable[..., Any]
    ceil_to_step: Callable[..., Any]
    offered_one_way: Callable[..., Any]
    offered_power: Callable[..., Any]
    full_power: Callable[..., Any]
    taper_start: Callable[..., Any]
    charge: Callable[..., Any]
    discharge: Callable[..., Any]
    time_to: Callable[..., Any]
    latest_start: Callable[..., Any]
    power_to_reach: Callable[..., Any]


def make_port_model(ops: Operations, compile_: Callable[..., Any] = lambda function: function) -> PortModel:
    """Build the port model for one back end.

    Args:
        ops: elementwise operations, on arrays or scalars.
        compile_: applied to every function, `numba.njit` for the compiled back end.
    """
    where, minimum, maximum, floor = ops.where, ops.minimum, ops.maximum, ops.floor
    decay, log, log_above_one, sqrt = ops.decay, ops.log, ops.log_above_one, ops.sqrt
    zero, half, one, two, tiny = (ops.number(x) for x in (0.0, 0.5, 1.0, 2.0, 1e-12))
    where_needed = ops.where_needed
    two_thirds, full = ops.number(2.0 / 3.0), ops.number(FULL_SOC)

    @compile_
    def floor_to_step(power_kw, step_kw, rounding):
        """Greatest multiple of `step_kw` (0: continuous) not above `power_kw`, but for a relative `rounding`."""
        safe = where(step_kw > zero, step_kw, one)
        steps = floor(power_kw / safe + half)
        steps = where(steps * safe > power_kw * (one + rounding), steps - one, steps)
        return where(step_kw > zero, steps * safe, power_kw)

    @compile_
    def ceil_to_step(power_kw, step_kw, rounding):
        """Least multiple of `step_kw` (0: continuous) not below `power_kw`, but for a relative `rounding`."""
        safe = where(step_kw > zero, step_kw, one)
        steps = floor(power_kw / safe + half)
        steps = where(steps * safe * (one + rounding) < power_kw, steps + one, steps)
        return where(step_kw > zero, steps * safe, power_kw)

    @compile_
    def offered_one_way(wish_kw, most_kw, least_kw, step_kw, rounding):
        """What the charger makes of a wish to charge, or to export: clipped, on its step, below its minimum a pause."""
        power = floor_to_step(minimum(maximum(wish_kw, zero), most_kw), step_kw, rounding)
        return where(power * (one + rounding) < least_kw, zero, power)

    @compile_
    def offered_power(setpoint_kw, max_charge_kw, max_discharge_kw, min_charge_kw, min_discharge_kw, step_kw, rounding):
        """What the charger makes of a set-point, in either direction."""
        up = offered_one_way(setpoint_kw, max_charge_kw, min_charge_kw, step_kw, rounding)
        return up - offered_one_way(-setpoint_kw, max_discharge_kw, min_discharge_kw, step_kw, rounding)

    @compile_
    def full_power(max_charge_kw, battery_accept_kw, efficiency, fixed_loss_kw):
        """Battery power at the full set-point, before the taper."""
        return minimum(maximum(efficiency * max_charge_kw - fixed_loss_kw, zero), battery_accept_kw)

    @compile_
    def taper_start(battery_kw, battery_accept_kw, taper_soc):
        """SoC at which a set-point that gives `battery_kw` begins to taper: a weak charger tapers late."""
        return maximum(taper_soc, one - (one - taper_soc) * battery_kw / battery_accept_kw)

    @compile_
    def charge(soc, power_kw, hours, capacity_kwh, taper_soc, battery_accept_kw, efficiency, fixed_loss_kw, stop_soc):
        """Charge at a set-point > 0 until `stop_soc`; returns the SoC after `hours` and the grid's kWh."""
        battery_kw = full_power(power_kw, battery_accept_kw, efficiency, fixed_loss_kw)
        safe_kw = maximum(battery_kw, tiny)
        tau = capacity_kwh * (one - taper_soc) / battery_accept_kw
        knee = taper_start(battery_kw, battery_accept_kw, taper_soc)
        straight = minimum(knee, stop_soc)
        to_straight = maximum(straight - soc, zero) * capacity_kwh / safe_kw
        bent = maximum(one - maximum(knee, soc), tiny) / maximum(one - stop_soc, tiny)
        # Who is not through with the straight part in time has no use for the logarithm.
        to_stop = to_straight + tau * log_above_one(where(to_straight < hours, bent, one))
        on = where((soc < stop_soc) & (battery_kw > zero), minimum(hours, to_stop), zero)
        constant = minimum(to_straight, on)
        soc_bend = soc + battery_kw * constant / capacity_kwh
        soc_end = one - (one - soc_bend) * decay((on - constant) / tau)
        soc_end = maximum(minimum(soc_end, stop_soc), soc)
        return soc_end, (capacity_kwh * (soc_end - soc) + fixed_loss_kw * on) / efficiency

    @compile_
    def discharge(soc, power_kw, hours, capacity_kwh, efficiency, fixed_loss_kw, floor_soc):
        """Export `power_kw` > 0 down to `floor_soc`; returns the SoC after `hours` and the grid's kWh (positive)."""
        battery_kw = (power_kw + fixed_loss_kw) / efficiency
        room = maximum(soc - floor_soc, zero) * capacity_kwh / maximum(battery_kw, tiny)
        on = where(power_kw > zero, minimum(hours, room), zero)
        return soc - battery_kw * on / capacity_kwh, power_kw * on

    @compile_
    def time_to(target_soc, soc, battery_kw, knee, tau, capacity_kwh):
        """Hours at full power from `soc` to `target_soc` (at most 0.995), through the taper from `knee` on."""
        goal = minimum(target_soc, full)
        straight = maximum(minimum(knee, goal) - soc, zero) * capacity_kwh / maximum(battery_kw, tiny)
        bent = maximum(one - maximum(knee, soc), tiny) / (one - goal)
        return straight + tau * log_above_one(bent)

    @compile_
    def latest_start(target_soc, hours, battery_kw, knee, tau, capacity_kwh):
        """Least SoC from which full power reaches `target_soc` in `hours` (contracts 2, latest start)."""
        goal = minimum(target_soc, full)
        rest = one - goal
        bend_h = tau * log_above_one((one - knee) / rest)
        in_taper = one - maximum(one - knee, rest) * decay((bend_h - hours) / tau)
        return minimum(in_taper, goal) - battery_kw * maximum(hours - bend_h, zero) / capacity_kwh

    @compile_
    def into_taper(open_ratio, taper_times):
        """`u - 1` of `power_to_reach`, from `(1-goal)/(1-soc)` and `hours/tau`."""
        excess = maximum(log(open_ratio) + taper_times, zero)
        w = sqrt(two * excess) + two_thirds * excess
        for _ in range(NEWTON_STEPS):
            w = w - (w - log_above_one(one + w) - excess) * (one + w) / maximum(w, tiny)
            w = maximum(w, zero)
        return w

    @compile_
    def power_to_reach(
        goal_soc,
        soc,
        hours,
        max_charge_kw,
        capacity_kwh,
        taper_soc,
        battery_accept_kw,
        efficiency,
        fixed_loss_kw,
    ):
        """Least set-point that lifts `soc` to `goal_soc` in `hours`; the full one where none does, 0 where none is due.

        Below the taper the battery power is constant. Through it, with `x = 1 - taper start`, `u = (1-soc)/x` and
        `b = C x / tau`, the end of the step is `(1-goal) = x exp(u - 1 - hours/tau)`, hence
        `u - 1 - ln u = ln((1-goal)/(1-soc)) + hours/tau`, which is convex and solved by Newton's method. `u` is the
        ratio of the open SoC now to that at the taper's start.
        """
        tau = capacity_kwh * (one - taper_soc) / battery_accept_kw
        constant_kw = capacity_kwh * (goal_soc - soc) / hours
        tapers = goal_soc > taper_start(constant_kw, battery_accept_kw, taper_soc)
        open_now = maximum(one - soc, tiny)
        w = where_needed(tapers, into_taper, where(tapers, maximum(one - goal_soc, tiny) / open_now, one), hours / tau)
        bent_kw = capacity_kwh * open_now / (tau * (one + w))
        battery_kw = where(tapers, bent_kw, constant_kw)
        power = minimum((battery_kw + fixed_loss_kw) / efficiency, max_charge_kw)
        return where(goal_soc > soc, power, zero)

    return PortModel(
        floor_to_step, ceil_to_step, offered_one_way, offered_power, full_power, taper_start,
        charge, discharge, time_to, latest_start, power_to_reach,
    )  # fmt: skip
