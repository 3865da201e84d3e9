"""The encoder, compiled: one loop over worlds; `fields.py` tells what is written where."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..physics.compiling import kernel
from .features import port_features as _port_features
from .fields import (
    DAY_H,
    DEMAND_SCALE,
    EMISSION_SCALE,
    HEADROOM_EVERY_H,
    HEADROOM_POINTS,
    OUTLOOK_HOURS,
    PRICE_SCALE,
    RATE_SCALE,
)

features = _port_features("numba")


class Desk(NamedTuple):
    """Scratch of the encoder: figures of each tariff's outlook (P, H), and full set-points by site (S,)."""

    slots: Any
    cheapest: Any
    cheapest_at: Any
    best: Any
    site_cars: Any


def desk(sites: int, tariffs: int, horizon: int) -> Desk:
    """Fresh scratch arrays: a kernel allocates nothing."""
    return Desk._make([*(np.zeros((tariffs, horizon)) for _ in range(4)), np.zeros(sites)])


@kernel
def clip(x, low, high):
    return min(max(x, low), high)


@kernel
def squash(x, scale):
    return x / (scale + abs(x))


@kernel
def longest_stay(b, ports, horizon):
    """Steps of outlook that some car of the world stays for."""
    steps = 0
    for n in range(ports.plugged.shape[1]):
        if ports.plugged[b, n]:
            steps = max(steps, max(ports.steps_left[b, n], 1))
    return min(steps, horizon)


@kernel
def price_tables(b, context, horizon, slots, cheapest, cheapest_at, best):
    """Running figures of each outlook: steps at or below the price now, cheapest so far and when, best export."""
    imports, exports = context.import_price_usd_per_kwh, context.export_price_usd_per_kwh
    for p in range(imports.values.shape[1]):
        now, sell = context.import_price_now_usd_per_kwh[b, p], context.export_price_now_usd_per_kwh[b, p]
        row, start = imports.row[b], imports.start[b]
        sell_row, sell_start = exports.row[b], exports.start[b]
        count, low, low_at, high = 1.0, now, 0.0, sell
        for h in range(horizon):
            if h > 0:
                price = imports.values[row, p, start + h]
                count += 1.0 if price <= now else 0.0
                if price < low:
                    low, low_at = price, float(h)
                high = max(high, exports.values[sell_row, p, sell_start + h])
            slots[p, h], cheapest[p, h], cheapest_at[p, h], best[p, h] = count, low, low_at, high


@kernel
def encode(lo, hi, ports, cars, port_site, sites, feeders, context, step_h, horizon, out, around, mask, desk):
    """Write the observations of worlds `lo .. hi` into `out` (B, N, K), `around` (B, M), `mask` (B, N)."""
    p, n_ports, site_cars = ports, port_site.shape[0], desk.site_cars
    slots, cheapest, cheapest_at, best = desk.slots, desk.cheapest, desk.cheapest_at, desk.best
    for b in range(lo, hi):
        price_tables(b, context, longest_stay(b, ports, horizon), slots, cheapest, cheapest_at, best)
        for i in range(site_cars.shape[0]):
            site_cars[i] = 0.0
        for n in range(n_ports):
            site_cars[port_site[n]] += p.max_charge_kw[b, n]
        plugged, needed, left = 0, 0.0, 0.0
        for n in range(n_ports):
            mask[b, n] = 0.0
            if not p.plugged[b, n]:
                for i in range(out.shape[2]):
                    out[b, n, i] = 0.0
                continue
            mask[b, n] = 1.0
            s = port_site[n]
            tariff = sites.tariff[s]
            known = p.soc[b, n] == p.soc[b, n]
            need_h, steps = cars.need_h[b, n], p.steps_left[b, n]
            at = min(max(steps, 1), horizon) - 1
            limit = sites.import_limit_kw
            load = sites.net_load_kw[b, s]
            last = p.last_setpoint_kw[b, n]
            values = features(
                cars.soc[b, n], known, cars.target_soc[b, n], need_h, steps * step_h, cars.take_kw[b, n],
                cars.give_kw[b, n], p.capacity_kwh[b, n], p.charge_limit_soc[b, n], p.reserve_soc[b, n],
                p.min_soc[b, n], p.max_charge_kw[b, n], slots[tariff, at], need_h / step_h, at + 1.0,
                context.import_price_now_usd_per_kwh[b, tariff], cheapest[tariff, at],
                cheapest_at[tariff, at] * step_h, context.export_price_now_usd_per_kwh[b, tariff], best[tariff, at],
                0.0 if math.isnan(last) else last, limit.values[limit.row[b], s, limit.start[b]] - load, load,
                sites.peak_kw[b, s] - load, site_cars[s], sites.demand_rate_usd_per_kw[b, s], float(p.override[b, n]),
            )  # fmt: skip
            for i, value in enumerate(values):
                out[b, n, i] = value
            plugged += 1
            needed += need_h
            left += max(steps, 1) * step_h
        write_context(
            b,
            feeders,
            sites,
            context,
            step_h,
            horizon,
            plugged / n_ports,
            needed / max(left, 1e-9),
            site_cars,
            around,
        )


@kernel
def write_context(b, feeders, sites, context, step_h, horizon, plugged, needed, site_cars, around):
    """The part of the observation that is common to all ports, in the order of `CONTEXT_FIELDS`."""
    c = context
    angle = 2.0 * math.pi * c.seconds_of_day[b] / 86400.0
    emissions = c.emissions_now_kg_per_kwh[b]
    known = emissions == emissions
    demand = 0.0
    for s in range(site_cars.shape[0]):
        demand += sites.demand_rate_usd_per_kw[b, s]
    around[b, 0] = math.sin(angle)
    around[b, 1] = math.cos(angle)
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
    at = 15
    per_hour = round(1.0 / step_h)
    limit, load = feeders.import_limit_kw, feeders.net_load_forecast_kw
    for i in range(HEADROOM_POINTS):
        h = min(i * HEADROOM_EVERY_H * per_hour, horizon - 1)
        room = 0.0
        for f in range(feeders.net_load_kw.shape[1]):
            now = feeders.net_load_kw[b, f] if i == 0 else load.values[load.row[b], f, load.start[b] + h]
            room += limit.values[limit.row[b], f, limit.start[b] + h] - now
        around[b, at] = clip(room / cars, -2.0, 2.0)
        at += 1
    imports, exports = c.import_price_usd_per_kwh, c.export_price_usd_per_kwh
    write_outlook(b, imports, c.import_price_now_usd_per_kwh, per_hour, horizon, around, at)
    write_outlook(b, exports, c.export_price_now_usd_per_kwh, per_hour, horizon, around, at + OUTLOOK_HOURS)


@kernel
def write_outlook(b, prices, now, per_hour, horizon, around, at):
    """Mean price over the tariffs, squashed, now and at each hour ahead."""
    tariffs, row, start = prices.values.shape[1], prices.row[b], prices.start[b]
    share = 1.0 / tariffs
    for i in range(OUTLOOK_HOURS):
        around[b, at + i] = 0.0
    for p in range(tariffs):
        around[b, at] += share * now[b, p]
        for i in range(1, OUTLOOK_HOURS):
            around[b, at + i] += share * prices.values[row, p, start + min(i * per_hour, horizon - 1)]
    for i in range(OUTLOOK_HOURS):
        around[b, at + i] = squash(around[b, at + i], PRICE_SCALE)
