"""The encoder, compiled: one loop over worlds; `fields.py` tells what is written where."""

from __future__ import annotations

import math

from ..physics.compiling import kernel, write_row
from .features import features
from .fields import (
    DAY_H,
    DEMAND_SCALE,
    EMISSION_SCALE,
    HEADROOM_EVERY_H,
    HEADROOM_POINTS,
    RATE_SCALE,
)
from .level_kernels import find_levels
from .outlook_kernels import find_outlook, squash, write_prices

_features = features("numba")
of_site, of_port = _features.of_site, _features.of_port

HEADROOM_AT = 15
"""Where the headroom begins in the context, after the clock, the fleet and the events."""


@kernel
def clip(x, low, high):
    return min(max(x, low), high)


@kernel
def longest_stay(b, ports, cars, horizon):
    """Steps of outlook that some car of the world stays for."""
    steps = 1
    for i in range(cars.count[b]):
        steps = max(steps, ports.steps_left[b, cars.port[b, i]])
    return min(steps, horizon)


@kernel
def site_powers(b, max_charge_kw, port_site, site_cars):
    """Full set-points by site; of the only site in a register, since sums in memory wait for each other."""
    if site_cars.shape[0] == 1:
        total = 0.0
        for n in range(max_charge_kw.shape[1]):
            total += max_charge_kw[b, n]
        site_cars[0] = total
        return
    for s in range(site_cars.shape[0]):
        site_cars[s] = 0.0
    for n in range(max_charge_kw.shape[1]):
        site_cars[port_site[n]] += max_charge_kw[b, n]


@kernel
def clear(b, out):
    """Zeros in a row of `out`; written as a loop, which becomes wide stores."""
    for i in range(out.shape[1]):
        out[b, i] = 0.0


@kernel
def site_features(b, s, sites, price, export, desk):
    """What all ports of a site share, computed once for them."""
    limit, load = sites.import_limit_kw, sites.net_load_kw[b, s]
    room = limit.values[limit.row[b], s, limit.start[b]] - load
    return of_site(
        price, export, room, sites.peak_kw[b, s] - load, desk.site_cars[s], sites.demand_rate_usd_per_kw[b, s],
        desk.level[s] - load,
    )  # fmt: skip


@kernel
def encode(lo, hi, ports, cars, port_site, sites, feeders, context, due_kwh, step_h, horizon, out, around, mask, desk):
    """Write the observations of worlds `lo .. hi` into `out` (B, N * K), `around` (B, M), `mask` (B, N)."""
    p, site_cars, width, per_hour = ports, desk.site_cars, out.shape[1] // port_site.shape[0], round(1.0 / step_h)
    desk.key[:, 4] = -1
    desk.clock[0] = -1.0
    for b in range(lo, hi):
        q = find_outlook(b, context, longest_stay(b, ports, cars, horizon), per_hour, horizon, desk)
        site_powers(b, p.max_charge_kw, port_site, site_cars)
        find_levels(b, p, cars, port_site, sites, context, due_kwh, step_h, horizon, desk)
        needed, left, site = 0.0, 0.0, -1
        tariff, load, price, export, shared = 0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0, 0.0, 0.0)
        clear(b, out)
        mask[b, :] = 0.0
        for c in range(cars.count[b]):
            n = cars.port[b, c]
            mask[b, n] = 1.0
            if port_site[n] != site:  # ports come site by site
                site = port_site[n]
                tariff, load = sites.tariff[site], sites.net_load_kw[b, site]
                price = context.import_price_now_usd_per_kwh[b, tariff]
                export = context.export_price_now_usd_per_kwh[b, tariff]
                shared = site_features(b, site, sites, price, export, desk)
            known = p.soc[b, n] == p.soc[b, n]
            need_h, steps = cars.need_h[b, n], p.steps_left[b, n]
            at = min(max(steps, 1), horizon) - 1
            last = p.last_setpoint_kw[b, n]
            values = of_port(
                cars.soc[b, n], known, cars.target_soc[b, n], need_h, steps * step_h, cars.take_kw[b, n],
                cars.give_kw[b, n], p.capacity_kwh[b, n], p.charge_limit_soc[b, n], p.reserve_soc[b, n],
                p.min_soc[b, n], p.max_charge_kw[b, n], p.min_charge_kw[b, n], desk.slots[q, tariff, at],
                need_h / step_h, at + 1.0, price, desk.cheapest[q, tariff, at],
                desk.cheapest_at[q, tariff, at] * step_h, export, desk.best[q, tariff, at],
                0.0 if math.isnan(last) else last, load, float(p.override[b, n]), shared,
            )  # fmt: skip
            write_row(out, b * out.shape[1] + n * width, values)
            needed += need_h
            left += max(steps, 1) * step_h
        plugged, needed = cars.count[b] / port_site.shape[0], needed / max(left, 1e-9)
        write_context(b, feeders, sites, context, step_h, per_hour, horizon, plugged, needed, desk, around)
        write_prices(b, q, desk.outlook, around, HEADROOM_AT + HEADROOM_POINTS)


