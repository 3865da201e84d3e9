"""What a rule wants to know of each car, by the projection's own model: need, time left, room both ways."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..physics.backends import rounding_of
from ..snapshot import PortColumns, Snapshot
from .car import car_model

Array = NDArray[Any]


class CarView(NamedTuple):
    """One number per port, each `(B, N)`; an empty port has 0 everywhere."""

    hours_to_target: Array  # at full power, through the taper
    steps_left: Array  # whole steps to the said departure; not below 0
    laxity_h: Array  # time left minus time needed
    can_charge_kw: Array  # full set-point, 0 where the charge limit is reached
    can_discharge_kw: Array  # over one step, keeping consent, reserve, minimum and the car's own latest start


def car_view(snapshot: Snapshot) -> CarView:
    """The present cars as the projection sees them, one by one, without the shared limits."""
    p, step_h, car = _harmless(snapshot.ports), snapshot.step_h, car_model("numpy")
    known, steps = ~np.isnan(p.soc), np.maximum(p.steps_left, 0)
    curve = (
        p.max_charge_kw,
        p.capacity_kwh,
        p.taper_soc,
        p.battery_accept_kw,
        p.charge_efficiency,
        p.fixed_loss_kw,
    )
    soc = car.plan_soc(p.soc, known, p.need_kwh, p.capacity_kwh)
    target = car.plan_target(p.soc, known, p.target_soc, p.charge_limit_soc, p.min_soc)
    need_h = np.where(p.plugged, car.hours_to(target, soc, *curve), 0.0)
    take = car.can_charge(p.soc, known, p.need_kwh, p.charge_limit_soc, p.max_charge_kw)
    willing = p.plugged & known & p.export_consent & (steps > 0)
    give = car.can_export(
        willing, soc, target, (steps - 1) * step_h, step_h, p.reserve_soc, p.min_soc, p.max_discharge_kw,
        p.min_discharge_kw, p.step_kw, p.discharge_efficiency, *curve, rounding_of(p.capacity_kwh),
    )  # fmt: skip
    steps = np.where(p.plugged, steps, 0)
    return CarView(need_h, steps, steps * step_h - need_h, np.where(p.plugged, take, 0.0), give)


def _harmless(ports: PortColumns) -> PortColumns:
    """The columns with ones where an empty port has zeros that the formulas divide by."""
    divisors = ("capacity_kwh", "battery_accept_kw", "charge_efficiency", "discharge_efficiency")
    filled = {name: np.where(ports.plugged, getattr(ports, name), 1.0) for name in divisors}
    kind = ports.capacity_kwh.dtype
    return ports._replace(
        taper_soc=np.where(ports.plugged, ports.taper_soc, 0.5).astype(kind),
        **{name: column.astype(kind) for name, column in filled.items()},
    )
