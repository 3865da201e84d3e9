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


def sound_parameters(ports: Ports) -> Array:
    """Where every parameter can be true by itself and beside the others, (N,)."""
    sound = np.ones(len(ports.id), bool)
    for name, field in PORT_FIELDS.items():
        if name in READINGS:
            continue
        column = getattr(ports, name)
        optional = field.default is not None and np.isnan(field.default)
        sound &= (column >= field.low) & (column <= field.high) | (optional & np.isnan(column))
    accept = np.where(np.isnan(ports.battery_accept_kw), np.inf, ports.battery_accept_kw)
    at_battery = np.minimum(ports.charge_efficiency * ports.max_charge_kw - ports.fixed_loss_kw, accept)
    can = (at_battery > USABLE_KW) & (ports.min_charge_kw <= ports.max_charge_kw)
    return sound & (can | (ports.max_charge_kw == 0.0)) & (ports.step_kw <= np.maximum(ports.max_charge_kw, 1.0))


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
