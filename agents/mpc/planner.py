"""One decision of one fleet: a linear programme of the next 24 hours, of which only the first step is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..planning.columns import NONE
from ..planning.cuts import Tolerances, violated
from ..planning.payments import Side, line_costs
from ..planning.problem import Problem
from ..planning.program import Parts
from ..planning.solver import Solution
from .warm import DUAL, Basis, WarmHighs

Array = NDArray[Any]

OPTIMAL = "Optimal"

ROUNDS = 2
"""Rounds of rows that are added where the taper or the choice of one direction is violated; more changed nothing."""

TOLERANCES = Tolerances(energy_kwh=0.01, share=1e-3)

FULL = 1.0 - 1e-6


@dataclass(frozen=True)
class Effort:
    """How much one decision may cost.

    Args:
        iteration_limit: simplex iterations; the same on every machine and in every run.
        time_limit_ms: milliseconds of the solver, for live use; None: no limit.
    """

    iteration_limit: int = 20_000
    time_limit_ms: float | None = None

    def __post_init__(self) -> None:
        if self.iteration_limit < 0:
            raise ValueError(f"iteration_limit is {self.iteration_limit}; give 0 (always least laxity) or more")
        if self.time_limit_ms is not None and not self.time_limit_ms > 0:
            raise ValueError(f"time_limit_ms is {self.time_limit_ms}; give more than 0, or None for no limit")


class Decision(NamedTuple):
    """What came out: set-points of the present step, or None where the effort did not suffice."""

    power_kw: Array | None  # (N,)
    basis: Basis | None  # to begin at a step later
    iterations: int


def decide_step(problem: Problem, effort: Effort, basis: Basis | None = None) -> Decision:
    """Plan the window and read off its first step.

    Args:
        problem: what is known; its stays of ports from `n_ports` on are only expected.
        effort: the hard limit.
        basis: where the decision of the step before ended.
    """
    search = _Search(problem, effort, basis)
    best = search.best()
    if best is None:
        return Decision(None, None, search.iterations)
    return Decision(_first_step(problem, search.parts, best), search.basis(), search.iterations)


class _Search:
    """The programme of a problem, solved within the effort."""

    def __init__(self, problem: Problem, effort: Effort, basis: Basis | None) -> None:
        self.parts = parts = Parts.of(problem)
        self.iterations, self._effort = 0, effort
        layout, self._sides = parts.layout, _optimistic(parts.payments.sides())
        cost, _ = line_costs(parts.costs, parts.payments, self._sides)
        self._highs = WarmHighs(cost, layout.lower, layout.upper, parts.rows, simplex_strategy=DUAL)
        if effort.time_limit_ms is not None:
            self._highs.set(time_limit=effort.time_limit_ms / 1000.0)  # HiGHS adds its runs up
        if basis is not None:
            self._highs.begin_at(basis, layout.keys)

    def basis(self) -> Basis:
        return self._highs.basis(self.parts.layout.keys)

    def best(self) -> Array | None:
        """The best plan, with the payments of events as they are: where one would be below 0, none is tried too."""
        found = self._solve()
        if found is None:
            return None
        plan = self.parts.plan(found)
        below = [i for i, kwh in enumerate(plan.performance_kwh) if kwh < 0 and self._sides[i] is Side.PAID]
        if not below:
            return found
        sides = tuple(Side.UNPAID if i in below else side for i, side in enumerate(self._sides))
        self._highs.price(line_costs(self.parts.costs, self.parts.payments, sides)[0])
        other = self._solve()
        if other is None:
            return None
        return other if self.parts.plan(other).cost_usd < plan.cost_usd else found

    def _solve(self) -> Array | None:
        """Solve, adding what is violated; None where the effort does not suffice."""
        for _ in range(ROUNDS):
            solution = self._run()
            if solution is None:
                return None
            missing = violated(self.parts.problem, self.parts.layout, solution.x, TOLERANCES)
            if len(missing) == 0:
                return solution.x
            self._highs.add(missing)
        solution = self._run()
        return None if solution is None else solution.x

    def _run(self) -> Solution | None:
        left = self._effort.iteration_limit - self.iterations
        if left <= 0:
            return None
        self._highs.set(simplex_iteration_limit=left)
        solution = self._highs.solve()
        # What rows or prices change is a matter for the dual.
        self._highs.set(simplex_strategy=DUAL)
        self.iterations += solution.iterations
        return solution if solution.status == OPTIMAL else None


def _optimistic(sides: tuple[Side, ...]) -> tuple[Side, ...]:
    """Where it is open whether an event pays, a line that never pays too much."""
    return tuple(Side.PAID if side is Side.OPEN else side for side in sides)


def _first_step(problem: Problem, parts: Parts, x: Array) -> Array:
    """Set-points `(N,)`: who is to draw all that it can is offered its full power."""
    layout, stays = parts.layout, problem.stays
    here = np.flatnonzero((stays.from_step == 0) & (stays.port < problem.n_ports))
    pair = layout.first[here]

    def power(column: Array) -> Array:
        return np.where(column[pair] != NONE, x[column[pair]], 0.0)

    net = power(layout.charge) - power(layout.discharge)
    full = net >= FULL * layout.battery.draw_kw[here]
    request = np.zeros(problem.n_ports)
    request[stays.port[here]] = np.where(full & (net > 0), stays.max_charge_kw[here], net)
    return request
