"""The action's meaning in kW, compiled; see `envs.action.requested_power`."""

from __future__ import annotations

from ..physics.compiling import kernel
from ..safety.car import car_model
from .fields import DEAD_BAND

_car = car_model("numba")
plan_soc, plan_target, can_charge, can_export = (
    _car.plan_soc,
    _car.plan_target,
    _car.can_charge,
    _car.can_export,
)


@kernel
def decode(lo, hi, ports, step_h, rounding, actions, requested):
    """Write the requested kW of worlds `lo .. hi`."""
    p = ports
    for b in range(lo, hi):
        for n in range(actions.shape[1]):
            share = min(max(actions[b, n], -1.0), 1.0)
            requested[b, n] = 0.0
            if not p.plugged[b, n] or not abs(share) >= DEAD_BAND:
                continue
            known = p.soc[b, n] == p.soc[b, n]
            if share > 0.0:
                requested[b, n] = share * can_charge(
                    p.soc[b, n], known, p.need_kwh[b, n], p.charge_limit_soc[b, n], p.max_charge_kw[b, n]
                )
                continue
            if not (known and p.export_consent[b, n] and p.steps_left[b, n] > 0 and p.max_discharge_kw[b, n] > 0.0):
                continue
            target = plan_target(p.soc[b, n], known, p.target_soc[b, n], p.charge_limit_soc[b, n], p.min_soc[b, n])
            requested[b, n] = share * can_export(
                True, p.soc[b, n], target, (p.steps_left[b, n] - 1) * step_h, step_h, p.reserve_soc[b, n],
                p.min_soc[b, n], p.max_discharge_kw[b, n], p.min_discharge_kw[b, n], p.step_kw[b, n],
                p.discharge_efficiency[b, n], p.max_charge_kw[b, n], p.capacity_kwh[b, n], p.taper_soc[b, n],
                p.battery_accept_kw[b, n], p.charge_efficiency[b, n], p.fixed_loss_kw[b, n], rounding,
            )  # fmt: skip
