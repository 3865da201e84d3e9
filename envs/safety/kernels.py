"""The projection, compiled: one loop over worlds in the order of contracts 5; `projection.py` tells what and why."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..physics.backends import port_model
from ..physics.compiling import kernel
from .car import car_model
from .export_kernels import export_on_step, keep_export_limits, need_after_exports, refill_exports
from .fit_kernels import fit_together, floors, last_unfit, own_floors
from .import_kernels import economic_laxity, import_rooms, imports_fit, order_by, share_imports
from .plan_kernels import fill, planned_now, power_at, sort_by_departure
from .reasons import Reason
from .tolerances import TOLERANCE

Array = NDArray[Any]

_car, _port = car_model("numba"), port_model("numba")
taper_hours, mandatory, ceil_to_step = _car.taper_hours, _car.mandatory, _port.ceil_to_step

NOT_FINITE, BOX, NO_EXPORT, RESERVE = (
    int(r) for r in (Reason.NOT_FINITE, Reason.BOX, Reason.NO_EXPORT, Reason.RESERVE)
)
DEPARTURE, LOOK_AHEAD, MIN_SOC = (int(r) for r in (Reason.DEPARTURE, Reason.LOOK_AHEAD, Reason.MIN_SOC))
MINIMUM, OVERRIDE = int(Reason.MINIMUM), int(Reason.OVERRIDE)


class Desk(NamedTuple):
    """Scratch of the projection of one world, each `(N,)` but for the last three."""

    soc: Array  # to plan with
    target: Array
    top: Array  # highest set-point that makes sense now
    want: Array
    must: Array
    need: Array
    key: Array
    economic: Array
    order: Array
    why: Array
    slots: Array  # (P, H)
    site_kw: Array  # (S,)
    feeder_kw: Array  # (F,)


def desk(n: int, sites: int, feeders: int, tariffs: int, horizon: int) -> Desk:
    """Fresh scratch arrays: a kernel allocates nothing."""
    columns = [np.zeros(n, np.int64 if name in ("order", "why") else np.float64) for name in Desk._fields[:10]]
    return Desk._make([*columns, np.zeros((tariffs, horizon)), np.zeros(sites), np.zeros(feeders)])


@kernel
def gather(b, ports, view, port_site, limits, step_h, cars, desk):
    """Compress the plugged-in cars of world `b` and plan-ready quantities; returns how many they are."""
    p, m = ports, view.count[b]
    for i in range(m):
        n = view.port[b, i]
        top, left = view.take_kw[b, n], max(p.steps_left[b, n], 1)
        desk.soc[i], desk.target[i], desk.top[i] = view.soc[b, n], view.target_soc[b, n], top
        cars.port[i] = n
        cars.site[i] = port_site[n]
        cars.feeder[i] = limits.site_feeder[port_site[n]]
        cars.left[i] = left
        loss = p.fixed_loss_kw[b, n]
        cars.power[i] = min(p.max_charge_kw[b, n], (p.battery_accept_kw[b, n] + loss) / p.charge_efficiency[b, n])
        need = view.need_h[b, n] / step_h if top > 0.0 else 0.0
        # What no plan can serve any more is not planned: the car leaves that much higher up in its taper.
        missed = max(need - left, 0.0)
        cars.need[i] = need - missed
        desk.need[i] = need - missed
        cars.bend[i] = -missed
    return m


@kernel
def note_tapers(b, m, ports, step_h, cars, target):
    """What the plan needs of each car's taper; where everybody can wait, nobody asks for it."""
    p = ports
    for i in range(m):
        n = cars.port[i]
        cars.base[i] = p.fixed_loss_kw[b, n] / p.charge_efficiency[b, n]
        cars.rate[i] = step_h * p.battery_accept_kw[b, n] / (p.capacity_kwh[b, n] * (1.0 - p.taper_soc[b, n]))
        if p.soc[b, n] == p.soc[b, n]:
            cars.bend[i] += (
                taper_hours(
                    target[i], p.max_charge_kw[b, n], p.capacity_kwh[b, n], p.taper_soc[b, n],
                    p.battery_accept_kw[b, n], p.charge_efficiency[b, n], p.fixed_loss_kw[b, n],
                ) / step_h
            )  # fmt: skip


