"""The problem of what is left: with what the ledger has booked it is never more than what anybody then reaches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.optimum import solve_optimum
from ebbflow.agents.optimum.search import Search
from ebbflow.agents.optimum.truth import problem_of
from ebbflow.agents.planning.program import Program
from ebbflow.envs.safety.projection import Reserve, make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.build import build_scenario, load_settings
from ebbflow.envs.world.scenario import Scenario
from ebbflow.training.imitation.rest import Rest

from ...agents.planning.random_days import random_day  # noqa: TID252


def bound_usd(problem: object) -> float:
    return Search(Program(problem)).run().bound_usd  # type: ignore[arg-type]


def booked_and_left(scenario: Scenario, rng: np.random.Generator, ask_at: int) -> tuple[float, float, float]:
    """Dollars booked before step `ask_at`, the bound of the rest, and the day's dollars under random wishes."""
    simulator, project = Simulator([scenario], 1, backend="numpy"), make_projector("numpy", Reserve(1.0, 0.0))
    rest, booked, left = Rest(scenario), 0.0, 0.0
    simulator.reset()
    for step in range(scenario.n_steps):
        if step == ask_at:
            booked = float(simulator.state.accounts.sum())
            left = bound_usd(rest.problem(simulator.state))
        wish = rng.uniform(-12.0, 12.0, (1, scenario.n_ports))
        simulator.step(project.project(simulator.snapshot(), wish).applied_kw)
    return booked, left, float(simulator.state.accounts.sum())


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), where=st.floats(0.0, 0.99))
def test_booked_and_left_lie_between_the_days_bound_and_what_was_played(seed: int, where: float) -> None:
    rng = np.random.default_rng(seed)
    scenario = random_day(rng)
    booked, left, played = booked_and_left(scenario, rng, int(where * scenario.n_steps))
    room = 1e-3 + 3e-4 * abs(played)
    assert solve_optimum(scenario).bound_usd <= booked + left + room
    assert booked + left <= played + room


@pytest.mark.parametrize("preset", ["home-california", "depot-workplace"])
def test_at_the_first_step_it_is_the_whole_day(preset: str) -> None:
    made = load_settings(preset, ["ports=6", "interval_minutes=60"])
    scenario = build_scenario(made, seed=3, day=2, split="train")
    simulator = Simulator([scenario], 1)
    simulator.reset()
    whole, left = problem_of(scenario), Rest(scenario).problem(simulator.state)
    for table in ("stays", "sites", "feeders", "events"):
        ours, theirs = (dataclasses.asdict(getattr(problem, table)) for problem in (left, whole))
        for name, column in theirs.items():
            np.testing.assert_array_equal(ours[name], column, err_msg=f"{table}.{name}")
    assert left.fixed_usd == whole.fixed_usd
    assert left.n_steps == whole.n_steps


def test_a_day_that_is_over_has_no_rest() -> None:
    scenario = build_scenario(load_settings("home-texas", ["ports=2", "interval_minutes=60"]), seed=0, day=0)
    simulator = Simulator([scenario], 1)
    simulator.reset()
    for _ in range(scenario.n_steps):
        simulator.step(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="step is 24 of 24"):
        Rest(scenario).problem(simulator.state)
