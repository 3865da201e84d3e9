"""What the linear programme needs of the battery: its best efficiency, and the taper as tangents (contracts 2).

Let `o = C - e` be the open energy, `y` the open energy at which full power begins to taper, and `delta = hours / tau`
with `tau = C (1-s_t)/B`. Full power ends at the open energy `f(o) = o - delta y` above `y (1 + delta)`, at
`y exp(o/y - 1 - delta)` through the bend and at `o exp(-delta)` below `y`. `f` is convex, so each of its tangents
bounds it from below, and with `w = o/y` clipped to `[1, 1 + delta]` and `slope = exp(w - 1 - delta)` it is
`f(o) = slope (o + (1-w) y)`: value and tangent in one formula (`research/guarantee_and_bounds.md` section 2).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.physics.backends import port_model
from .problem import PlanStays

Array = NDArray[Any]


class Battery(NamedTuple):
    """Charging and discharging of each stay at full power; every array is `(J,)`."""

    full_kw: Array  # battery power at the full set-point below the taper; 0: it cannot charge
    draw_kw: Array  # grid power that goes with it, the most that it ever draws
    gain: Array  # kWh in the battery for a grid kWh, at best
    drain: Array  # kWh out of the battery for a grid kWh exported, at least
    capacity_kwh: Array
    bend_kwh: Array  # open energy at which full power begins to taper, `y`
    tau_h: Array

    def of(self, stay: Array) -> Battery:
        """The rows of `stay`."""
        return Battery(*(column[stay] for column in self))


def battery_of(stays: PlanStays) -> Battery:
    """The batteries of the stays."""
    model = port_model("numpy")
    eta, loss, accept = stays.charge_efficiency, stays.fixed_loss_kw, stays.battery_accept_kw
    full = model.full_power(stays.max_charge_kw, accept, eta, loss)
    draw = np.where(full > 0, (full + loss) / eta, 0.0)
    share = loss / np.where(stays.max_discharge_kw > 0, stays.max_discharge_kw, 1.0)
    return Battery(
        full_kw=full,
        draw_kw=draw,
        gain=full / np.where(full > 0, draw, 1.0),
        drain=(1.0 + share) / stays.discharge_efficiency,
        capacity_kwh=stays.capacity_kwh,
        bend_kwh=stays.capacity_kwh * (1.0 - model.taper_start(full, accept, stays.taper_soc)),
        tau_h=stays.capacity_kwh * (1.0 - stays.taper_soc) / accept,
    )


class Tangent(NamedTuple):
    """The line `level + slope (e - at)` that the energy after charging never exceeds."""

    level_kwh: Array
    slope: Array


def full_power(battery: Battery, energy_kwh: Array, hours: Array | float) -> Tangent:
    """Energy after `hours` at full power from `energy_kwh`, and how it changes with that: a tangent from above."""
    delta, bend = hours / battery.tau_h, np.maximum(battery.bend_kwh, 1e-12)
    open_kwh = battery.capacity_kwh - energy_kwh
    w = np.clip(open_kwh / bend, 1.0, 1.0 + delta)
    slope = np.exp(w - 1.0 - delta)
    level = battery.capacity_kwh - slope * (open_kwh + (1.0 - w) * bend)
    stuck = battery.full_kw <= 0
    return Tangent(np.where(stuck, energy_kwh, level), np.where(stuck, 1.0, slope))


class Waste(NamedTuple):
    """How much battery power bad efficiency can cost beyond the best; every array is `(J,)`.

    With power `c` of at most `draw_kw`, what is wasted is at most `most_kw (1 - c/draw_kw)`: the fixed loss at a
    set-point of nothing, none at full power. Where the charger has a minimum it is also at most `per_kw c`, so that a
    car which takes nothing wastes nothing. Both hold within the taper, where the loss runs on while less is charged.
    """

    charge_kw: Array
    charge_per_kw: Array  # infinite without a minimum
    discharge_kw: Array


def waste_of(stays: PlanStays, battery: Battery) -> Waste:
    """The possible waste of each stay."""
    loss, eta = stays.fixed_loss_kw, stays.charge_efficiency
    # The least battery power while on: at the minimum set-point, or in the taper where charging stops.
    slowest = np.minimum(eta * stays.min_charge_kw - loss, (stays.capacity_kwh - stays.top_kwh) / battery.tau_h)
    worst = eta * slowest / np.where(slowest > 0, slowest + loss, 1.0)
    return Waste(
        charge_kw=np.where(battery.full_kw > 0, loss, 0.0),
        charge_per_kw=np.where(slowest > 0, np.maximum(battery.gain - worst, 0.0), np.inf),
        discharge_kw=np.where(stays.max_discharge_kw > 0, loss / stays.discharge_efficiency, 0.0),
    )
