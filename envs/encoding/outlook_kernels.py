"""What an observation says of the prices ahead, compiled: computed once for all worlds that share an outlook."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..physics.compiling import kernel
from .fields import OUTLOOK_HOURS, PRICE_SCALE

PLACES = 17
"""Outlooks kept at a time: a prime, so that rows of the issues of one step do not all want the same place."""


class Desk(NamedTuple):
    """Scratch of the encoder: each place `Q` holds what follows from one outlook of the prices.

    Worlds of one day and step share it: a bank draws many days from few tariffs.
    """

    key: Any  # (Q, 5) rows and starts of both outlooks, and how many steps are written
    now: Any  # (Q, P, 2) the prices of the present step
    slots: Any  # (Q, P, H) steps at or below the price now, up to each step
    cheapest: Any  # (Q, P, H) least price so far
    cheapest_at: Any  # (Q, P, H) and its step
    best: Any  # (Q, P, H) best export price so far
    outlook: Any  # (Q, 2, OUTLOOK_HOURS) the context's part
    clock: Any  # (3,) second of the day, its sine and cosine
    site_cars: Any  # (S,) full set-points by site
    late: Any  # (S, H) kWh of each site in each step if all its cars start as late as they can
    level: Any  # (S,) the one that each site's import is planned to keep to


def desk(sites: int, tariffs: int, horizon: int) -> Desk:
    """Fresh scratch arrays: a kernel allocates nothing."""
    tables = [np.zeros((PLACES, tariffs, horizon)) for _ in range(4)]
    key, now = np.zeros((PLACES, 5), np.int64), np.zeros((PLACES, tariffs, 2))
    of_sites = np.zeros(sites), np.zeros((sites, horizon)), np.zeros(sites)
    return Desk._make([key, now, *tables, np.zeros((PLACES, 2, OUTLOOK_HOURS)), np.zeros(3), *of_sites])


@kernel
def squash(x, scale):
    return x / (scale + abs(x))


@kernel
def price_tables(b, q, context, steps, desk):
    """Running figures of each outlook: steps at or below the price now, cheapest so far and when, best export."""
    imports, exports = context.import_price_usd_per_kwh, context.export_price_usd_per_kwh
    for p in range(imports.values.shape[1]):
        now, sell = context.import_price_now_usd_per_kwh[b, p], context.export_price_now_usd_per_kwh[b, p]
        row, start = imports.row[b], imports.start[b]
        sell_row, sell_start = exports.row[b], exports.start[b]
        count, low, low_at, high = 1.0, now, 0.0, sell
        for h in range(steps):
            if h > 0:
                price = imports.values[row, p, start + h]
                count += 1.0 if price <= now else 0.0
                if price < low:
                    low, low_at = price, float(h)
                high = max(high, exports.values[sell_row, p, sell_start + h])
            desk.slots[q, p, h], desk.cheapest[q, p, h] = count, low
            desk.cheapest_at[q, p, h], desk.best[q, p, h] = low_at, high


@kernel
def is_kept(b, q, context, steps, desk):
    """Whether place `q` holds the outlook of world `b`."""
    imports, exports, key = context.import_price_usd_per_kwh, context.export_price_usd_per_kwh, desk.key
    kept = key[q, 0] == imports.row[b] and key[q, 1] == imports.start[b]
    kept = kept and key[q, 2] == exports.row[b] and key[q, 3] == exports.start[b] and key[q, 4] >= steps
    for p in range(desk.now.shape[1]):
        kept = kept and desk.now[q, p, 0] == context.import_price_now_usd_per_kwh[b, p]
        kept = kept and desk.now[q, p, 1] == context.export_price_now_usd_per_kwh[b, p]
    return kept


@kernel
def find_outlook(b, context, steps, per_hour, horizon, desk):
    """The place of what follows from the world's outlook of prices over `steps`, which is computed where it is not."""
    imports, exports = context.import_price_usd_per_kwh, context.export_price_usd_per_kwh
    q = imports.row[b] % PLACES
    if is_kept(b, q, context, steps, desk):
        return q
    price_tables(b, q, context, steps, desk)
    write_outlook(b, imports, context.import_price_now_usd_per_kwh, per_hour, horizon, desk.outlook, q, 0)
    write_outlook(b, exports, context.export_price_now_usd_per_kwh, per_hour, horizon, desk.outlook, q, 1)
    desk.key[q, 0], desk.key[q, 1] = imports.row[b], imports.start[b]
    desk.key[q, 2], desk.key[q, 3], desk.key[q, 4] = exports.row[b], exports.start[b], steps
    for p in range(desk.now.shape[1]):
        desk.now[q, p, 0] = context.import_price_now_usd_per_kwh[b, p]
        desk.now[q, p, 1] = context.export_price_now_usd_per_kwh[b, p]
    return q


@kernel
def write_prices(b, q, outlook, around, at):
    """The outlook at place `q`: import prices, then export prices, from field `at` on."""
    for i in range(OUTLOOK_HOURS):
        around[b, at + i] = outlook[q, 0, i]
        around[b, at + OUTLOOK_HOURS + i] = outlook[q, 1, i]


@kernel
def write_outlook(b, prices, now, per_hour, horizon, outlook, q, kind):
    """Mean price over the tariffs, squashed, now and at each hour ahead."""
    tariffs, row, start = prices.values.shape[1], prices.row[b], prices.start[b]
    share = 1.0 / tariffs
    for i in range(OUTLOOK_HOURS):
        mean, h = 0.0, min(i * per_hour, horizon - 1)
        for p in range(tariffs):
            mean += share * (now[b, p] if i == 0 else prices.values[row, p, start + h])
        outlook[q, kind, i] = squash(mean, PRICE_SCALE)
