"""Whether everybody can wait for the own latest start, compiled: the test that spares most worlds the plan."""

from __future__ import annotations

import numpy as np

from ..physics.compiling import kernel
from .plan_kernels import TOLERANCE
from .room_kernels import feeder_room, least_feeder_room, least_site_room, site_room


@kernel
def late_load(m, cars, group_of, group, horizon):
    """Load of a group's cars per future step if each starts at its latest moment; returns the steps it spans."""
    load = cars.step_sum
    first, last = horizon, 0
    for i in range(m):
        if group_of[i] == group and cars.need[i] > 0.0:
            first = min(first, max(int(np.floor(cars.left[i] - cars.need[i])), 1))
            last = max(last, min(cars.left[i], horizon))
    for h in range(first, last):
        load[h] = 0.0
    for i in range(m):
        if group_of[i] != group or cars.need[i] <= 0.0:
            continue
        start = cars.left[i] - cars.need[i]
        whole = int(np.ceil(start))
        if 2 <= whole <= horizon:
            load[whole - 1] += cars.power[i] * (whole - start)
        for h in range(max(whole, 1), min(cars.left[i], horizon)):
            load[h] += cars.power[i]
    return first, last


@kernel
def alone_fits(b, i, cars, limits, headroom, arrivals):
    """Whether the only car of a site can wait for its latest start: homes have one port."""
    start = cars.left[i] - cars.need[i]
    for h in range(max(int(np.floor(start)), 1), min(cars.left[i], limits.horizon)):
        power = cars.power[i] * min(h + 1 - start, 1.0)
        if power > site_room(b, cars.site[i], h, limits, headroom, arrivals) + TOLERANCE:
            return False
    return True


@kernel
def latest_starts_fit(b, m, cars, limits, headroom, arrivals):
    """Whether everybody can wait for the own latest start: then these starts are the floors, exactly."""
    for i in range(m):
        cars.site_count[cars.site[i]] = 0
        cars.site_sum[cars.site[i]] = 0.0
        cars.feeder_sum[cars.feeder[i]] = 0.0
    for i in range(m):
        if cars.need[i] > 0.0:
            cars.site_count[cars.site[i]] += 1
            cars.site_sum[cars.site[i]] += cars.power[i]
            cars.feeder_sum[cars.feeder[i]] += cars.power[i]
    for i in range(m):
        s = cars.site[i]
        if cars.site_count[s] == 0 or cars.need[i] <= 0.0:
            continue
        if cars.site_sum[s] <= least_site_room(b, s, limits, headroom, arrivals):
            cars.site_count[s] = 0
            continue
        if cars.site_count[s] == 1:
            if not alone_fits(b, i, cars, limits, headroom, arrivals):
                return False
            continue
        cars.site_count[s] = 0
        first, last = late_load(m, cars, cars.site, s, limits.horizon)
        for h in range(first, last):
            if cars.step_sum[h] > site_room(b, s, h, limits, headroom, arrivals) + TOLERANCE:
                return False
    for f in range(cars.feeder_sum.shape[0] if limits.site_feeder.shape[0] > 1 else 0):
        if cars.feeder_sum[f] <= least_feeder_room(b, f, limits, headroom, arrivals):
            continue
        first, last = late_load(m, cars, cars.feeder, f, limits.horizon)
        for h in range(first, last):
            if cars.step_sum[h] > feeder_room(b, f, h, limits, headroom, arrivals) + TOLERANCE:
                return False
    return True


@kernel
def own_floors(m, cars):
    """Each car's own latest start, as if it were alone."""
    for i in range(m):
        cars.now[i] = max(cars.need[i] - (cars.left[i] - 1), 0.0)