@kernel
def write_clock(b, second, clock, around):
    """The time of day on a circle; most worlds of a batch share it."""
    if clock[0] != second:
        angle = 2.0 * math.pi * second / 86400.0
        clock[0], clock[1], clock[2] = second, math.sin(angle), math.cos(angle)
    around[b, 0] = clock[1]
    around[b, 1] = clock[2]


@kernel
def write_context(b, feeders, sites, context, step_h, per_hour, horizon, plugged, needed, desk, around):
    """The part of the observation that is common to all ports, in the order of `CONTEXT_FIELDS`, but for the prices."""
    c, site_cars = context, desk.site_cars
    write_clock(b, c.seconds_of_day[b], desk.clock, around)
    emissions = c.emissions_now_kg_per_kwh[b]
    known = emissions == emissions
    demand = 0.0
    for s in range(site_cars.shape[0]):
        demand += sites.demand_rate_usd_per_kw[b, s]
    around[b, 2] = 1.0 if c.weekday[b] >= 5 else 0.0
    around[b, 3] = step_h
    around[b, 4] = plugged
    around[b, 5] = clip(needed, 0.0, 2.0)
    around[b, 6] = clip(c.price_known_steps[b] / horizon, 0.0, 1.0)
    around[b, 7] = clip(demand / site_cars.shape[0] / DEMAND_SCALE, 0.0, 2.0)
    around[b, 8] = clip(emissions / EMISSION_SCALE, 0.0, 2.0) if known else 0.0
    around[b, 9] = 1.0 if known else 0.0
    active, rate, starts, ends, pays = 0.0, 0.0, DAY_H, 0.0, 0.0
    ev = c.events
    for e in range(ev.known.shape[1]):
        if not ev.known[b, e] or ev.end_step[b, e] <= 0:
            continue
        rate = max(rate, ev.rate_usd_per_kwh[b, e])
        pays = max(pays, 1.0 if ev.pays_export[b, e] else 0.0)
        if ev.start_step[b, e] <= 0:
            active = 1.0
            ends = max(ends, ev.end_step[b, e] * step_h)
        else:
            starts = min(starts, ev.start_step[b, e] * step_h)
    around[b, 10] = active
    around[b, 11] = squash(rate, RATE_SCALE)
    around[b, 12] = clip(starts / DAY_H, 0.0, 1.0)
    around[b, 13] = clip(ends / DAY_H, 0.0, 1.0)
    around[b, 14] = pays
    cars = 0.0
    for s in range(site_cars.shape[0]):
        cars += site_cars[s]
    cars = max(cars, 1.0)
    write_headroom(b, feeders, cars, per_hour, horizon, around)


@kernel
def write_headroom(b, feeders, cars, per_hour, horizon, around):
    """Room under the feeders' limits, now and every few hours, over the full set-points of all cars."""
    limit, load = feeders.import_limit_kw, feeders.net_load_forecast_kw
    for i in range(HEADROOM_POINTS):
        h = min(i * HEADROOM_EVERY_H * per_hour, horizon - 1)
        room = 0.0
        for f in range(feeders.net_load_kw.shape[1]):
            now = feeders.net_load_kw[b, f] if i == 0 else load.values[load.row[b], f, load.start[b] + h]
            room += limit.values[limit.row[b], f, limit.start[b] + h] - now
        around[b, HEADROOM_AT + i] = clip(room / cars, -2.0, 2.0)
