"""What the status page shows of a fleet: figures of its last cycles and of the day ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..messages.answer import DispatchAnswer
from ..messages.request import DispatchRequest
from ..messages.vocabulary import DecisionReason
from ..people.drivers import driver_lines
from ..people.plan import Plan
from ..people.prices import price_view
from ..people.words import OPERATORS

Array = Any
Document = dict[str, Any]

AGES = {"plugged": "plugged_age_s", "soc": "soc_age_s", "power": "power_age_s"}
READING = {"soc": "soc", "power": "power_kw"}

OLDEST, ATTENTION = 5, 20
"""How many ports are named."""

FINE = ("none", "later")
"""Causes of a driver's line that need nobody's attention."""


def cycle_line(request: Mapping[str, Any], answer: Mapping[str, Any]) -> Document:
    """A past cycle in figures, from the documents of the ledger; kW, positive = import."""
    measured, told = request["ports"].get("power_kw"), answer["decisions"]["setpoint_kw"]
    powers = told if measured is None else [b if a is None else a for a, b in zip(measured, told, strict=True)]
    sites, feeders = request["sites"], request["feeders"]
    totals = answer["totals"]
    return {
        "cycle_id": answer["cycle_id"],
        "start": answer["cycle_start"],
        "decided_at": answer["decided_at"],
        "state": answer["state"],
        "cars_kw": float(sum(power or 0.0 for power in powers)),
        "without_cars_kw": float(sum(load or 0.0 for load in sites["net_load_kw"])),
        "import_limit_kw": _whole_limit(sites, feeders, "import_limit_kw"),
        "export_limit_kw": _whole_limit(sites, feeders, "export_limit_kw"),
        "problems": len(answer["problems"]),
        **{name: totals[name] for name in ("import_kw", "export_kw", "clipped_kw", "commands_due", "by_source")},
    }


def _whole_limit(sites: Mapping[str, Any], feeders: Mapping[str, Any], name: str) -> float | None:
    """The fleet's limit now: of each feeder the lesser of its own and those of its sites together."""
    own = [series[0] for series in sites[name]]
    above = [series[0] for series in feeders[name]]
    rows = {feeder: at for at, feeder in enumerate(feeders["id"])}
    below = np.zeros(len(above))
    np.add.at(below, [rows[feeder] for feeder in sites["feeder"]], [np.inf if kw is None else kw for kw in own])
    least = np.minimum(below, [np.inf if kw is None else kw for kw in above])
    return None if np.isinf(least).any() else float(least.sum())


def now_of(request: DispatchRequest, answer: DispatchAnswer) -> Document:
    """The last cycle: counts, prices, ages of readings."""
    p, here = request.ports, request.ports.plugged == 1
    return {
        "cycle_id": answer.cycle_id,
        "start": request.cycle_start.isoformat(),
        "interval_s": request.interval_s,
        "decided_at_s": answer.decided_at_s,
        "state": answer.state.word,
        "model": answer.model._asdict() if answer.model.name else None,
        "ports": request.n_ports,
        "plugged": int(here.sum()),
        "problems": list(answer.problems),
        "totals": answer.totals._asdict(),
        "reasons": _reasons(answer),
        "oldest": {name: _oldest(request, name, here) for name in AGES},
        "ids": p.id[here][:200].tolist(),
    }


def _reasons(answer: DispatchAnswer) -> list[Document]:
    """How many cars got their set-point for which reason, in words, the commonest first."""
    counts = sorted(answer.totals.by_reason.items(), key=lambda item: -item[1])
    return [{"cars": cars, "why": OPERATORS[DecisionReason[name.upper()]]} for name, cars in counts]


def _oldest(request: DispatchRequest, name: str, here: Array) -> Document:
    """The oldest readings of a kind, with their ports, and how many cars tell none."""
    p = request.ports
    age = getattr(p, AGES[name])
    known = here & np.isfinite(age) & ~np.isnan(getattr(p, READING[name]) if name in READING else age)
    rows = np.flatnonzero(known)
    worst = rows[np.argsort(-age[rows], kind="stable")][:OLDEST]
    return {
        "known": int(known.sum()),
        "missing": int((here & ~known).sum()),
        "ports": [{"port": str(p.id[at]), "age_s": float(age[at])} for at in worst],
    }


def ahead_of(plan: Plan) -> Document:
    """The day ahead: planned load against limits, kW by step."""
    request, steps = plan.request, plan.n_steps
    s, f = request.sites, request.feeders
    limits = {}
    for name in ("import_limit_kw", "export_limit_kw"):
        own, above = (_held(getattr(group, name), steps) for group in (s, f))
        below = np.zeros_like(above)
        np.add.at(below, s.feeder, own)
        least = np.minimum(below, above).sum(axis=0)
        limits[name] = [None if np.isinf(kw) else kw for kw in least.tolist()]
    return {
        "by": plan.by,
        "cars_kw": plan.cars_kw.sum(axis=0).tolist(),
        "without_cars_kw": plan.without_kw.sum(axis=0).tolist(),
        "released_kw": float(plan.released_kw.sum()),
        **limits,
    }


def _held(values: Array, steps: int) -> Array:
    held = values[:, np.minimum(np.arange(steps), values.shape[1] - 1)]
    return np.where(np.isnan(held), np.inf, held)


def prices_of(request: DispatchRequest) -> Document:
    """Prices of each tariff that a site has, for a day from now; null where nobody knows."""
    view, steps = price_view(request), request.steps(24.0)
    used = np.unique(request.sites.tariff)
    sell = request.prices.export_usd_per_kwh
    return {
        "source": request.prices.source,
        "published_age_s": _number(request.prices.published_age_s),
        "known_steps": request.prices.known_steps,
        "tariffs": [
            {
                "id": str(request.prices.tariff[at]),
                "import_usd_per_kwh": [_number(one) for one in view.buy[at, :steps]],
                "export_usd_per_kwh": [_number(one) for one in sell[at, :steps]],
            }
            for at in used[:3].tolist()
        ],
    }


def attention_of(plan: Plan, answer: DispatchAnswer) -> list[Document]:
    """Cars that are expected to get less than was asked, the largest shortfall first."""
    lines = [line for line in driver_lines(plan, answer) if line.cause not in FINE]
    lines.sort(key=lambda line: -line.missing_kwh)
    return [{"port": one.port, "car": one.car, "sentence": one.sentence} for one in lines[:ATTENTION]]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
