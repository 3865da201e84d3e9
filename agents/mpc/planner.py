"""One decision of one fleet: a linear programme of the next 24 hours, of which only the first step is used."""

from __future__ import annotations

import itertools
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
from .warm import DUAL, PRIMAL, Basis, WarmHighs

Array = NDArray[Any]

OPTIMAL = "Optimal"

ROUNDS = 2
"""Rounds of rows that are added where the taper or the choice of one direction is violated; with four a day
cost the same to 0.02 %."""

TOLERANCES = Tolerances(energy_kwh=0.01, share=1e-3)

MOST_OPEN = 2
"""Events whose payment is tried both ways, each for itself."""

FULL = 1.0 - 1e-6
"""Of what a car can draw: who is to draw this much is offered all."""


@dataclass(frozen=True)
class Effort:
    """How much one decision may cost.

    Args:
        iteration_limit: simplex iterations; the same on every machine and in every run.
        time_limit_ms: milliseconds of the solver, for live use; None: no limit.
    """

    iteration_limit: int = 50_000
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
        layout, self._ways = parts.layout, _ways(parts.payments.sides())
        cost, _ = line_costs(parts.costs, parts.payments, self._ways[0])
        self._highs = WarmHighs(cost, layout.lower, layout.upper, parts.rows, simplex_strategy=DUAL)
        if effort.time_limit_ms is not None:
            self._highs.set(time_limit=effort.time_limit_ms / 1000.0)  # HiGHS adds its runs up
        if basis is not None:
            self._highs.begin_at(basis, layout.keys)

    def basis(self) -> Basis:
        return self._highs.basis(self.parts.layout.keys)

    def best(self) -> Array | None:
        """The plan that costs least by what the programme really pays; None where the effort did not suffice for any.

        A payment floored at 0 is no line: a plan is sought for each side of the floor.
        """
        best = self._solve()
        if best is None or len(self._ways) == 1:
            return best
        least_usd = self.parts.plan(best).cost_usd
        for way in self._ways[1:]:
            self._highs.price(line_costs(self.parts.costs, self.parts.payments, way)[0])
            self._highs.set(simplex_strategy=PRIMAL)  # the basis stays feasible
            found = self._solve()
            if found is None:
                break
            cost_usd = self.parts.plan(found).cost_usd
            if cost_usd < least_usd:
                best, least_usd = found, cost_usd
        return best

    def _solve(self) -> Array | None:
        """Solve, adding what is violated; None where the effort does not suffice."""
        solution = self._run()
        for _ in range(ROUNDS):
            if solution is None:
                return None
            missing = violated(self.parts.problem, self.parts.layout, solution.x, TOLERANCES)
            if len(missing) == 0:
                break
            self._highs.add(missing)
            self._highs.set(simplex_strategy=DUAL)  # the basis breaks the new rows alone
            solution = self._run()
        return None if solution is None else solution.x

    def _run(self) -> Solution | None:
        left = self._effort.iteration_limit - self.iterations
        if left <= 0:
            return None
        self._highs.set(simplex_iteration_limit=left)
        solution = self._highs.solve()
        self.iterations += solution.iterations
        return solution if solution.status == OPTIMAL else None


def _ways(sides: tuple[Side, ...]) -> list[tuple[Side, ...]]:
    """The events' payments as lines that never pay too much: each open one paid or not, or all of many alike."""
    open_ones = [i for i, side in enumerate(sides) if side is Side.OPEN]
    repeat = len(open_ones) if len(open_ones) <= MOST_OPEN else 1
    ways = []
    for chosen in itertools.product((Side.PAID, Side.UNPAID), repeat=repeat):
        of_event = dict(zip(open_ones, itertools.cycle(chosen), strict=False))
        ways.append(tuple(of_event.get(i, side) for i, side in enumerate(sides)))
    return ways


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
