"""Which ports are described in a way that can be true, and what an undescribed or unseen car may draw by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..messages.fields import PORT_FIELDS, READINGS
from ..messages.request import DispatchRequest, Ports

Array = Any

USABLE_KW = 0.05
"""Battery power at full set-point below which a charger cannot charge a car."""

UNKNOWN_CAR_KW = 11.0
"""What a car is taken to draw of which nobody can say how strong its charger is: three phases of 16 A."""


HARMLESS = {"capacity_kwh": 60.0, "max_charge_kw": 0.0}
"""In place of a parameter that cannot be true and has no default: the formulas meet it although the car is released."""

BETWEEN_STEPS = 1e-6

AGES = ("plugged_age_s", "soc_age_s", "power_age_s", "last_setpoint_age_s")


def tamed(ports: Ports) -> tuple[Ports, Array]:
    """The columns with nothing in them that formulas choke on, and where all parameters can be true, (N,).

    Parameters of a port that is not sound are harmless ones; of the readings, those that cannot be true are missing,
    but for a SoC, which is only kept near its bounds so that the gates can tell that it was sent.
    """
    sound = np.ones(len(ports.id), bool)
    for name in _PARAMETERS:
        default = PORT_FIELDS[name].default
        optional = default is not None and np.isnan(default)
        sound &= within(ports, name) | (np.isnan(getattr(ports, name)) & optional)
    least = {name: _on_step(_with(ports, sound), name) for name in ("min_charge_kw", "min_discharge_kw")}
    ports = ports._replace(**{name: np.where(sound, column, getattr(ports, name)) for name, column in least.items()})
    sound &= _consistent(_with(ports, sound))
    readings = {name: np.clip(getattr(ports, name), *PORT_FIELDS[name][1:3]) for name in AGES}
    readings |= {
        name: np.where(within(ports, name), getattr(ports, name), np.nan)
        for name in ("need_kwh", "power_kw", "last_setpoint_kw", "commands_today")
    }
    return _with(ports, sound)._replace(soc=np.clip(ports.soc, -1.0, 2.0), **readings), sound


_PARAMETERS = tuple(name for name in PORT_FIELDS if name not in READINGS)


def within(ports: Ports, name: str) -> Array:
    """Where a column lies within its bounds, (N,); NaN does not."""
    column = getattr(ports, name)
    return (column >= PORT_FIELDS[name].low) & (column <= PORT_FIELDS[name].high)


def _with(ports: Ports, sound: Array) -> Ports:
    if sound.all():
        return ports
    return ports._replace(
        **{
            name: np.where(sound, getattr(ports, name), HARMLESS.get(name, PORT_FIELDS[name].default))
            for name in _PARAMETERS
        }
    )


def _on_step(p: Ports, name: str) -> Array:
    """A least power raised to the charger's next step, where it lies between two: the projection rounds to steps."""
    least, step = getattr(p, name), np.where(p.step_kw > 0.0, p.step_kw, 1.0)
    steps = least / step
    between = (p.step_kw > 0.0) & (np.abs(steps - np.rint(steps)) > BETWEEN_STEPS)
    return np.where(between, np.ceil(steps) * step, least)


def _consistent(p: Ports) -> Array:
    """Where the parameters can be true beside each other."""
    accept = np.where(np.isnan(p.battery_accept_kw), np.inf, p.battery_accept_kw)
    at_battery = np.minimum(p.charge_efficiency * p.max_charge_kw - p.fixed_loss_kw, accept)
    can = (at_battery > USABLE_KW) & (p.min_charge_kw <= p.max_charge_kw)
    return (can | (p.max_charge_kw == 0.0)) & (p.step_kw <= np.maximum(p.max_charge_kw, 1.0))


def own_draw_kw(ports: Ports) -> Array:
    """The most that each port's car may draw when nobody tells it anything, kW (N,)."""
    strongest = PORT_FIELDS["max_charge_kw"].high
    known = (ports.max_charge_kw >= 0.0) & (ports.max_charge_kw <= strongest)
    return np.where(known, ports.max_charge_kw, UNKNOWN_CAR_KW)


def make_room(request: DispatchRequest, draw_kw: Array, released: Array) -> DispatchRequest:
    """The request with import limits lowered by what the released cars may draw by themselves."""
    if not released.any():
        return request
    draw = np.where(released, draw_kw, 0.0)
    at_sites = np.bincount(request.ports.site, draw, len(request.sites.id))
    at_feeders = np.bincount(request.sites.feeder, at_sites, len(request.feeders.id))
    sites = request.sites._replace(import_limit_kw=_less(request.sites.import_limit_kw, at_sites))
    feeders = request.feeders._replace(import_limit_kw=_less(request.feeders.import_limit_kw, at_feeders))
    return replace(request, sites=sites, feeders=feeders)


def _less(limits: Array, taken_kw: Array) -> Array:
    """Limits (G, H), NaN none, less what is taken."""
    return np.maximum(limits - taken_kw[:, None], 0.0)
