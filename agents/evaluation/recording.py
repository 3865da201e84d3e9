"""Days run again alone and step by step: for pictures, for event reports, and for how long a decision takes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from ..run import RunResult
from .engines import run_all
from .plan import Plan
from .result import OPTIMUM, UNCONTROLLED
from .tasks import Outcome, Task, record_day


@dataclass(frozen=True)
class Recorded:
    """Runs of single days with their histories.

    Args:
        shown: the same day of every row of the tables, one fleet at a time as live.
        events: by controller, every day with a programme event; of the cheapest controller alone.
    """

    shown: dict[str, RunResult]
    events: dict[str, list[RunResult]]


def shown_runs(plan: Plan, outcomes: Mapping[Task, Outcome]) -> dict[str, RunResult]:
    """One day of every row, in this process, one after the other: nothing else disturbs the clock."""
    number = [_shown_day(plan, outcomes)]
    record_day(plan.task(UNCONTROLLED, number))  # compiles
    runs = [record_day(plan.task(asked, number)) for asked in (*plan.policies.values(), OPTIMUM)]
    return {run.policy: run for run in runs}


def event_runs(plan: Plan, outcomes: Mapping[Task, Outcome], engine: str, workers: int) -> dict[str, list[RunResult]]:
    """The days with programme events under the cheapest controller; empty where there is no such day."""
    numbers = [
        day.number
        for day, scenario in zip(plan.days, plan.drawn.scenarios, strict=True)
        if len(scenario.events.start_step)
    ]
    if not numbers:
        return {}
    name = _cheapest(plan, outcomes)
    tasks = [plan.task(plan.policies[name], [number]) for number in numbers]
    with closing(run_all(engine, record_day, tasks, workers)) as found:
        runs = dict(found)
    return {name: [runs[at] for at in range(len(tasks))]}


def _shown_day(plan: Plan, outcomes: Mapping[Task, Outcome]) -> int:
    """The headline's day of median gap between charging at once and the optimum."""
    gap: dict[int, float] = {}
    for task, outcome in outcomes.items():
        for name, sign in ((UNCONTROLLED, 1.0), (OPTIMUM, -1.0)):
            for number, ledger in zip(task.numbers, outcome.ledgers.get(name, ()), strict=False):
                gap[number] = gap.get(number, 0.0) + sign * ledger.net_cost_usd
    shown = [day.number for day in plan.days if plan.split == "emergency" or not day.emergency]
    return sorted(shown, key=lambda number: (gap[number], number))[len(shown) // 2]


def _cheapest(plan: Plan, outcomes: Mapping[Task, Outcome]) -> str:
    """The controller behind the projection with the least net cost over all days."""
    cost = dict.fromkeys((name for name in plan.policies if name not in plan.raw), 0.0)
    for outcome in outcomes.values():
        for name in cost.keys() & outcome.ledgers.keys():
            cost[name] += sum(ledger.net_cost_usd for ledger in outcome.ledgers[name])
    return min(cost, key=lambda name: cost[name])
