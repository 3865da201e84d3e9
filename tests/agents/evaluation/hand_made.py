"""A small evaluation, put together by hand from real runs, for tests of what draws or tells results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from ebbflow.agents.days import DayRequest
from ebbflow.agents.evaluation.result import (
    OPTIMUM,
    REPLAYED,
    EvaluatedDay,
    EvaluationResult,
    PolicyDays,
    Timing,
)
from ebbflow.agents.evaluation.statistics import figures_of
from ebbflow.agents.policy import Policy
from ebbflow.agents.rules import AsLateAsPossible, CheapestHours, Uncontrolled
from ebbflow.agents.rules.raw import DoNothing
from ebbflow.agents.run import RunResult, run_days
from ebbflow.envs.ledger import Tally
from ebbflow.envs.simulator import DayLedger
from ebbflow.envs.world.scenario import Events, Scenario

MakeWorld = Callable[..., Scenario]

PRICES = (
    [0.40, 0.30, 0.10, 0.20, 0.05, 0.05],
    [0.20, 0.20, 0.30, 0.10, 0.10, 0.40],
    [0.10, 1.50, 0.20, 0.30, 0.10, 0.20],
)
"""One day each; the last is an emergency."""

POLICIES: tuple[Callable[[], Policy], ...] = (Uncontrolled, CheapestHours, AsLateAsPossible, DoNothing)


class Evaluated(NamedTuple):
    """A result and the recorded first day of each controller."""

    result: EvaluationResult
    recorded: dict[str, RunResult]


def make_evaluated(world: MakeWorld) -> Evaluated:
    """Three days of two cars with an event, the last an emergency, under three rules and a raw reference."""
    scenarios = [_day(world, at) for at in range(len(PRICES))]
    recorded = {run.policy: run for run in (run_days(scenarios, p(), backend="numba", record=True) for p in POLICIES)}
    rows = [PolicyDays(name, run.ledgers, raw=name == "do_nothing") for name, run in recorded.items()]
    projected = [row.ledgers for row in rows if not row.raw]
    best = [min(day, key=lambda ledger: ledger.net_cost_usd) for day in zip(*projected, strict=True)]
    rows.append(PolicyDays(REPLAYED, tuple(_cheaper(day, 0.2, known=True) for day in best)))
    rows.append(PolicyDays(OPTIMUM, tuple(_cheaper(day, 0.5, known=False) for day in best)))
    return Evaluated(_result(scenarios, tuple(rows)), recorded)


def _day(world: MakeWorld, at: int) -> Scenario:
    made = world([2, 1], [6, 5], price=PRICES[at], base_kw=1.0)
    i = np.array([2])
    events = Events(i, i + 2, i * 0, np.array([0.1]), np.array([True]), np.zeros(1))
    emissions = np.full(made.emissions_kg_per_kwh.shape, 0.3)
    emissions[:2] = 0.5
    return replace(
        made, start=made.start + timedelta(days=at), events=events, baseline_kw=np.full((1, made.n_steps), 2.0),
        emissions_kg_per_kwh=emissions,
    )  # fmt: skip


def _cheaper(day: DayLedger, by_usd: float, known: bool) -> DayLedger:
    moved = {name: day.usd[name] - by_usd for name in ("energy_import_usd", "net_cost_usd")}
    tallies = day.tallies if known else {tally.name.lower(): float("nan") for tally in Tally}
    return DayLedger(day.usd | moved, tallies)


def _result(scenarios: list[Scenario], policies: tuple[PolicyDays, ...]) -> EvaluationResult:
    days = tuple(
        EvaluatedDay(at, day.start.date(), float(day.import_price_usd_per_kwh.max()), at == 2, str(at))
        for at, day in enumerate(scenarios)
    )
    return EvaluationResult(
        scenario="by-hand",
        request=DayRequest("by-hand"),
        split="clean",
        ports=2,
        interval_minutes=60,
        days=days,
        policies=policies,
        headline=figures_of(policies, [0, 1], ["0", "1"], 2, seed=0),
        emergency=figures_of(policies, [2], ["2"], 2, seed=0),
        timings={policy.name: Timing(1.0, 2.0, 0.5, 3.0) for policy in policies},
        machine={"platform": "any"},
        provenance={"tariffs": ["by hand"], "draw": ["day 0", "day 1", "day 2"]},
    )
