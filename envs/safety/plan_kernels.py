"""The look-ahead, compiled: the latest feasible schedule of all present cars under the shared limits.

Each car is `(left, need, power)`: whole steps until its said departure, steps of full power that it still needs, and
its full set-point, which falls exponentially over its last `bend` steps, the taper. Going backward from the last
departure, every future step's capacity is given to the cars with the largest need first, to a common level
("reverse-time level filling"); what is left when the present step is reached cannot be postponed. For one limit and
constant power that is exact: with `F(m) = sum P (need - m)+`, a reverse step can lower `F(m)` by at most the capacity
and to no less than `F(m+1)`, and level filling attains the larger of the two bounds for every `m` at once, so `F(0)` is
least. With a taper the filled schedule can be driven (a share `x` of a step takes at most `x` times the set-point that
the step's start at full power takes), but it need not be the best one. Under a feeder with several sites a car's level
is the greater of its own need and its site's time to clear at its mean room; a good rule, not an exact one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..physics.compiling import kernel
from .room_kernels import feeder_room, site_room
from .tolerances import LEAST_ROOM_KW, MAX_LEVEL_STEPS, MOST_STEPS, NARROW, TOLERANCE

Array = NDArray[Any]


class Cars(NamedTuple):
    """The plugged-in cars of one world, compressed; scratch of length N (sites S, feeders F, steps H)."""

    port: Array
    site: Array
    feeder: Array
    left: Array  # steps until the said departure, at least 1
    need: Array  # steps of full power still needed
    power: Array  # set-point that full power takes before the taper, kW
    base: Array  # the part of it that the charger's fixed loss takes, kW
    bend: Array  # steps of full power before the target that lie in the taper
    rate: Array  # by which the power falls in the taper, per step
    draw: Array  # set-point of the step that is being planned, kW
    now: Array  # result: steps of full power that this step must give
    share: Array
    key: Array
    limit: Array
    site_sum: Array
    site_need: Array
    site_ahead: Array  # sum of the site's room from now to the step that is being planned, kW
    site_count: Array
    feeder_sum: Array
    step_sum: Array
    later: Array  # (N,) the cars by departure, last first
    active: Array  # (N,) those that the step being planned can still serve
    room: Array  # (H,) kW for the cars of the only site


def scratch(n: int, sites: int, feeders: int, horizon: int) -> Cars:
    """Fresh scratch arrays: a kernel allocates nothing."""
    whole = [np.zeros(n, np.int64) for _ in range(4)]
    floats = [np.zeros(n) for _ in range(10)]
    of_sites = [np.zeros(sites) for _ in range(3)]
    of_steps = [np.zeros(horizon + 2), *(np.zeros(n, np.int64) for _ in range(2)), np.zeros(horizon + 2)]
    return Cars._make([*whole, *floats, *of_sites, np.zeros(sites, np.int64), np.zeros(feeders), *of_steps])


@kernel
def power_at(i, cars, need):
    """Set-point that car `i` takes at full power where `need` steps of it are missing to the target."""
    if need >= cars.bend[i]:
        return cars.power[i]
    return cars.base[i] + (cars.power[i] - cars.base[i]) * math.exp(cars.rate[i] * (need - cars.bend[i]))


@kernel
def planned_now(m, cars):
    """kW that the floors of this step take together."""
    total = 0.0
    for i in range(m):
        if cars.now[i] > 0.0:
            total += power_at(i, cars, cars.need[i]) * min(cars.now[i], 1.0)
    return total


@kernel
def level(m, cars, group_of, group, room, start):
    """Cut the shares of a group to `room` kW: largest keys first, to a common level of key, which is returned.

    Newton's method on a piecewise linear function inside a bracket, from `start`: the last level is near.
    """
    lo, hi = 0.0, 0.0
    for i in range(m):
        if group_of[i] == group:
            hi = max(hi, cars.key[i])
            cars.limit[i] = cars.share[i]
    at = start if lo < start < hi else lo
    for _ in range(MAX_LEVEL_STEPS):
        load, slope = 0.0, 0.0
        for i in range(m):
            if group_of[i] == group and cars.limit[i] > 0.0:
                above = cars.key[i] - at
                if above >= cars.limit[i]:
                    load += cars.draw[i] * cars.limit[i]
                elif above > 0.0:
                    load += cars.draw[i] * above
                    slope += cars.draw[i]
        excess = load - room
        if abs(excess) <= TOLERANCE:
            break
        if excess > 0.0:
            lo = at
        else:
            hi = at
        at = at + excess / slope if slope > 0.0 else 0.5 * (lo + hi)
        if not (lo < at < hi):
            at = 0.5 * (lo + hi)
            if hi - lo < NARROW:
                break
    for i in range(m):
        if group_of[i] == group:
            cars.share[i] = min(max(cars.key[i] - at, 0.0), cars.limit[i])
    return at


@kernel
def sort_by_departure(m, cars):
    """The order in which going backward in time meets the cars: for a site's plan, whatever its margins."""
    for i in range(m):
        at = i
        while at > 0 and cars.left[cars.later[at - 1]] < cars.left[i]:
            cars.later[at] = cars.later[at - 1]
            at -= 1
        cars.later[at] = i


