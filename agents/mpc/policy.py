"""Model-predictive control: a rolling horizon of 24 hours, planned anew at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.snapshot import Snapshot
from ..rules import LeastLaxity
from .known import Assumptions, Knowledge
from .planner import Effort, decide_step
from .warm import Basis

Array = NDArray[Any]


class Mpc:
    """Solves one linear programme per fleet and step, on what is known then, and uses its first step.

    It knows published and forecast prices, issued load forecasts, limits, what drivers said, events that were
    announced and the arrivals of other days; physics, tariff, wear and programme are those of the optimum, minimum
    currents and charger steps are left to the projection. A decision that reaches its limit is made by least laxity;
    `fallbacks` counts them.

    Args:
        assumptions: what it takes as given beyond the snapshot; None: the values that measured best.
        iteration_limit: simplex iterations per fleet and decision, for results that repeat.
        time_limit_ms: milliseconds of the solver per fleet and decision, for live use; None: no limit.
        warm: begin each decision where the last one ended.

    Raises:
        ValueError: a limit that is none.
    """

    name = "mpc"

    def __init__(
        self,
        assumptions: Assumptions | None = None,
        *,
        iteration_limit: int = Effort.iteration_limit,
        time_limit_ms: float | None = None,
        warm: bool = True,
    ) -> None:
        self._assumptions = assumptions or Assumptions()
        self._effort = Effort(iteration_limit, time_limit_ms)
        self._warm = warm
        self._least_laxity = LeastLaxity()
        self._bases: dict[int, Basis] = {}
        self.fallbacks = 0

    def reset(self) -> None:
        """Forget the worlds seen so far, and the count of fallbacks."""
        self._bases, self.fallbacks = {}, 0

    def act(self, snapshot: Snapshot) -> Array:
        """The first step of each world's plan, kW, `(B, N)`."""
        plugged = np.asarray(snapshot.ports.plugged)
        request = np.zeros(plugged.shape)
        if not plugged.any():
            return request
        knowledge = Knowledge(snapshot, self._assumptions)
        failed = [
            world for world in np.flatnonzero(plugged.any(axis=1)).tolist() if not self._plan(knowledge, world, request)
        ]
        if failed:
            self.fallbacks += len(failed)
            request[failed] = self._least_laxity.act(snapshot)[failed]
        return request

    def _plan(self, knowledge: Knowledge, world: int, request: Array) -> bool:
        """Write the plan's first step of one world; False where the effort did not suffice."""
        basis = self._bases.pop(world, None)
        made = decide_step(knowledge.problem(world), self._effort, basis)
        if made.power_kw is None:
            return False
        if self._warm and made.basis is not None:
            self._bases[world] = made.basis
        request[world] = made.power_kw
        return True


class PersistentLoadMpc(Mpc):
    """`mpc` that does not take load forecasts as issued: it moves them by what they are off now.

    The learned policies' planned level does the same (`envs.encoding.array_level`): a comparison with this reference
    leaves out what that alone is worth.
    """

    name = "mpc_persistent_load"

    def __init__(self) -> None:
        super().__init__(Assumptions(persistent_load=True))
