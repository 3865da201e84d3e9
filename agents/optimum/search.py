"""The least cost over everything that is not convex: the floor of an event's payment, one of two things at once.

Best first: the node with the lowest bound is taken; where the line that stands for an event's payment pays more than
the programme would, the event is settled both ways. The lowest bound of all open nodes is a bound of the whole, so the
search may stop at any node.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..planning.blocks import Blocks
from ..planning.choices import taken_both
from ..planning.cuts import violated
from ..planning.payments import Side
from ..planning.plan import Plan
from ..planning.program import Program
from ..planning.solver import Solution

Array = NDArray[Any]

LOOSE = 1e-4
"""Dollars, as a share of the bound or of a dollar, by which it may be loose before something is settled."""

MOST_NODES = 64
SHARPENINGS = 3
"""Rounds of binaries: their solutions may reach tapers that the linear programme's did not."""


@dataclass(frozen=True)
class Found:
    """The best bound and the plan that goes with it."""

    bound_usd: float
    plan: Plan
    status: str
    rounds: int
    branched: bool  # an event was settled both ways
    integer: bool  # binaries were used


@dataclass(frozen=True)
class _Node:
    solution: Solution
    sides: tuple[Side, ...]
    plan: Plan
    integer: bool


class Search:
    """Searches one programme."""

    def __init__(self, program: Program) -> None:
        self.program, self.rounds = program, 0

    def run(self) -> Found:
        """Search until the lowest bound is exact, or for `MOST_NODES`."""
        first = self._node(self.program.sides)
        order, heap = 0, [(first.solution.bound_usd, 0, first)]
        while True:
            bound, _, node = heapq.heappop(heap)
            excess = self.program.parts.payments.excess_usd(node.sides, node.plan.performance_kwh)
            if excess.sum() <= _loose(bound) or order >= MOST_NODES:
                return Found(bound, node.plan, node.solution.status, self.rounds, order > 0, node.integer)
            event = int(np.argmax(excess))
            for side in (Side.PAID, Side.UNPAID):
                order += 1
                child = self._node((*node.sides[:event], side, *node.sides[event + 1 :]))
                # What holds for the parent holds for the child.
                heapq.heappush(heap, (max(bound, child.solution.bound_usd), order, child))

    def _node(self, sides: tuple[Side, ...]) -> _Node:
        program, parts = self.program, self.program.parts
        program.assume(sides)
        solution, integer = self._solve(), False
        for left in reversed(range(SHARPENINGS)):
            both = taken_both(parts.problem, parts.layout, solution.x)
            if both.usd <= _loose(solution.bound_usd):
                break
            stays = parts.layout.stay[both.cars]
            sites = np.unique(np.concatenate([both.meters[:, 0], parts.problem.stays.site[stays]]))
            blocks = Blocks(parts.problem, parts.layout, program.highs.cost, program.highs.rows, solution)
            solution, integer = blocks.sharpened(sites), True
            missing = violated(parts.problem, parts.layout, solution.x, program.tolerances)
            if len(missing) == 0 or not left:
                break
            program.highs.add(missing)
            solution = self._solve()
        return _Node(solution, sides, parts.plan(solution.x), integer)

    def _solve(self) -> Solution:
        solution, rounds = self.program.solve()
        self.rounds += rounds + 1
        if not solution.found:
            raise RuntimeError(f"HiGHS found no plan: {solution.status}; a fleet can always pause, so this is a defect")
        return solution


def _loose(bound_usd: float) -> float:
    return LOOSE * max(1.0, abs(bound_usd))
