"""One decision: the warm start finds the same optimum in fewer iterations, and a decision is fast."""

from __future__ import annotations

import time

import numpy as np
import pytest

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.mpc.known import Assumptions, Knowledge
from ebbflow.agents.mpc.planner import Effort, _Search, decide_step
from ebbflow.agents.mpc.policy import Mpc
from ebbflow.agents.planning.problem import Problem
from ebbflow.agents.planning.program import Program
from ebbflow.agents.rules import LeastLaxity
from ebbflow.agents.run import run_days
from ebbflow.envs.simulator import Simulator

from ...machine import slowness  # noqa: TID252

PRESETS = ("depot-workplace", "home-california", "home-texas")


def problems(preset: str, first: int, count: int) -> list[Problem]:
    """Those of successive steps of a day."""
    simulator = Simulator(list(draw_days(DayRequest(preset)).scenarios))
    simulator.reset()
    made = []
    for step in range(first + count):
        snapshot = simulator.snapshot()
        if step >= first:
            made.append(Knowledge(snapshot, Assumptions()).problem(0))
        simulator.step(0.3 * LeastLaxity().act(snapshot))
    return made


@pytest.mark.parametrize("preset", PRESETS)
def test_a_warm_start_ends_at_the_same_cost_in_fewer_iterations(preset: str) -> None:
    basis, warm_iterations, cold_iterations = None, 0, 0
    for at, problem in enumerate(problems(preset, 32, 5)):
        cold, warm = _Search(problem, Effort(), None), _Search(problem, Effort(), basis)
        plans = [search.parts.plan(best) for search in (cold, warm) if (best := search.best()) is not None]
        assert plans[1].cost_usd == pytest.approx(plans[0].cost_usd, abs=0.02)
        basis = warm.basis()
        if at:
            cold_iterations += cold.iterations
            warm_iterations += warm.iterations
    assert warm_iterations < 0.7 * cold_iterations


@pytest.mark.parametrize("preset", PRESETS)
def test_the_plan_costs_what_the_planner_of_the_optimum_finds(preset: str) -> None:
    (problem,) = problems(preset, 36, 1)
    search = _Search(problem, Effort(), None)
    best = search.best()
    assert best is not None
    solution, _ = Program(problem).solve()
    assert search.parts.plan(best).cost_usd == pytest.approx(solution.objective_usd, abs=0.02)


def test_a_decision_stops_at_its_iterations() -> None:
    (problem,) = problems("home-california", 36, 1)
    enough = decide_step(problem, Effort())
    assert enough.power_kw is not None
    assert enough.power_kw.shape == (problem.n_ports,)
    cut = decide_step(problem, Effort(iteration_limit=50))
    assert cut.power_kw is None
    assert cut.iterations <= 50 < enough.iterations


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_a_decision_for_25_cars_takes_less_than_60_ms(preset: str) -> None:
    drawn, policy = draw_days(DayRequest(preset, days=2)), Mpc()
    taken_ms, act = [], policy.act

    def timed(snapshot):  # type: ignore[no-untyped-def]
        began = time.process_time()
        request = act(snapshot)
        if snapshot.ports.plugged.any():
            taken_ms.append(1000 * (time.process_time() - began))
        return request

    policy.act = timed  # type: ignore[method-assign]
    for day in drawn.scenarios:
        run_days(day, policy, reserve=drawn.reserve)
    assert np.median(taken_ms) < 60 * slowness()
