"""The survey of the cars in array form, for NumPy and torch; see `survey`."""

from __future__ import annotations

from typing import Any

from ..physics.backends import operations, rounding_of
from ..snapshot import Snapshot
from .car import car_model
from .survey import CarNow


def survey_arrays(snapshot: Snapshot, backend: str) -> CarNow:
    """What the car model says of every car; `port` and `count` are None.

    NumPy's is kept with the snapshot. Torch's is not, for gradients pass through it.
    """
    if backend == "torch":
        return _surveyed(snapshot, backend)
    if backend not in snapshot.surveys:
        snapshot.surveys[backend] = _surveyed(snapshot, backend)
    made: CarNow = snapshot.surveys[backend]
    return made


def _surveyed(snapshot: Snapshot, backend: str) -> CarNow:
    o, car, p, step_h = operations(backend), car_model(backend), snapshot.ports, snapshot.step_h
    here, known = p.plugged, p.soc == p.soc
    zero = p.capacity_kwh * 0

    def filled(column: Any, value: float) -> Any:
        """Harmless numbers for empty ports: the formulas divide by them."""
        return o.where(here, column, zero + value)

    capacity = filled(p.capacity_kwh, 1.0)
    curve = (
        p.max_charge_kw, capacity, filled(p.taper_soc, 0.5), filled(p.battery_accept_kw, 1.0),
        filled(p.charge_efficiency, 1.0), p.fixed_loss_kw,
    )  # fmt: skip
    soc = car.plan_soc(p.soc, known, p.need_kwh, capacity)
    target = car.plan_target(p.soc, known, p.target_soc, p.charge_limit_soc, p.min_soc)
    take = car.can_charge(p.soc, known, p.need_kwh, p.charge_limit_soc, p.max_charge_kw)
    willing = here & known & p.export_consent & (p.steps_left > 0) & (p.max_discharge_kw > 0)
    give = car.can_export(
        willing, soc, target, (p.steps_left - 1) * (zero + step_h), step_h, p.reserve_soc, p.min_soc,
        p.max_discharge_kw, p.min_discharge_kw, p.step_kw, filled(p.discharge_efficiency, 1.0), *curve,
        rounding_of(p.soc),
    )  # fmt: skip
    need_h = o.where(here, car.hours_to(target, soc, *curve), zero)
    return CarNow(soc, target, o.where(here, take, zero), give, need_h, None, None)