@kernel
def box(b, m, ports, view, limits, cars, top, requested, want, why):
    """The wish of each car: finite, within what the port can take, and give without breaking a promise.

    Returns the kW that the cars give together.
    """
    p, given = ports, 0.0
    for i in range(m):
        n = cars.port[i]
        wish = requested[b, n]
        why[i] = 0
        if math.isnan(wish):
            wish = 0.0
            why[i] |= NOT_FINITE
        if p.override[b, n] > 0:
            wish = np.inf
            why[i] |= OVERRIDE
        if wish >= 0.0:
            want[i] = min(wish, top[i])
            if p.override[b, n] == 0 and want[i] < wish:
                why[i] |= BOX
            if want[i] < 0.5 * p.min_charge_kw[b, n]:
                want[i] = 0.0
            elif want[i] < p.min_charge_kw[b, n]:
                want[i] = min(p.min_charge_kw[b, n], top[i])
                why[i] |= MINIMUM
            continue
        known = p.soc[b, n] == p.soc[b, n]
        allowed = known and p.export_consent[b, n] and p.steps_left[b, n] > 0 and p.max_discharge_kw[b, n] > 0.0
        most = view.give_kw[b, n]
        want[i] = -export_on_step(b, n, p, min(-wish, most), limits.rounding)
        given -= want[i]
        if not allowed:
            why[i] |= NO_EXPORT
        elif -wish > p.max_discharge_kw[b, n]:
            why[i] |= BOX
        if allowed and most < min(-wish, p.max_discharge_kw[b, n]):
            why[i] |= RESERVE
    return given


@kernel
def must_charge(b, m, ports, limits, cars, soc, target, top, step_h, need, want, must, why):
    """Turn the floors (steps of full power due now) into mandatory set-points."""
    p = ports
    for i in range(m):
        n = cars.port[i]
        known = p.soc[b, n] == p.soc[b, n]
        progress = min(cars.now[i], 1.0) if want[i] >= 0.0 else 0.0
        must[i] = 0.0
        if progress <= 0.0 and not (known and p.soc[b, n] < p.min_soc[b, n]):
            continue
        must[i] = mandatory(
            progress * step_h, need[i] * step_h, soc[i], known, target[i], step_h, p.min_soc[b, n], top[i],
            p.min_charge_kw[b, n], p.step_kw[b, n], p.max_charge_kw[b, n], p.capacity_kwh[b, n], p.taper_soc[b, n],
            p.battery_accept_kw[b, n], p.charge_efficiency[b, n], p.fixed_loss_kw[b, n], limits.rounding,
        )  # fmt: skip
        if must[i] > 0.0:
            if known and p.soc[b, n] < p.min_soc[b, n]:
                why[i] |= MIN_SOC
            elif need[i] - (cars.left[i] - 1) > 1e-9:
                why[i] |= DEPARTURE
            else:
                why[i] |= LOOK_AHEAD


@kernel
def add_reserve(b, m, ports, cars, limits, wary_kw, top, must, order, key, need, why):
    """Raise the mandatory total to the `wary_kw` that the plan with margins says, least laxity first."""
    extra = wary_kw
    for i in range(m):
        extra -= must[i]
    if extra <= TOLERANCE:
        return
    count = 0
    for i in range(m):
        key[i] = cars.left[i] - need[i]
        order[count] = i
        count += 1 if need[i] > 0.0 and must[i] < top[i] else 0
    order_by(count, key, order)
    for at in range(count):
        i = order[at]
        n = cars.port[i]
        if extra <= TOLERANCE:
            break
        more = min(min(power_at(i, cars, need[i]) * min(need[i], 1.0), top[i]) - must[i], extra)
        if more <= 0.0:
            continue
        raised = min(
            max(ceil_to_step(must[i] + more, ports.step_kw[b, n], limits.rounding), ports.min_charge_kw[b, n]),
            top[i],
        )
        extra -= raised - must[i]
        must[i] = raised
        why[i] |= LOOK_AHEAD


