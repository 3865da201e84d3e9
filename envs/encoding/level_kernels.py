"""The level that a site's import is planned to keep to, compiled; see `array_level`."""

from __future__ import annotations

from ..physics.compiling import kernel


@kernel
def add_latest(b, n, ports, cars, step_h, horizon, late):
    """Add a car's kWh in each step, all of it as late as full power allows, to `late`."""
    need_h, efficiency = cars.need_h[b, n], ports.charge_efficiency[b, n]
    if need_h <= 0.0:
        return
    battery_kwh = (cars.target_soc[b, n] - cars.soc[b, n]) * ports.capacity_kwh[b, n]
    kw = (battery_kwh / need_h + ports.fixed_loss_kw[b, n]) / efficiency
    left = min(max(ports.steps_left[b, n], 1), horizon)
    start = left - need_h / step_h
    first = min(max(int(start), 0), left - 1)
    late[first] += kw * step_h * (first + 1 - start)  # what would have had to begin before now included
    for h in range(first + 1, left):
        late[h] += kw * step_h


@kernel
def planned_level(b, s, sites, context, due_kwh, step_h, horizon, late):
    """Least constant import (kW) of site `s` that serves the cars of `late` and those that are still to come.

    Args:
        due_kwh: (U, S, A + 1, D) of `later.LaterArrivals`.
        late: (H,) kWh of each step if all cars that are here start as late as they can.
    """
    load, now = sites.net_load_forecast_kw, sites.net_load_kw[b, s]
    row, start, came = load.row[b], load.start[b], sites.arrivals_row[b]
    # A forecast that is wrong now is taken to stay so: persistence.
    off = now - load.values[row, s, start]
    passed = (context.seconds_of_day[b] % 3600) / 3600.0
    hour, hours = sites.arrivals_hour[b], due_kwh.shape[3]
    issue = min(hour, due_kwh.shape[2] - 1)
    after = min(issue + 1, due_kwh.shape[2] - 1)
    highest, needed, drawn = 0.0, 0.0, 0.0
    for h in range(horizon):
        needed += late[h]
        if hours > 0:
            leaves = hour + int(passed + (h + 0.5) * step_h)
            if leaves < hours:
                soon = due_kwh[came, s, issue, leaves]
                needed += (soon + passed * (due_kwh[came, s, after, leaves] - soon)) * step_h
        drawn += (load.values[row, s, start + h] + off) * step_h
        if needed > 0.0:
            highest = max(highest, (needed + drawn) / ((h + 1) * step_h))
    typical = sites.typical_peak_kw[b, s]
    # Without expected arrivals other days' peak stands for them.
    return highest if hours > 0 or typical != typical else max(highest, typical)


@kernel
def find_levels(b, ports, cars, port_site, sites, context, due_kwh, step_h, horizon, desk):
    """Write the planned level of each site whose peak is paid for to `desk.level`."""
    late, rate = desk.late, sites.demand_rate_usd_per_kw
    for s in range(late.shape[0]):
        if rate[b, s] > 0.0:
            late[s, :] = 0.0
    for c in range(cars.count[b]):
        n = cars.port[b, c]
        if rate[b, port_site[n]] > 0.0:
            add_latest(b, n, ports, cars, step_h, horizon, late[port_site[n]])
    for s in range(late.shape[0]):
        if rate[b, s] > 0.0:
            desk.level[s] = planned_level(b, s, sites, context, due_kwh, step_h, horizon, late[s])
