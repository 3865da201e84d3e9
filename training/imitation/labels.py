"""Labels: a played day is played again, and its teacher asked at some of its steps; here or in other processes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...agents.evaluation.engines import start_worker
from ...envs.simulator import Simulator
from ...envs.world.bank import pack
from ...envs.world.scenario import Scenario
from .teachers import find_teacher

Array = NDArray[Any]


@dataclass(frozen=True)
class Question:
    """What a teacher is asked.

    Args:
        scenario: the day.
        setpoint_kw: `(T, N)` as applied when a policy played it.
        steps: at which the teacher is asked, ascending.
        teacher: by name.
    """

    scenario: Scenario
    setpoint_kw: Array
    steps: tuple[int, ...]
    teacher: str


def answer(question: Question) -> Array:
    """What the teacher would have requested at those steps, kW `(len(steps), N)`."""
    simulator = Simulator(pack([question.scenario]), 1, backend="numba")
    teacher = find_teacher(question.teacher)(question.scenario)
    simulator.reset()
    said = np.full((len(question.steps), simulator.n_ports), np.nan)
    at = {step: row for row, step in enumerate(question.steps)}
    for step in range(max(question.steps, default=-1) + 1):
        if step in at:
            said[at[step]] = teacher.request(simulator)
        simulator.step(np.ascontiguousarray(question.setpoint_kw[step][None], float))
    return said


class Classroom:
    """Answers many questions, in the calling process or in a pool that stays open.

    Args:
        workers: processes; 0: the calling one.
    """

    def __init__(self, workers: int = 0) -> None:
        self._pool: ProcessPoolExecutor | None = None
        if workers:
            import multiprocessing

            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)

    def answer_all(self, questions: Sequence[Question]) -> list[Array]:
        """The answers, in the order of the questions."""
        if self._pool is None:
            return [answer(question) for question in questions]
        return list(self._pool.map(answer, questions))

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
