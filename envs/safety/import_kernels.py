"""The import limits, compiled: who gets what where not everybody fits."""

from __future__ import annotations

import numpy as np

from ..physics.backends import port_model
from ..physics.compiling import kernel
from .car import car_model
from .reasons import Reason
from .tolerances import RANK_ROUNDING

draw = car_model("numba").draw
floor_to_step, ceil_to_step = port_model("numba").floor_to_step, port_model("numba").ceil_to_step

BOX, IMPORT_LIMIT = int(Reason.BOX), int(Reason.IMPORT_LIMIT)


@kernel
def order_by(count, key, out):
    """Bring the cars listed in `out[:count]`, in port order, into rising order of keys rounded to 1e-6, ties as listed.

    A shell sort in place, full of branches that are guessed wrong: so callers list only the cars that matter.
    """
    for at in range(count):
        key[out[at]] = np.floor(key[out[at]] * RANK_ROUNDING + 0.5)
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, count):
            item, at = out[i], i
            while at >= gap and (
                key[out[at - gap]] > key[item] or (key[out[at - gap]] == key[item] and out[at - gap] > item)
            ):
                out[at] = out[at - gap]
                at -= gap
            out[at] = item
        gap //= 3


@kernel
def import_rooms(b, sites, feeders, site_kw, feeder_kw):
    """Write what sites and feeders leave to the cars now; returns the kW that all of them may draw together."""
    all_sites, all_feeders, at_sites, at_feeders = 0.0, 0.0, sites.import_limit_kw, feeders.import_limit_kw
    for s in range(site_kw.shape[0]):
        limit = at_sites.values[at_sites.row[b], s, at_sites.start[b]]
        site_kw[s] = max(limit - sites.net_load_kw[b, s], 0.0)
        all_sites += site_kw[s]
    for f in range(feeder_kw.shape[0]):
        limit = at_feeders.values[at_feeders.row[b], f, at_feeders.start[b]]
        feeder_kw[f] = max(limit - feeders.net_load_kw[b, f], 0.0)
        all_feeders += feeder_kw[f]
    return min(all_sites, all_feeders)


@kernel
def imports_fit(b, m, ports, limits, cars, site_room_kw, feeder_room_kw, want, must):
    """Raise wishes to what is mandatory, put them on the charger's step, and tell whether they fit the limits.

    Who must charge does not export; the exports that remain make room for others.
    """
    sites, feeders = cars.site_sum, cars.feeder_sum
    sites[:] = 0.0
    feeders[:] = 0.0
    for i in range(m):
        s, f = cars.site[i], cars.feeder[i]
        if want[i] < 0.0 and must[i] <= 0.0:
            site_room_kw[s] -= want[i]
            feeder_room_kw[f] -= want[i]
            continue
        want[i] = floor_to_step(max(want[i], must[i]), ports.step_kw[b, cars.port[i]], limits.rounding)
        sites[s] += want[i]
        feeders[f] += want[i]
    fits = True
    for s in range(sites.shape[0]):
        fits = fits and sites[s] <= site_room_kw[s]
    for f in range(feeders.shape[0]):
        fits = fits and feeders[f] <= feeder_room_kw[f]
    return fits


@kernel
def cap_at_draw(b, m, ports, limits, cars, want, why):
    """Offer a car in its taper no more than it takes, on the charger's step: room is scarce."""
    p = ports
    for i in range(m):
        if want[i] <= 0.0:
            continue
        n = cars.port[i]
        known = p.soc[b, n] == p.soc[b, n]
        most = draw(
            p.soc[b, n], known, p.max_charge_kw[b, n], p.taper_soc[b, n], p.battery_accept_kw[b, n],
            p.charge_efficiency[b, n], p.fixed_loss_kw[b, n],
        )  # fmt: skip
        most = max(ceil_to_step(most, p.step_kw[b, n], limits.rounding), p.min_charge_kw[b, n])
        if want[i] > most:
            want[i] = most
            why[i] |= BOX


@kernel
def share_imports(b, m, ports, limits, cars, site_room_kw, feeder_room_kw, want, must, order, key, economic, why):
    """Give the import limits to the mandatory power by least laxity, then to the elective by least economic laxity.

    Full power to few, not a trickle to many: who cannot have its minimum is passed over and the next one is tried.
    """
    p = ports
    cap_at_draw(b, m, ports, limits, cars, want, why)
    for i in range(m):
        cars.limit[i] = max(want[i], 0.0)
        cars.share[i] = 0.0
    for phase in range(2):
        count = 0
        for i in range(m):
            key[i] = cars.left[i] - cars.need[i] if phase == 0 else economic[i]
            order[count] = i
            count += 1 if (min(must[i], cars.limit[i]) if phase == 0 else cars.limit[i]) > cars.share[i] else 0
        order_by(count, key, order)
        for at in range(count):
            i = order[at]
            n, s, f = cars.port[i], cars.site[i], cars.feeder[i]
            aim = min(must[i], cars.limit[i]) if phase == 0 else cars.limit[i]
            room = min(site_room_kw[s], feeder_room_kw[f])
            give = floor_to_step(min(aim, cars.share[i] + max(room, 0.0)), p.step_kw[b, n], limits.rounding)
            if give <= cars.share[i] or give * (1.0 + limits.rounding) < p.min_charge_kw[b, n]:
                continue
            site_room_kw[s] -= give - cars.share[i]
            feeder_room_kw[f] -= give - cars.share[i]
            cars.share[i] = give
    for i in range(m):
        if want[i] >= 0.0:
            if cars.share[i] < want[i]:
                why[i] |= IMPORT_LIMIT
            want[i] = cars.share[i]


@kernel
def economic_laxity(b, m, cars, site_tariff, prices, price_now, horizon, slots, out):
    """Slots left in the stay at or below the present price, minus slots needed (contracts 5)."""
    tariffs, longest = prices.values.shape[1], 0
    for i in range(m):
        longest = max(longest, min(cars.left[i], horizon))
    for p in range(tariffs):
        count = 0
        for h in range(longest):
            price = price_now[b, p] if h == 0 else prices.values[prices.row[b], p, prices.start[b] + h]
            count += price <= price_now[b, p]
            slots[p, h] = count
    for i in range(m):
        left = min(cars.left[i], horizon)
        out[i] = slots[site_tariff[cars.site[i]], left - 1] - cars.need[i]
