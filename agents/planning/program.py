"""The linear programme of a problem: build it once, solve it for prices and rows that change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .constraints import all_rows
from .costs import Costs, costs_of
from .cuts import Tolerances, violated
from .layout import Layout, lay_out
from .payments import Payments, Side, line_costs, payments_of
from .plan import Plan, plan_of
from .problem import Problem
from .rows import Rows
from .solver import Highs, Solution

Array = NDArray[Any]

ROUNDS = 30
"""Most rounds of added rows: two to nine were seen until none was missing."""


@dataclass(frozen=True)
class Parts:
    """A problem as columns, rows and costs, before any solver."""

    problem: Problem
    layout: Layout
    rows: Rows
    costs: Costs
    payments: Payments

    @staticmethod
    def of(problem: Problem, every_loss: bool = False) -> Parts:
        """Build the parts; see `lay_out` for `every_loss`."""
        layout = lay_out(problem, every_loss)
        return Parts(
            problem, layout, all_rows(problem, layout), costs_of(problem, layout), payments_of(problem, layout)
        )

    def plan(self, x: Array) -> Plan:
        """The plan that the columns `x` hold."""
        return plan_of(self.problem, self.layout, self.costs, self.payments, x[: self.layout.n_columns])


class Program:
    """A problem in HiGHS.

    Args:
        problem: the window.
        every_loss: see `lay_out`.
        tolerances: when a row counts as violated.
        options: HiGHS options by name, for example `simplex_iteration_limit`.
    """

    def __init__(
        self, problem: Problem, *, every_loss: bool = False, tolerances: Tolerances | None = None, **options: Any
    ) -> None:
        self.parts = Parts.of(problem, every_loss)
        self.tolerances = tolerances or Tolerances()
        self.sides = self.parts.payments.sides()
        cost, self.constant_usd = line_costs(self.parts.costs, self.parts.payments, self.sides)
        layout = self.parts.layout
        self.highs = Highs(cost, layout.lower, layout.upper, self.parts.rows, **options)

    def assume(self, sides: tuple[Side, ...]) -> None:
        """Take the events' payments as these lines."""
        self.sides = sides
        cost, self.constant_usd = line_costs(self.parts.costs, self.parts.payments, sides)
        self.highs.price(cost)

    def solve(self, rounds: int = ROUNDS) -> tuple[Solution, int]:
        """Solve, adding violated rows for at most so many rounds; the solution with constants, and the rounds made."""
        solution, made = self.highs.solve(), 0
        while made < rounds and solution.found:
            missing = violated(self.parts.problem, self.parts.layout, solution.x, self.tolerances)
            if len(missing) == 0:
                break
            self.highs.add(missing)
            solution, made = self.highs.solve(), made + 1
        return solution.plus(self.constant_usd), made

    def plan(self, solution: Solution) -> Plan:
        """What the solution means."""
        return self.parts.plan(solution.x)
