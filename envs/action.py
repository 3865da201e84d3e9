"""From a policy's action to requested power (contracts 7)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .encoding.fields import DEAD_BAND
from .physics.backends import operations, rounding_of
from .physics.team import Team, team_of
from .safety.car import car_model
from .safety.survey import survey
from .snapshot import Snapshot


def requested_power(snapshot: Snapshot, action: Any, backend: str = "numpy", threads: int | Team = 1) -> Any:
    """Requested kW (B, N) of an action (B, N) in [-1, 1].

    Positive is a share of what the port can take now, negative of what it can give now without breaking its reserve
    or its departure, and 0 (or NaN) pauses.
    """
    if backend == "numba":
        return _compiled(snapshot, action, threads)
    o, car, p = operations(backend), car_model(backend), snapshot.ports
    one, known = p.capacity_kwh * 0 + 1, p.soc == p.soc
    share = o.minimum(o.maximum(o.where(action == action, action, one * 0), -1.0), 1.0)
    share = o.where(o.maximum(share, -share) < DEAD_BAND, one * 0, share)

    def filled(column: Any) -> Any:
        return o.where(p.plugged, column, one * 0.5)

    capacity = filled(p.capacity_kwh)
    soc = car.plan_soc(p.soc, known, p.need_kwh, capacity)
    target = car.plan_target(p.soc, known, p.target_soc, p.charge_limit_soc, p.min_soc)
    take = car.can_charge(p.soc, known, p.need_kwh, p.charge_limit_soc, p.max_charge_kw)
    give = car.can_export(
        known & p.export_consent & (p.steps_left > 0) & (p.max_discharge_kw > 0), soc, target,
        (p.steps_left - 1) * one * snapshot.step_h, snapshot.step_h, p.reserve_soc, p.min_soc, p.max_discharge_kw,
        p.min_discharge_kw, p.step_kw, filled(p.discharge_efficiency), p.max_charge_kw, capacity, filled(p.taper_soc),
        filled(p.battery_accept_kw), filled(p.charge_efficiency), p.fixed_loss_kw,
        rounding_of(p.soc),
    )  # fmt: skip
    return o.where(share > 0, share * take, share * give)


@cache
def _decoder() -> Any:
    from .encoding.decoder import decode
    from .physics.compiling import Direct

    return Direct(decode)


def _compiled(snapshot: Snapshot, action: Any, threads: int | Team) -> Any:
    decode, team = _decoder(), team_of(threads)
    cars = survey(snapshot, team)
    dtype = snapshot.ports.soc.dtype
    actions, requested = np.ascontiguousarray(action, dtype), np.empty(np.shape(action), dtype)

    def part(lo: int, hi: int) -> None:
        decode(snapshot.layout, lo, hi, snapshot.ports.plugged, cars.take_kw, cars.give_kw, actions, requested)

    team.share(part, snapshot.n_worlds)
    return requested
