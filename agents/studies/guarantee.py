"""The study of the departure guarantee on shared limits: rows (a) to (e), each with its bars.

For every row, days are drawn afresh and played through the real projection and simulator under controllers that ask
for the worst. What counts is the shortfall beyond what perfect foresight could not avoid, in per cent of the energy
that every car alone could have got. Rows (a), (b), (c) and (e) know who comes and are drawn to a tightness; row (d) is
played on the presets' own days, and its curve on days of a drawn tightness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.safety.projection import Reserve, make_projector
from ...envs.world.scenario import Scenario
from ..days import DayRequest, draw_days
from .controllers import REFERENCES, REQUESTS, Choose, projected, reference
from .days import Kind, StudyDay, draw_day
from .least_shortfall import charging_of, tightness
from .measure import play, summary

Array = NDArray[Any]
Row = dict[str, Any]
Tick = Callable[[str, int], None]
"""Told of a stage and its number of parts, and then of each part by 0."""

NO_RESERVE = Reserve(headroom_factor=1.0, expected_arrivals_factor=0.0)
PRESETS = ("home-california", "home-texas", "depot-workplace")
CURVE = ((1.0, 0.0), (0.95, 0.0), (0.8, 0.0), (0.6, 0.0), (0.95, 1.0), (0.95, 1.5), (0.7, 1.5), (0.5, 1.5))
"""Reserves (headroom factor, expected arrivals factor) of row (d)'s curve."""

BANDS: dict[str, tuple[float, float]] = {
    "up to .98": (0.0, 0.98),
    ".98 to 1": (0.98, 1.0),
    "above 1": (1.0, np.inf),
}
"""Tightness, lower end open."""

ALL = "all"


class Bar(NamedTuple):
    """In `band`, `figure` may not exceed `most` under any controller."""

    band: str
    figure: str
    most: float


class RowPlan(NamedTuple):
    """A row with days of a drawn tightness."""

    title: str
    kind: Kind
    reserve: Reserve
    bars: tuple[Bar, ...]
    fails: str | None = None  # a reference that must miss a bar
    beaten: str | None = None  # a reference that must be worse in the mean up to .98


ROWS: dict[str, RowPlan] = {
    "a": RowPlan(
        "constant power, all cars present", Kind(), NO_RESERVE, (Bar(ALL, "max", 0.001),), "latest start alone"
    ),
    "b": RowPlan(
        "taper, limits on set-points",
        Kind(taper=True),
        NO_RESERVE,
        (
            Bar("up to .98", "mean", 0.02),
            Bar("up to .98", "p95", 0.1),
            Bar("up to .98", "max", 0.5),
            Bar("above 1", "mean", 2.0),
        ),
    ),
    "c": RowPlan(
        "6 A minimum, capacity forecast wrong by up to 10 %",
        Kind(taper=True, minimum=True, forecast_error=0.1),
        Reserve(),
        (Bar("up to .98", "mean", 0.1), Bar("up to .98", "p95", 0.3)),
    ),
    "e": RowPlan(
        "feeder above six sites",
        Kind(taper=True, sites=6),
        NO_RESERVE,
        (Bar("up to .98", "mean", 0.5),),
        beaten="charge at once",
    ),
}
PRESET_BAR = 0.2
"""Row (d): mean excess over charging at once by least laxity, in per cent, on the presets' own days."""

DEPOT_TIGHTNESS = 0.6
"""Row (d): the depot's median tightness may not exceed it."""


def run_row(name: str, days: int, seed: int, workers: int, tick: Tick) -> Row:
    """Measure a row: its figures, whether its bars are met, and where not."""
    return _preset_row(days, seed, workers, tick) if name == "d" else _drawn_row(name, days, seed, workers, tick)


def _drawn_row(name: str, days: int, seed: int, workers: int, tick: Tick) -> Row:
    plan = ROWS[name]
    drawn = _draw(plan.kind, days, seed, workers, tick, f"({name}) drawing days")
    tick(f"({name}) playing", len(REQUESTS) + len(REFERENCES))
    controllers: dict[str, Row] = {}
    for who, choose in _line_up(plan.reserve, seed):
        controllers[who] = _figures(drawn, choose)
        tick("", 0)
    missed = list(_missed(plan, controllers))
    tight = np.array([day.tightness for day in drawn])
    return {
        "title": plan.title,
        "days": days,
        "reserve": {
            "headroom_factor": plan.reserve.headroom_factor,
            "expected_arrivals_factor": plan.reserve.expected_arrivals_factor,
        },
        "tightness": {"min": float(tight.min()), "median": float(np.median(tight)), "max": float(tight.max())},
        "controllers": controllers,
        "missed": missed,
        "meets_bars": not missed,
    }


def _line_up(reserve: Reserve, seed: int) -> Iterator[tuple[str, Choose]]:
    for request in REQUESTS:
        yield request, projected(make_projector("numba", reserve), request, seed)
    for name in REFERENCES:
        yield name, reference(name)


def _figures(days: Sequence[StudyDay], choose: Choose) -> Row:
    played = play([day.scenario for day in days], choose)
    excess = played.excess_percent(np.array([day.least_shortfall_kwh for day in days]))
    tight = np.array([day.tightness for day in days])
    bands = {band: summary(excess[(tight > lo) & (tight <= hi)]) for band, (lo, hi) in BANDS.items()}
    return {**bands, ALL: summary(excess), "overload_kwh": float(played.overload_kwh.max())}


