"""The level that a site's import is planned to keep to, in array form: valley filling with what is known.

The least constant power that serves present cars, expected arrivals and the site's own load is the greatest mean, over
the windows from now, of the load and of the energy that must be delivered within them (Yao, Demers and Shenker 1995).
Within a window a car must get what full power after it could not deliver by its departure. The forecast of the load is
moved by what it is off now: with it the depot's fresh rule captured 78.2 % on 96 validation days, without it 69.0.
"""

from __future__ import annotations

from typing import Any

from ..safety.library import Library
from ..safety.survey import CarNow
from ..snapshot import Snapshot


def planned_level(lib: Library, snapshot: Snapshot, cars: CarNow, due_kwh: Any) -> Any:
    """Least constant import (B, S) in kW that serves all cars; 0 where there is nothing to serve.

    Args:
        lib: whose arrays the snapshot holds.
        snapshot: what is known.
        cars: its survey.
        due_kwh: (U, S, A + 1, D) of `later.LaterArrivals`.
    """
    o, s, step_h = lib.ops, snapshot.sites, snapshot.step_h
    needed = (_latest_kwh(lib, snapshot, cars) + _later_kwh(lib, snapshot, due_kwh)).cumsum(-1)
    load = lib.doubles(s.net_load_forecast_kw.window(snapshot.horizon))
    # A forecast that is wrong now is taken to stay so: persistence.
    load = load + (lib.doubles(s.net_load_kw) - load[..., 0])[..., None]
    hours = step_h * lib.count(1, snapshot.horizon + 1, load)
    means = (needed + load.cumsum(-1) * step_h) / hours
    means = o.maximum(o.where(needed > 0, means, 0.0), 0.0)
    highest = means.max(-1).values if lib.torch else means.max(-1)
    # Without expected arrivals other days' peak stands for them.
    told = (s.typical_peak_kw == s.typical_peak_kw) & (due_kwh.shape[3] == 0)
    return o.where(told, o.maximum(highest, s.typical_peak_kw), highest)


def _latest_kwh(lib: Library, snapshot: Snapshot, cars: CarNow) -> Any:
    """kWh (B, S, H) of each site in each step if all cars that are here start as late as they can."""
    o, p, steps = lib.ops, snapshot.ports, snapshot.horizon + 1
    counted = p.plugged & (cars.need_h > 0)
    need_h = lib.doubles(o.where(counted, cars.need_h, 1.0))
    battery_kw = lib.doubles((cars.target_soc - cars.soc) * p.capacity_kwh) / need_h
    kw = o.where(counted, (battery_kw + p.fixed_loss_kw) / o.where(counted, p.charge_efficiency, 1.0), 0.0)
    left = o.minimum(o.maximum(p.steps_left, 1), snapshot.horizon)
    start = left - need_h / snapshot.step_h
    first = o.minimum(lib.whole(o.maximum(lib.frozen(start), 0.0)), left - 1)
    # As changes from step to step: the first one is partly used, or takes what would have had to begin before now.
    begun = kw * (first + 1 - start)
    worlds, sites = len(need_h), len(snapshot.sites.feeder)
    row = (lib.count(0, worlds, need_h)[:, None] * sites + snapshot.port_site) * steps
    places = lib.join([row + first, row + first + 1, row + left], 1).reshape(-1)
    changes = lib.sums(places, lib.join([begun, kw - begun, -kw], 1).reshape(-1), worlds * sites * steps)
    return changes.reshape(worlds, sites, steps).cumsum(-1)[..., :-1] * snapshot.step_h


def _later_kwh(lib: Library, snapshot: Snapshot, due_kwh: Any) -> Any:
    """kWh (B, S, H) that expected arrivals must have got in each step, since they leave in it."""
    s, step_h, like = snapshot.sites, snapshot.step_h, lib.doubles(snapshot.sites.net_load_kw)
    issues, hours = due_kwh.shape[2:]
    if hours == 0:
        return like[..., None] * lib.array([0.0] * snapshot.horizon, like)
    due = lib.array(due_kwh, like)
    passed = like[:, :1] * 0 + ((snapshot.context.seconds_of_day % 3600) / 3600.0)[:, None]
    issue, after = (lib.ops.minimum(s.arrivals_hour + more, issues - 1) for more in (0, 1))
    soon, late = due[s.arrivals_row, :, issue], due[s.arrivals_row, :, after]
    by_hour = soon + passed[..., None] * (late - soon)
    ahead = passed + (lib.count(0, snapshot.horizon, like) + 0.5) * step_h
    leaves = s.arrivals_hour[:, None] + lib.whole(ahead)
    world = lib.count(0, len(like), like)[:, None]
    by_step = by_hour.swapaxes(1, 2)[world, lib.ops.minimum(leaves, hours - 1)]
    return (by_step * ((leaves < hours) * step_h)[..., None]).swapaxes(1, 2)
