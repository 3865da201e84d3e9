"""Until when everybody can wait for the own latest start, compiled: the test that spares most worlds the plan."""

from __future__ import annotations

import numpy as np

from ..physics.compiling import kernel
from .plan_kernels import fill
from .room_kernels import feeder_room, least_feeder_room, least_site_room, site_room
from .tolerances import TOLERANCE


@kernel
def late_load(m, cars, group_of, group, horizon):
    """Load of a group's cars per future step if each starts at its latest moment; returns the steps it spans.

    Noted as its changes from step to step first, and then summed up.
    """
    load = cars.step_sum
    first, last = horizon, 0
    for i in range(m):
        if group_of[i] == group and cars.need[i] > 0.0:
            first = min(first, max(int(np.floor(cars.left[i] - cars.need[i])), 1))
            last = max(last, min(cars.left[i], horizon))
    for h in range(first, last + 1):
        load[h] = 0.0
    for i in range(m):
        start = cars.left[i] - cars.need[i]
        whole = max(int(np.ceil(start)), 1)
        if group_of[i] != group or cars.need[i] <= 0.0 or whole > horizon:
            continue
        begun = cars.power[i] * (whole - start) if whole > 1 else 0.0
        load[whole - 1] += begun
        load[whole] += cars.power[i] - begun
        load[min(cars.left[i], horizon)] -= cars.power[i]
    for h in range(first + 1, last):
        load[h] += load[h - 1]
    return first, last


@kernel
def last_overload(b, m, cars, limits, headroom, arrivals):
    """The last step in which the latest starts of the cars of the only site exceed its room; 0 where none does."""
    total = 0.0
    for i in range(m):
        total += cars.power[i] if cars.need[i] > 0.0 else 0.0
    least = least_site_room(b, 0, limits, headroom, arrivals)
    if total <= least:
        return 0
    first, last = late_load(m, cars, cars.site, 0, limits.horizon)
    for h in range(last - 1, first - 1, -1):
        over = cars.step_sum[h] - TOLERANCE
        if over > least and over > site_room(b, 0, h, limits, headroom, arrivals):
            return h
    return 0


@kernel
def fit_together(b, m, cars, limits, headroom, arrivals):
    """Whether all cars of the only site at full power fit it at any time: then all can wait, whatever they need."""
    if limits.site_feeder.shape[0] > 1:
        return False
    total = 0.0
    for i in range(m):
        total += cars.power[i]
    return total <= least_site_room(b, 0, limits, headroom, arrivals)


@kernel
def last_unfit(b, m, cars, limits, headroom, arrivals):
    """A step after which the latest starts of all cars fit; 0 where all fit: then these are the floors, exactly."""
    if limits.site_feeder.shape[0] == 1:
        return last_overload(b, m, cars, limits, headroom, arrivals)
    if latest_starts_fit(b, m, cars, limits, headroom, arrivals):
        return 0
    longest = 0
    for i in range(m):
        longest = max(longest, cars.left[i])
    return min(longest, limits.horizon) - 1


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
    """Whether everybody can wait for the own latest start where there are several sites."""
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
    for f in range(cars.feeder_sum.shape[0]):
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


@kernel
def floors(b, m, cars, limits, headroom, arrivals):
    """Write into `cars.now` what this step must give each car under the shared limits."""
    last = last_unfit(b, m, cars, limits, headroom, arrivals)
    if last == 0:
        own_floors(m, cars)
    else:
        fill(b, m, cars, limits, headroom, arrivals, last)