def _missed(plan: RowPlan, controllers: dict[str, Row]) -> Iterator[str]:
    def over(who: str, bar: Bar) -> bool:
        value = controllers[who][bar.band][bar.figure]
        return value is not None and value > bar.most

    for who in REQUESTS:
        for bar in plan.bars:
            if over(who, bar):
                value = controllers[who][bar.band][bar.figure]
                yield f"{who}, {bar.band}: {bar.figure} {value:.4f} % is above {bar.most:g} %"
        if controllers[who]["overload_kwh"] > 1e-6:
            yield f"{who}: overload of {controllers[who]['overload_kwh']:.6f} kWh"
        if plan.beaten and not _mean(controllers[who]) <= _mean(controllers[plan.beaten]):
            yield f"{who} is worse than {plan.beaten!r} up to .98"
    if plan.fails and not any(over(plan.fails, bar) for bar in plan.bars):
        yield f"{plan.fails!r} meets the bars too, so the days test nothing"


def _mean(figures: Row) -> float:
    return float(figures["up to .98"]["mean"] or 0.0)


def _draw(kind: Kind, days: int, seed: int, workers: int, tick: Tick, title: str) -> list[StudyDay]:
    tick(title, days)
    drawn = []
    for day in _mapped(partial(draw_day, kind, seed), range(days), workers):
        drawn.append(day)
        tick("", 0)
    return drawn


def _mapped(function: Callable[[Any], Any], items: Iterable[Any], workers: int) -> Iterator[Any]:
    """`map` in processes; an interrupt ends them."""
    if workers <= 1:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield from pool.map(function, items, chunksize=5)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _tightness(day: Scenario) -> float:
    return tightness(charging_of(day))


def _preset_row(days: int, seed: int, workers: int, tick: Tick) -> Row:
    presets = {name: _preset(name, days, seed, workers, tick) for name in PRESETS}
    missed = [
        f"{name}, {who}: mean {figures['mean']:.4f} % is above {PRESET_BAR:g} %"
        for name, preset in presets.items()
        for who, figures in preset["controllers"].items()
        if figures["mean"] is not None and figures["mean"] > PRESET_BAR
    ]
    depot = presets["depot-workplace"]["tightness"]["median"]
    if depot is not None and depot > DEPOT_TIGHTNESS:
        missed.append(f"depot-workplace: median tightness {depot:.3f} is above {DEPOT_TIGHTNESS:g}")
    return {
        "title": "arrivals unknown: presets' own days, in excess of charging at once by least laxity",
        "days": days,
        "presets": presets,
        "curve": _curve(days, seed, workers, tick),
        "missed": missed,
        "meets_bars": not missed,
    }


def _preset(name: str, days: int, seed: int, workers: int, tick: Tick) -> Row:
    tick(f"(d) {name}: drawing days", 2 * days)
    drawn = draw_days(DayRequest(name, seed=seed, days=days), partial(_ticking, tick))
    tight = np.fromiter(_ticking(tick, _mapped(_tightness, drawn.scenarios, workers)), float)
    at_once = play(drawn.scenarios, reference("charge at once"))
    asks = at_once.feasible_kwh > 0.0
    tick(f"(d) {name}: playing", len(REQUESTS))
    controllers = {}
    for request in REQUESTS:
        played = play(drawn.scenarios, projected(make_projector("numba", drawn.reserve), request, seed))
        controllers[request] = summary(played.excess_percent(at_once.unserved_kwh)[asks])
        tick("", 0)
    reserve = drawn.reserve or Reserve()
    return {
        "reserve": {
            "headroom_factor": reserve.headroom_factor,
            "expected_arrivals_factor": reserve.expected_arrivals_factor,
        },
        "tightness": _spread(tight[asks]),
        "charge at once": summary(100.0 * at_once.unserved_kwh[asks] / at_once.feasible_kwh[asks]),
        "controllers": controllers,
    }


def _ticking(tick: Tick, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        yield item
        tick("", 0)


def _spread(tight: Array) -> Row:
    if len(tight) == 0:
        return {"days": 0, "median": None, "p95": None, "max": None}
    # A day on which a car needs a time without any room has no finite tightness; it stands at the top as 1e9.
    median, p95, highest = (float(x) for x in np.percentile(np.minimum(tight, 1e9), [50, 95, 100]))
    return {"days": len(tight), "median": median, "p95": p95, "max": highest}


def _curve(days: int, seed: int, workers: int, tick: Tick) -> list[Row]:
    """What a reserve costs: always pausing, on days whose later arrivals nobody has announced."""
    drawn = _draw(Kind(taper=True, arrivals=True), days, seed, workers, tick, "(d) curve: drawing days")
    least = np.array([day.least_shortfall_kwh for day in drawn])
    scenarios = [day.scenario for day in drawn]
    tick("(d) curve: playing", len(CURVE) + 1)
    at_once = play(scenarios, reference("charge at once"))
    tick("", 0)
    points, longest = [], None
    for headroom, arrivals in CURVE:
        reserve = Reserve(headroom, arrivals)
        played = play(scenarios, projected(make_projector("numba", reserve), "always pause", seed))
        waited = float(np.mean(played.delivered_h - at_once.delivered_h))
        longest = waited if longest is None else longest
        points.append(
            {
                "headroom_factor": headroom,
                "expected_arrivals_factor": arrivals,
                "excess_percent": summary(played.excess_percent(least)),
                "postponed_h": waited,
                "postponement_left_percent": 100.0 * waited / longest,
            }
        )
        tick("", 0)
    end = {"excess_percent": summary(at_once.excess_percent(least)), "postponed_h": 0.0}
    return [*points, {"charge at once": True, **end, "postponement_left_percent": 0.0}]
