"""What charging at once, model-predictive control and the optimum cost on the validation days.

They are computed once, in a process beside the training, and kept by a digest of all that can move them.
"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...agents.evaluation.engines import start_worker
from ...agents.evaluation.keys import Keys
from ...agents.evaluation.plan import Plan
from ...agents.evaluation.result import OPTIMUM, UNCONTROLLED
from ...agents.evaluation.statistics import captured_percent
from ...agents.evaluation.store import TaskStore
from ...agents.evaluation.tasks import Outcome, Task, run_task

FOLDER = Path("runs/references")
MPC = "mpc"


class Job(NamedTuple):
    task: Task
    key: str


class References:
    """Costs of the references, as they become known.

    Args:
        plan: the validation days and who is compared on them.
        folder: where finished tasks are kept, for all runs; None: below the working folder.
    """

    def __init__(self, plan: Plan, folder: Path | None = None) -> None:
        keys = Keys(plan.request, plan.drawn)
        self._jobs = [Job(task, keys.of(task)) for task in plan.tasks()]
        self._store = TaskStore((folder or FOLDER) / f"{plan.drawn.name}-{self._jobs[0].key[:16]}", plan.split)
        self._headline = headline_days(plan)
        self._numbers = {day.number: at for at, day in enumerate(plan.days)}
        self._cost: dict[str, NDArray[np.float64]] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: dict[Future[Outcome], Job] = {}
        self.failure = ""

    def start(self) -> None:
        """Take what was kept, and begin with the rest in a process of its own."""
        waiting = [job for job in self._jobs if not self._take(job, self._store.load(*job))]
        if waiting:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=start_worker)
            self._waiting = {self._pool.submit(_kept_or_run, self._store, *job): job for job in waiting}

    def poll(self, wait: bool = False) -> bool:
        """Take in what was finished since, or with `wait` all that is left; True where that completed the references.

        A reference that cannot be computed is told in `failure`; training does not need it.
        """
        if not self._waiting:
            return False
        for future in list(self._waiting):
            if wait or future.done():
                self._take(self._waiting.pop(future), self._outcome(future))
        if self._waiting:
            return False
        self.close()
        return True

    def close(self) -> None:
        """Stop what still runs."""
        if self._pool is not None:
            ours = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in ours if self._waiting else ():
                process.terminate()
        self._pool, self._waiting = None, {}

    def captured(self, policy: str | float) -> float | None:
        """Share of the gap between charging at once and the optimum, %, by a reference or at a cost of these days."""
        cost = self._sum(policy) if isinstance(policy, str) else policy
        first, last = self._sum(UNCONTROLLED), self._sum(OPTIMUM)
        if first is None or cost is None or last is None:
            return None
        share = float(captured_percent(np.array([first]), np.array([cost]), np.array([last])))
        return None if np.isnan(share) else share

    def _outcome(self, future: Future[Outcome]) -> Outcome | None:
        try:
            return future.result()
        except (BrokenProcessPool, ValueError, ArithmeticError) as error:
            self.failure = self.failure or f"{type(error).__name__}: {error}"
            return None

    def _take(self, job: Job, outcome: Outcome | None) -> bool:
        if outcome is None:
            return False
        for name, ledgers in outcome.ledgers.items():
            costs = self._cost.setdefault(name, np.full(len(self._numbers), np.nan))
            for number, ledger in zip(job.task.numbers, ledgers, strict=True):
                costs[self._numbers[number]] = ledger.net_cost_usd
        return True

    def _sum(self, name: str) -> float | None:
        costs = self._cost.get(name)
        if costs is None or np.isnan(costs[self._headline]).any():
            return None
        return float(costs[self._headline].sum())


def headline_days(plan: Plan) -> NDArray[np.int64]:
    """Positions of the days that figures are summed over: those without an emergency, where there are such."""
    usual = [at for at, day in enumerate(plan.days) if not day.emergency]
    return np.array(usual or range(len(plan.days)), np.int64)


def _kept_or_run(store: TaskStore, task: Task, key: str) -> Outcome:
    """What another run has kept meanwhile, or the work itself, then kept."""
    outcome = store.load(task, key)
    if outcome is None:
        outcome = run_task(task)
        store.save(task, key, outcome)
    return outcome
