"""`evaluate`: every controller on the same days, over all cores, going on where it was stopped."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from ...envs.world.sources import ScenarioFiles
from ..days import DayRequest, provenance
from ..report import machine
from ..run import RunResult
from .bound import BoundCheck, check_references_last
from .engines import find_engine, run_all
from .keys import Keys
from .plan import Plan, make_plan
from .progress import Bar, TimeLeft
from .recording import Recorded, event_runs, shown_runs
from .result import OPTIMUM, REPLAYED, EvaluationResult, PolicyDays, Timing
from .statistics import figures_of
from .store import TaskStore
from .tasks import Outcome, Task, run_task


def evaluate(
    scenario: str,
    policies: Iterable[str] | None = None,
    *,
    days: int | None = None,
    seed: int = 0,
    first_day: int = 0,
    split: str = "clean",
    overrides: Sequence[str] = (),
    files: ScenarioFiles | None = None,
    drawn_from: str = "test",
    engine: str = "processes",
    workers: int | None = None,
    backend: str = "auto",
    out: str | Path | None = None,
    progress: bool = False,
) -> EvaluationResult:
    """Run controllers on the same days, beside `uncontrolled` and the perfect-foresight optimum.

    The same call gives the same figures to the last digit, whatever the engine, the workers and the interruptions.
    In a script, call it under `if __name__ == "__main__":`, since the processes of the pool import that script.

    Args:
        scenario: a preset's name, the path of a settings `.toml`, or a day saved as `.npz`.
        policies: registered names, raw references, or `package.module:Class` of your own; None: every rule and
            `mpc`; `all` stands for these and the raw references.
        days: how many; None: as many as a price file has dates, else 200.
        seed: of the days and of whatever is drawn.
        first_day: number of the first day.
        split: `clean`; `misreport`, where drivers say what drivers at the ACN sites said; or `emergency`, of the
            same days only those with an import price above 1 $/kWh.
        overrides: settings, `dotted.key=value` each.
        files: real data in place of generated series.
        drawn_from: `train`, `validation` or `test`, which never share a day.
        engine: `processes`, or `ray` for a cluster (an extra).
        workers: processes; None: as many as cores. One runs everything in this process.
        backend: `auto`, `numba` or `numpy`.
        out: folder for the report and for finished tasks, from which an interrupted call goes on; None: neither.
        progress: show a bar on stderr.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown scenario, setting, split, policy or engine, or no day of that split.
        BoundBeatenError: a controller costs less than the optimum on some day; names both.
        NeverAnsweredError: a controller failed at every request, so that all its figures would be the rules'.
        NeglectPaysError: a raw reference costs less in sum than a controller; what was found is written and kept.
    """
    find_engine(engine)
    request = DayRequest(scenario, tuple(overrides), seed, first_day, 1, drawn_from, files)
    plan = make_plan(request, days, split, policies, backend)
    count = workers or available_cores()
    folder = None if out is None else Path(out)
    outcomes, recorded = _run(plan, engine, count, TaskStore(folder, split), progress, folder is not None)
    result = _assemble(plan, outcomes, recorded.shown, {**machine(), "engine": engine, "workers": count})
    if folder is not None:
        from .outputs import write_outputs

        write_outputs(result, folder, recorded)
    check_references_last(result)
    return result


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(
    plan: Plan, engine: str, workers: int, store: TaskStore, progress: bool, report: bool
) -> tuple[dict[Task, Outcome], Recorded]:
    """The outcome of every task, kept or new, and the days recorded for clock and report."""
    tasks, keys, check = plan.tasks(), Keys(plan.request, plan.drawn), BoundCheck(plan.days, plan.raw)
    key = {task: keys.of(task) for task in tasks}
    outcomes = {task: kept for task in tasks if (kept := store.load(task, key[task])) is not None}
    for task, kept in outcomes.items():
        check.add(kept.ledgers, task.numbers)
    waiting = [task for task in tasks if task not in outcomes]
    bar = Bar(len(waiting), TimeLeft((task.policy for task in waiting), workers), progress)
    with bar.running(), closing(run_all(engine, run_task, waiting, workers)) as found:
        for at, outcome in found:
            task = waiting[at]
            store.save(task, key[task], outcome)
            outcomes[task] = outcome
            check.add(outcome.ledgers, task.numbers)
            bar.done(task.policy, outcome.cpu_s)
        check_answered(plan, outcomes)
        bar.say("timing single decisions")
        shown = shown_runs(plan, outcomes)
        bar.say("recording the days with events")
        events = event_runs(plan, outcomes, engine, workers) if report else {}
    return outcomes, Recorded(shown, events)


class NeverAnsweredError(ValueError):
    """A controller failed at every request: what was played is the rules, and no row may bear its name."""


def check_answered(plan: Plan, outcomes: Mapping[Task, Outcome]) -> None:
    """See that every controller has answered at all.

    Raises:
        NeverAnsweredError: one has not.
    """
    for name, asked in plan.policies.items():
        mine = [outcome for task, outcome in outcomes.items() if task.policy == asked]
        requests = sum(outcome.requests for outcome in mine)
        if 0 < requests == sum(outcome.replaced_requests for outcome in mine):
            why = next((outcome.failure for outcome in mine if outcome.failure), "its powers are no finite numbers")
            raise NeverAnsweredError(
                f"{name} answered none of {requests} requests, so that its figures would be those of the rules: {why}; "
                "leave it out, or mend it"
            )


def _assemble(
    plan: Plan, outcomes: dict[Task, Outcome], shown: dict[str, RunResult], where: dict[str, object]
) -> EvaluationResult:
    """Ledgers in the order of the days, and the figures of their sums."""
    rows = {name: [outcomes[task] for task in plan.tasks() if task.policy == asked] for name, asked in _rows(plan)}
    policies = tuple(_policy_days(name, of, name in plan.raw) for name, of in rows.items())
    first = plan.drawn.scenarios[0]

    def figures(emergency: bool) -> dict[str, dict[str, float | None]]:
        wanted = [at for at, day in enumerate(plan.days) if day.emergency is emergency]
        clusters = [plan.days[at].cluster for at in wanted]
        return figures_of(policies, wanted, clusters, first.n_ports, plan.request.seed)

    emergency = figures(True)
    return EvaluationResult(
        scenario=plan.drawn.name,
        request=plan.request,
        split=plan.split,
        ports=first.n_ports,
        interval_minutes=first.interval_minutes,
        days=plan.days,
        policies=policies,
        headline=emergency if plan.split == "emergency" else figures(False),
        emergency=emergency,
        timings={name: _timing(of, shown.get(name)) for name, of in rows.items()},
        machine=where,
        provenance={key: values for key, values in provenance(plan.drawn.scenarios).items() if key != "draw"},
        settings=plan.drawn.settings,
    )


def _rows(plan: Plan) -> list[tuple[str, str]]:
    """Names of the rows as tables show them, each with the policy of its tasks."""
    return [*plan.policies.items(), (REPLAYED, OPTIMUM), (OPTIMUM, OPTIMUM)]


def _policy_days(name: str, outcomes: Sequence[Outcome], raw: bool) -> PolicyDays:
    counts = [outcome.fallbacks for outcome in outcomes if outcome.fallbacks is not None]
    return PolicyDays(
        name=name,
        ledgers=tuple(ledger for outcome in outcomes for ledger in outcome.ledgers[name]),
        raw=raw,
        replaced_requests=sum(outcome.replaced_requests for outcome in outcomes),
        failure=next((outcome.failure for outcome in outcomes if outcome.failure), ""),
        fallbacks=sum(counts) if counts else None,
    )


def _timing(outcomes: Sequence[Outcome], live: RunResult | None) -> Timing:
    cpu_s = sum(outcome.cpu_s for outcome in outcomes)
    if live is None or live.history is None:
        return Timing(None, None, None, cpu_s)
    connected = np.isfinite(live.history.day.soc[:-1]).any(axis=1)  # without a car there is nothing to decide
    decision_ms = 1000.0 * live.decision_s[connected]
    p50, p99 = np.percentile(decision_ms, [50, 99]) if len(decision_ms) else (None, None)
    decided = sum(outcome.decisions for outcome in outcomes)
    return Timing(
        decision_ms_p50=None if p50 is None else float(p50),
        decision_ms_p99=None if p99 is None else float(p99),
        decision_cpu_ms=1000.0 * sum(outcome.decision_cpu_s for outcome in outcomes) / decided,
        cpu_s=cpu_s,
    )
