"""One task of an evaluation, a controller on a few days, as any process anywhere may do it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ...envs.ledger import Tally
from ...envs.simulator import DayLedger
from ..days import DayRequest, DrawnDays, draw_days
from ..policy import Policy, find_policy
from ..rules.raw import raw_references
from ..run import RunResult, run_days
from .result import OPTIMUM, REPLAYED

KEPT_CHUNKS = 4
"""Chunks of days that a process keeps drawn, since every controller runs on them."""


@dataclass(frozen=True)
class Task:
    """A controller on some days.

    Args:
        policy: a registered name, a raw reference, `package.module:Class`, `optimum`, or files by path and digest.
        request: what days are drawn from; its `first_day` and `days` are not looked at.
        numbers: of the days.
        backend: of the simulator.
    """

    policy: str
    request: DayRequest
    numbers: tuple[int, ...]
    backend: str


@dataclass(frozen=True)
class Outcome:
    """What a task found.

    Args:
        ledgers: of each day, by the row that they belong to; `optimum` has two rows.
        cpu_s: CPU time of the task, drawing of days left out.
        decision_cpu_s: of it for decisions, all days side by side; 0 for the bound.
        decisions: fleets decided, one per day and step.
        requests: of connected cars; 0 for a raw reference.
        replaced_requests: of them, those for which the rules had to step in.
        failure: the first failure in words; empty where there was none.
        fallbacks: decisions cut off by the controller's own limit; None: it has none.
    """

    ledgers: dict[str, tuple[DayLedger, ...]]
    cpu_s: float
    decision_cpu_s: float
    decisions: int
    requests: int
    replaced_requests: int
    failure: str
    fallbacks: int | None


def run_task(task: Task) -> Outcome:
    """Do a task; it depends on what it is given alone."""
    drawn = days_of(task.request, task.numbers)
    began = time.process_time()
    policy, bounds = _policy(task, drawn)
    ran = run_days(drawn.scenarios, policy, backend=task.backend, reserve=drawn.reserve)
    return Outcome(
        ledgers={policy.name: ran.ledgers} | ({OPTIMUM: bounds} if bounds else {}),
        cpu_s=time.process_time() - began,
        decision_cpu_s=ran.decision_cpu_s,
        decisions=len(drawn.scenarios) * drawn.scenarios[0].n_steps,
        requests=ran.requests,
        replaced_requests=ran.replaced_requests,
        failure=ran.failure,
        fallbacks=fallbacks(policy),
    )


def record_day(task: Task) -> RunResult:
    """Run the task's first day alone, as a live fleet is run, and keep its history."""
    drawn = days_of(task.request, task.numbers[:1])
    policy, _ = _policy(task, drawn)
    return run_days(drawn.scenarios, policy, backend=task.backend, reserve=drawn.reserve, record=True)


def _policy(task: Task, drawn: DrawnDays) -> tuple[Policy, tuple[DayLedger, ...]]:
    """The controller, and the bounds of the days where it is the optimum's plan."""
    return solve(drawn) if task.policy == OPTIMUM else (make_policy(task.policy, task.request), ())


def make_policy(name: str, request: DayRequest) -> Policy:
    """The controller of that name for days of that request, raw references included."""
    return find_policy(name, raw_references(request.seed), request.scenario)


def fallbacks(policy: Policy) -> int | None:
    """How often the controller fell back on its own, where it counts that."""
    count = getattr(policy, "fallbacks", None)
    return None if count is None else int(np.sum(count))


@lru_cache(maxsize=KEPT_CHUNKS)
def days_of(request: DayRequest, numbers: Sequence[int]) -> DrawnDays:
    """The days of those numbers."""
    drawn = [draw_days(replace(request, first_day=number, days=1)) for number in numbers]
    return replace(drawn[0], scenarios=tuple(day.scenarios[0] for day in drawn))


def solve(drawn: DrawnDays) -> tuple[Policy, tuple[DayLedger, ...]]:
    """The optimum of each day: a player of all plans, one world each, and their bounds."""
    from ..optimum import PlannedSetpoints, solve_optimum

    solved = [solve_optimum(scenario) for scenario in drawn.scenarios]
    player = PlannedSetpoints(np.stack([one.setpoint_kw for one in solved]), name=REPLAYED)
    return player, tuple(bound_ledger(one.accounts_usd, one.bound_usd) for one in solved)


def bound_ledger(accounts_usd: dict[str, float], bound_usd: float) -> DayLedger:
    """A bound in the form of a ledger: of what moved physically it knows nothing."""
    usd = {**accounts_usd, "net_cost_usd": bound_usd}
    return DayLedger(usd, {tally.name.lower(): math.nan for tally in Tally})


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain JSON values that give every float back to the last digit; NaN is null."""
    values = asdict(outcome)
    for days in values["ledgers"].values():
        for day in days:
            day["tallies"] = {name: None if math.isnan(x) else x for name, x in day["tallies"].items()}
    return values


def outcome_from_json(values: dict[str, Any]) -> Outcome:
    """What `outcome_to_json` wrote.

    Raises:
        KeyError, TypeError: it is something else.
    """
    ledgers = {name: tuple(_ledger(day) for day in days) for name, days in values["ledgers"].items()}
    return Outcome(**{**values, "ledgers": ledgers})


def _ledger(day: dict[str, Any]) -> DayLedger:
    return DayLedger(day["usd"], {name: math.nan if x is None else x for name, x in day["tallies"].items()})
