"""Who asks in the study of the guarantee, and the references that it is compared with.

Symbols: `B` worlds, `N` ports, `G` groups (sites or feeders).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.physics.backends import port_model, rounding_of
from ...envs.safety.car import car_model
from ...envs.safety.projection import Projector
from ...envs.snapshot import Snapshot

Array = NDArray[Any]
Choose = Callable[[Snapshot], Array]
"""From what is known now to set-points (B, N)."""

REQUESTS = ("always pause", "always export", "random", "charge all")
REFERENCES = ("latest start alone", "charge at once")
TINY_KW = 1e-9


class CarNow(NamedTuple):
    """Each car alone, (B, N); an empty port needs nothing."""

    top_kw: Array  # highest set-point that makes sense now
    need_h: Array  # hours at full power to the target
    laxity_h: Array
    floor_kw: Array  # set-point that its own latest start asks for now


def projected(projector: Projector, request: str, seed: int) -> Choose:
    """A controller of `REQUESTS` behind the projection."""
    rng = np.random.default_rng(seed)

    def choose(snapshot: Snapshot) -> Array:
        wish = _wish(request, snapshot, rng)
        return np.asarray(projector.project(snapshot, wish).applied_kw)

    return choose


def _wish(request: str, snapshot: Snapshot, rng: np.random.Generator) -> Array:
    ports = snapshot.ports
    if request == "random":
        return np.asarray(rng.uniform(-ports.max_discharge_kw, ports.max_charge_kw))
    most = {"always pause": 0.0, "always export": -np.inf, "charge all": np.inf}
    return np.full(ports.plugged.shape, most[request])


def reference(name: str) -> Choose:
    """A controller of `REFERENCES`, which obeys the limits and looks at no later step than the present one."""

    def choose(snapshot: Snapshot) -> Array:
        cars = cars_now(snapshot)
        wanted = cars.floor_kw
        if name == "charge at once":
            wanted = np.where(cars.need_h > 0.0, cars.top_kw, 0.0)
        return _least_laxity_first(snapshot, wanted, cars.laxity_h)

    return choose


def cars_now(snapshot: Snapshot) -> CarNow:
    """Need, laxity and own floor of every car."""
    p, model, h = snapshot.ports, car_model("numpy"), snapshot.step_h
    ceil_to_step, rounding = port_model("numpy").ceil_to_step, rounding_of(p.soc)
    known = np.isfinite(p.soc)
    with np.errstate(all="ignore"):
        soc = model.plan_soc(p.soc, known, p.need_kwh, p.capacity_kwh)
        target = model.plan_target(p.soc, known, p.target_soc, p.charge_limit_soc, p.min_soc)
        top = model.can_charge(p.soc, known, p.need_kwh, p.charge_limit_soc, p.max_charge_kw)
        # As the projection does: a car in its taper is offered no more than it takes.
        draw = model.draw(
            p.soc, known, p.max_charge_kw, p.taper_soc, p.battery_accept_kw, p.charge_efficiency, p.fixed_loss_kw
        )
        top = np.minimum(top, np.maximum(ceil_to_step(draw, p.step_kw, rounding), p.min_charge_kw))
        car = (
            p.max_charge_kw,
            p.capacity_kwh,
            p.taper_soc,
            p.battery_accept_kw,
            p.charge_efficiency,
            p.fixed_loss_kw,
        )
        need = np.where(p.plugged & (top > 0.0), model.hours_to(target, soc, *car), 0.0)
        left = np.maximum(p.steps_left, 1) * h
        due = np.clip(need - (left - h), 0.0, h)
        floor = model.mandatory(
            due, need, soc, known, target, h, p.min_soc, top, p.min_charge_kw, p.step_kw, *car,
            rounding,
        )  # fmt: skip
    return CarNow(*(np.where(p.plugged, x, 0.0) for x in (top, need, left - need, floor)))


def _least_laxity_first(snapshot: Snapshot, wanted_kw: Array, laxity_h: Array) -> Array:
    """Serve the cars in order of laxity while the rooms of their site and feeder last."""
    p, sites, feeders = snapshot.ports, snapshot.sites, snapshot.feeders
    site_room = np.maximum(sites.import_limit_kw.now() - sites.net_load_kw, 0.0)
    feeder_room = np.maximum(feeders.import_limit_kw.now() - feeders.net_load_kw, 0.0)
    order, worlds = np.argsort(laxity_h, axis=1, kind="stable"), np.arange(len(wanted_kw))
    given = np.zeros_like(wanted_kw)
    for port in order.T:
        site = snapshot.port_site[port]
        feeder = sites.feeder[site]
        room = np.minimum(site_room[worlds, site], feeder_room[worlds, feeder])
        power = np.minimum(wanted_kw[worlds, port], room)
        power = np.where(power < np.maximum(p.min_charge_kw[worlds, port], TINY_KW), 0.0, power)
        site_room[worlds, site] -= power
        feeder_room[worlds, feeder] -= power
        given[worlds, port] = power
    return given