@kernel
def common_level(count, cars, room, most, start):
    """`level` of the active cars, by what they still need, `most` at most: the depot's case, worth its own loop.

    `cars.key`, `limit` and `draw` hold the figures of the active cars one after the other: what they need, their share
    of the step and their power. Cars that were cut before stand at one level, a bend of the load: hence a slope for
    each side of it.
    """
    lo, hi = 0.0, most
    at = start if lo < start < hi else lo
    for _ in range(MAX_LEVEL_STEPS):
        load, above_slope, below_slope = 0.0, 0.0, 0.0
        for a in range(count):
            above, limit, draw = cars.key[a] - at, cars.limit[a], cars.draw[a]
            load += draw * min(max(above, 0.0), limit)
            above_slope += draw if 0.0 < above <= limit else 0.0
            below_slope += draw if 0.0 <= above < limit else 0.0
        excess = load - room
        if abs(excess) <= TOLERANCE:
            break
        if excess > 0.0:
            lo, slope = at, above_slope
        else:
            hi, slope = at, below_slope
        at = at + excess / slope if slope > 0.0 else 0.5 * (lo + hi)
        if not (lo < at < hi):
            at = 0.5 * (lo + hi)
            if hi - lo < NARROW:
                break
    return at


@kernel
def take_off(count, cars, level):
    """Take their shares of a step off what the active cars need, down to `level`; returns how many need more."""
    kept = 0
    for a in range(count):
        i, need = cars.active[a], cars.key[a]
        now = max(need - cars.limit[a], min(need, level))
        cars.now[i] = now
        cars.active[kept] = i
        kept += 1 if now > 0.0 else 0
    return kept


@kernel
def fill_one_site(b, m, cars, limits, headroom, arrivals, last):
    """`fill` from step `last` on where all cars share one site, with the cars sorted by departure."""
    level, count, come = 0.0, 0, 0
    for h in range(last, 0, -1):
        while come < m and cars.left[cars.later[come]] > h:
            cars.active[count] = cars.later[come]
            count += 1 if cars.now[cars.later[come]] > 0.0 else 0
            come += 1
        if count == 0:
            if come == m:
                break
            continue
        load, most = 0.0, 0.0
        for a in range(count):
            i = cars.active[a]
            now = cars.now[i]
            share = min(now, 1.0)
            draw = power_at(i, cars, cars.need[i] - now + share)
            cars.key[a], cars.limit[a], cars.draw[a] = now, share, draw
            load += draw * share
            most = max(most, now)
        room, cut = site_room(b, 0, h, limits, headroom, arrivals), 0.0
        if load > room + TOLERANCE:
            level = common_level(count, cars, room, most, level)
            cut = level
        count = take_off(count, cars, cut)


@kernel
def count_ahead(b, cars, limits, headroom, arrivals, h, counted):
    """Bring each site's room in steps 0 .. `counted` down to steps 0 .. `h`, in `cars.site_ahead`; returns `h`.

    Counted when first needed: a `counted` below 0 says that nothing is there yet.
    """
    for s in range(cars.site_need.shape[0]):
        if cars.site_need[s] <= 0.0:
            continue
        if counted < 0:
            cars.site_ahead[s] = 0.0
            for k in range(h + 1):
                cars.site_ahead[s] += site_room(b, s, k, limits, headroom, arrivals)
        for k in range(h + 1, counted + 1):
            cars.site_ahead[s] -= site_room(b, s, k, limits, headroom, arrivals)
    return h


@kernel
def fill(b, m, cars, limits, headroom, arrivals, last):
    """Reverse-time level filling; writes into `cars.now` what this step must give, in steps of full power.

    It begins with step `last`: in later ones all cars fit (`last_unfit`), and beyond the outlook nothing is known to
    bind.
    """
    for i in range(m):
        cars.now[i] = max(cars.need[i] - max(cars.left[i] - 1 - last, 0), 0.0)
    if limits.site_feeder.shape[0] == 1:
        fill_one_site(b, m, cars, limits, headroom, arrivals, last)
        return
    n_feeders, counted = cars.feeder_sum.shape[0], -1
    for s in range(cars.site_need.shape[0]):
        cars.site_need[s] = 0.0
    for h in range(last, 0, -1):
        for i in range(m):
            cars.site_sum[cars.site[i]] = 0.0
            cars.site_need[cars.site[i]] = 0.0
        for f in range(n_feeders):
            cars.feeder_sum[f] = 0.0
        for i in range(m):
            cars.share[i] = 0.0
            if cars.left[i] > h and cars.now[i] > 0.0:
                cars.share[i] = min(cars.now[i], 1.0)
                cars.draw[i] = power_at(i, cars, cars.need[i] - cars.now[i] + cars.share[i])
                cars.site_sum[cars.site[i]] += cars.draw[i] * cars.share[i]
            cars.site_need[cars.site[i]] += cars.power[i] * cars.now[i]
            cars.key[i] = cars.now[i]
        for i in range(m):
            s = cars.site[i]
            if cars.site_sum[s] > 0.0:
                room = site_room(b, s, h, limits, headroom, arrivals)
                if cars.site_sum[s] > room + TOLERANCE:
                    level(m, cars, cars.site, s, room, 0.0)
                cars.site_sum[s] = -1.0  # done with this site
        for i in range(m):
            if cars.share[i] > 0.0:
                cars.feeder_sum[cars.feeder[i]] += cars.draw[i] * cars.share[i]
        for f in range(n_feeders):
            if cars.feeder_sum[f] <= 0.0:
                continue
            room = feeder_room(b, f, h, limits, headroom, arrivals)
            if cars.feeder_sum[f] > room + TOLERANCE:
                counted = count_ahead(b, cars, limits, headroom, arrivals, h, counted)
                for i in range(m):
                    clear = cars.site_need[cars.site[i]] * (h + 1) / max(cars.site_ahead[cars.site[i]], LEAST_ROOM_KW)
                    cars.key[i] = max(cars.now[i], min(clear, MOST_STEPS))
                level(m, cars, cars.feeder, f, room, 0.0)
        for i in range(m):
            cars.now[i] = max(cars.now[i] - cars.share[i], 0.0)