@kernel
def look_ahead(b, m, ports, limits, step_h, headroom, arrivals, cars, desk, exporting, now_room):
    """Cut exports to what can be refilled, and write into `cars.now` the steps of full power that are due now.

    The margins come first: where everybody can wait in spite of them, nothing else is needed. Returns the kW that the
    plan with margins takes now.
    """
    soc, target, want, why, need = desk.soc, desk.target, desk.want, desk.why, desk.need
    last = last_unfit(b, m, cars, limits, headroom, arrivals)
    if last == 0:
        own_floors(m, cars)
        return 0.0
    note_tapers(b, m, ports, step_h, cars, target)
    sort_by_departure(m, cars)
    if not exporting or refill_exports(
        b, m, ports, cars, limits, step_h, soc, target, want, why, need, now_room, headroom, arrivals, last
    ):  # fmt: skip
        need_after_exports(b, m, ports, cars, limits, step_h, soc, target, want, 1.0, need)
        fill(b, m, cars, limits, headroom, arrivals, last)
    wary_kw = planned_now(m, cars)
    # What can wait under the margins can wait without them.
    if (headroom < 1.0 or arrivals > 0.0) and wary_kw > TOLERANCE:
        floors(b, m, cars, limits, 1.0, 0.0)
        return wary_kw
    return 0.0


@kernel
def answer(b, m, cars, limits, requested, want, why, applied, reasons):
    """Write what the cars get, and why it is not what was asked."""
    applied[b, :] = 0.0
    reasons[b, :] = 0
    for i in range(m):
        n = cars.port[i]
        asked = requested[b, n]
        # What no rule above has changed was only put on the charger's step, or below its minimum paused.
        if why[i] == 0 and abs(want[i] - asked) > limits.rounding * (1.0 + abs(asked)):
            why[i] = MINIMUM
        applied[b, n] = want[i]
        reasons[b, n] = why[i]


@kernel
def project(
    lo, hi, ports, view, port_site, sites, feeders, limits, prices, price_now, step_h, headroom, arrivals, requested,
    applied, reasons, cars, desk,
):  # fmt: skip
    """Project the requests of worlds `lo .. hi`; writes `applied` and `reasons` (B, N)."""
    soc, target, top, want, must, need, why = (
        desk.soc, desk.target, desk.top, desk.want, desk.must, desk.need, desk.why
    )  # fmt: skip
    site_kw, feeder_kw = desk.site_kw, desk.feeder_kw
    for b in range(lo, hi):
        m = gather(b, ports, view, port_site, limits, step_h, cars, desk)
        given = box(b, m, ports, view, limits, cars, top, requested, want, why)
        roomy = fit_together(b, m, cars, limits, headroom, arrivals)
        if given > 0.0:
            keep_export_limits(b, m, ports, sites, feeders, limits, cars, given, site_kw, feeder_kw, want, why)
        if given > 0.0 and not roomy:
            need_after_exports(b, m, ports, cars, limits, step_h, soc, target, want, 1.0, need)
        now_room = import_rooms(b, sites, feeders, site_kw, feeder_kw)
        wary_kw = 0.0
        if roomy:
            own_floors(m, cars)
        else:
            wary_kw = look_ahead(b, m, ports, limits, step_h, headroom, arrivals, cars, desk, given > 0.0, now_room)
        must_charge(b, m, ports, limits, cars, soc, target, top, step_h, need, want, must, why)
        if wary_kw > 0.0:
            add_reserve(b, m, ports, cars, limits, wary_kw, top, must, desk.order, desk.key, need, why)
        if not imports_fit(b, m, ports, limits, cars, site_kw, feeder_kw, want, must):
            for i in range(m):
                cars.need[i] = need[i]
            economic_laxity(b, m, cars, sites.tariff, prices, price_now, limits.horizon, desk.slots, desk.economic)
            share_imports(
                b, m, ports, limits, cars, site_kw, feeder_kw, want, must, desk.order, desk.key, desk.economic, why
            )  # fmt: skip
        answer(b, m, cars, limits, requested, want, why, applied, reasons)
