"""For the utility: limits and planned load of every meter and feeder as time series (operating envelopes)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .plan import Plan
from .times import time_of

Array = Any


def limit_document(plan: Plan) -> dict[str, Any]:
    """Limits, load without the cars and planned load of the cars, kW by step; a missing limit is null.

    Limits stand as they were sent; that cars which nobody steers take room below them is told by `released_kw`.
    """
    request, steps = plan.request, plan.n_steps
    sites, feeders = request.sites, request.feeders
    site_released = np.bincount(request.ports.site, plan.released_kw, len(sites.id))
    own = [_group(sites, at, steps, plan.without_kw[at], plan.cars_kw[at], site_released[at]) for at in _rows(sites)]
    above = []
    for at in _rows(feeders):
        below = sites.feeder == at
        load = _feeder_load(plan, at, below)
        above.append(_group(feeders, at, steps, load, plan.cars_kw[below].sum(axis=0), site_released[below].sum()))
    return {**head_of(plan), "sites": own, "feeders": above}


def head_of(plan: Plan) -> dict[str, Any]:
    """What every document about a plan begins with."""
    request = plan.request
    return {
        "fleet": request.fleet,
        "cycle_id": request.cycle_id,
        "start": request.cycle_start.isoformat(),
        "interval_s": request.interval_s,
        "steps": plan.n_steps,
        "by": plan.by,
    }


def plan_document(plan: Plan) -> dict[str, Any]:
    """The fleet's planned load, kW by step, and its flexibility: kW up and down, and for how long."""
    flexible = [
        {"at": time_of(plan.request, one.step).isoformat(), "hours": one.hours, "down_kw": one.down_kw,
         "up_kw": one.up_kw}
        for one in plan.flexibility
    ]  # fmt: skip
    return {
        **head_of(plan),
        "cars_kw": plan.cars_kw.sum(axis=0).tolist(),
        "without_cars_kw": plan.without_kw.sum(axis=0).tolist(),
        "released_kw": float(plan.released_kw.sum()),
        "flexibility": flexible,
    }


def _rows(groups: Any) -> range:
    return range(len(groups.id))


def _group(groups: Any, at: int, steps: int, load_kw: Array, cars_kw: Array, released_kw: float) -> dict[str, Any]:
    return {
        "id": str(groups.id[at]),
        "import_limit_kw": _series(groups.import_limit_kw[at], steps),
        "export_limit_kw": _series(groups.export_limit_kw[at], steps),
        "without_cars_kw": _series(load_kw, steps),
        "planned_cars_kw": _series(cars_kw, steps),
        "released_kw": float(released_kw),
    }


def _series(values: Array, steps: int) -> list[float | None]:
    held = values[np.minimum(np.arange(steps), len(values) - 1)]
    return [None if np.isnan(value) else value for value in held.tolist()]


def _feeder_load(plan: Plan, at: int, below: Array) -> Array:
    """Load on a feeder without the cars: as it is told, else the sum of its sites."""
    f, sums = plan.request.feeders, plan.without_kw[below].sum(axis=0)
    now, forecast = f.net_load_kw[at], f.net_load_forecast_kw[at]
    told = forecast[np.minimum(np.arange(plan.n_steps), len(forecast) - 1)].copy()
    told[0] = now if not np.isnan(now) else told[0]
    return np.where(np.isnan(told), sums if np.isnan(now) else now, told)
