"""The optimum of a day: a cost that no projected controller can beat, and the plan that comes with it (contracts 6).

It knows the whole truth, obeys limits, consents and the cars' own charge limits, and relaxes only outward: the taper as
tangents, no minimum current or steps, the best efficiency at each power, means over a step under limits that the
projection keeps at every instant. Not convex are the floor of an event's payment, a meter whose exports earn more than
its imports cost, and losses that pay at negative prices; see `search`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ...envs.world.scenario import Scenario
from ..planning.program import Program
from .search import Found, Search
from .setpoints import setpoints_of
from .truth import problem_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Optimum:
    """The optimum of one day."""

    bound_usd: float  # net cost that no projected controller can beat
    plan_usd: float  # what the relaxed plan costs: above the bound by as much as the bound may be loose
    accounts_usd: dict[str, float]  # of that plan, by account
    setpoint_kw: Array  # (T, N) the plan on the chargers' steps, kW at the grid side, positive = charge
    kind: str  # "lp", "milp" where binaries were needed, "both ways" where only an event was settled both ways
    status: str  # of the solver
    rounds: int  # linear programmes solved, with rows added in between
    solve_s: float  # CPU seconds, from the scenario to the set-points


def solve_optimum(scenario: Scenario) -> Optimum:
    """Solve the day with perfect foresight.

    Raises:
        ValueError: a scenario that the simulator refuses.
        RuntimeError: the solver found no plan.
    """
    began = time.process_time()
    problem = problem_of(scenario)
    found = Search(Program(problem)).run()
    setpoint_kw = setpoints_of(scenario, problem, found.plan)
    return Optimum(
        bound_usd=found.bound_usd,
        plan_usd=found.plan.cost_usd,
        accounts_usd=found.plan.accounts_usd,
        setpoint_kw=setpoint_kw,
        kind=_kind(found),
        status=found.status,
        rounds=found.rounds,
        solve_s=time.process_time() - began,
    )


def _kind(found: Found) -> str:
    return "milp" if found.integer else "both ways" if found.branched else "lp"
