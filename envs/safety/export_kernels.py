"""Exports, compiled: what the export limits leave of them, and what can be refilled before the departures."""

from __future__ import annotations

import numpy as np

from ..physics.backends import port_model
from ..physics.compiling import kernel
from .car import car_model
from .fit_kernels import floors
from .plan_kernels import fill, planned_now
from .reasons import Reason
from .tolerances import REFILL_ROUNDING, REFILL_STEPS, STRAIN_ROUNDING_KW

hours_after_export = car_model("numba").hours_after_export
floor_to_step = port_model("numba").floor_to_step

REFILL, EXPORT_LIMIT = int(Reason.REFILL), int(Reason.EXPORT_LIMIT)


@kernel
def export_on_step(b, n, ports, power_kw, rounding):
    """Export rounded toward a pause: to the charger's step, and to none below its minimum."""
    power = floor_to_step(power_kw, ports.step_kw[b, n], rounding)
    return power if power * (1.0 + rounding) >= ports.min_discharge_kw[b, n] else 0.0


@kernel
def limit_exports(b, m, ports, limits, cars, group_of, rooms, sums, want, why):
    """Scale the exports of each group down to its export limit, all by the same share."""
    for i in range(m):
        sums[group_of[i]] = 0.0
    for i in range(m):
        if want[i] < 0.0:
            sums[group_of[i]] -= want[i]
    for i in range(m):
        g = group_of[i]
        if want[i] < 0.0 and sums[g] > rooms[g]:
            want[i] = -export_on_step(b, cars.port[i], ports, -want[i] * rooms[g] / sums[g], limits.rounding)
            why[i] |= EXPORT_LIMIT


@kernel
def keep_export_limits(b, m, ports, sites, feeders, limits, cars, given, site_kw, feeder_kw, want, why):
    """Scale the exports down to the limits of sites and feeders; `given` kW is their sum, which mostly fits."""
    least, at_sites, at_feeders = np.inf, sites.export_limit_kw, feeders.export_limit_kw
    for s in range(site_kw.shape[0]):
        limit = at_sites.values[at_sites.row[b], s, at_sites.start[b]]
        site_kw[s] = max(limit + sites.net_load_kw[b, s], 0.0)
        least = min(least, site_kw[s])
    for f in range(feeder_kw.shape[0]):
        limit = at_feeders.values[at_feeders.row[b], f, at_feeders.start[b]]
        feeder_kw[f] = max(limit + feeders.net_load_kw[b, f], 0.0)
        least = min(least, feeder_kw[f])
    if given > least:
        limit_exports(b, m, ports, limits, cars, cars.site, site_kw, cars.site_sum, want, why)
        limit_exports(b, m, ports, limits, cars, cars.feeder, feeder_kw, cars.feeder_sum, want, why)


@kernel
def need_after_exports(b, m, ports, cars, limits, step_h, soc, target, want, scale, need):
    """Steps of full power that each car needs after `scale` of the wished exports."""
    p = ports
    for i in range(m):
        cars.need[i] = need[i]
        if want[i] < 0.0:
            n = cars.port[i]
            power = export_on_step(b, n, p, -want[i] * scale, limits.rounding)
            cars.need[i] = (
                hours_after_export(
                    power, soc[i], target[i], step_h, p.discharge_efficiency[b, n], p.max_charge_kw[b, n],
                    p.capacity_kwh[b, n], p.taper_soc[b, n], p.battery_accept_kw[b, n], p.charge_efficiency[b, n],
                    p.fixed_loss_kw[b, n],
                ) / step_h
            )  # fmt: skip


@kernel
def lacking(m, cars, want, scale, now_room):
    """kW that the plan in `cars.now` lacks; infinite where a car that wants to export is due itself."""
    strain = max(planned_now(m, cars) - now_room, 0.0)
    for i in range(m):
        if scale > 0.0 and want[i] < 0.0 and cars.now[i] > REFILL_ROUNDING:
            return np.inf
        if cars.now[i] > 1.0:
            strain += cars.power[i] * (cars.now[i] - 1.0)
    return strain


@kernel
def refill_strain(b, m, ports, cars, limits, step_h, soc, target, want, scale, need, now_room, headroom, arrivals):
    """kW that the plan with margins lacks now after `scale` of the wished exports; floors are left in `cars.now`."""
    need_after_exports(b, m, ports, cars, limits, step_h, soc, target, want, scale, need)
    floors(b, m, cars, limits, headroom, arrivals)
    return lacking(m, cars, want, scale, now_room)


@kernel
def refill_exports(
    b, m, ports, cars, limits, step_h, soc, target, want, why, need, now_room, headroom, arrivals, last
):  # fmt: skip
    """Cut the exports to what can be refilled under the shared limits: none where the plan lacks room without them.

    `cars.need` is what the cars need after all they wish to export, which the latest starts do not fit in step `last`,
    the last such. Returns whether `cars.now` has yet to be planned for what is left of the exports.
    """
    fill(b, m, cars, limits, headroom, arrivals, last)
    strain = lacking(m, cars, want, 1.0, now_room)
    if strain <= STRAIN_ROUNDING_KW:
        return False
    least = refill_strain(b, m, ports, cars, limits, step_h, soc, target, want, 0.0, need, now_room, headroom, arrivals)
    wished = False
    for i in range(m):
        if want[i] < 0.0 and (least > STRAIN_ROUNDING_KW or cars.now[i] > REFILL_ROUNDING):
            want[i] = 0.0
            why[i] |= REFILL
        wished = wished or want[i] < 0.0
    if not wished:
        return False
    # Without the cars that are due, all of it may do after all.
    share = 1.0 if strain == np.inf else 0.5
    lo, hi = 0.0, 2.0 * share
    for _ in range(REFILL_STEPS):
        strain = refill_strain(
            b, m, ports, cars, limits, step_h, soc, target, want, share, need, now_room, headroom, arrivals
        )
        if strain <= STRAIN_ROUNDING_KW:
            lo = share
        else:
            hi = share
        if lo >= 1.0:
            return False
        share = 0.5 * (lo + hi)
    for i in range(m):
        if want[i] < 0.0:
            want[i] = -export_on_step(b, cars.port[i], ports, -want[i] * lo, limits.rounding)
            why[i] |= REFILL
    return True
