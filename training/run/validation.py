"""A policy on the validation days: dollars, service, and how often and how hard the projection acts on it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...agents.evaluation.plan import Plan
from ...agents.figures import figures
from ...agents.policy import Policy
from ...agents.run import run_days
from ...envs.snapshot import Snapshot
from ...envs.world.bank import pack
from .references import headline_days

MOVED_KW = 0.05
"""The projection has acted where it moved a request by more than this."""

SHOWN = (
    "unserved_kwh", "departures_met_percent", "feasible_energy_delivered_percent", "peak_kw", "overload_kwh",
    "commands_per_car_day",
)  # fmt: skip
"""Figures kept of each validation, beside the dollar accounts."""


@dataclass(frozen=True)
class Validation:
    """What a policy made of the validation days; sums over those without an emergency."""

    update: int
    net_cost_usd: float
    usd_per_car_day: float
    figures: dict[str, float]  # the accounts in $ per car and day, then `SHOWN`
    acted_percent: float  # of the connected cars' steps, where the projection moved the request
    moved_kwh_per_car_day: float  # by how much
    replaced_requests: int  # for which the rules had to step in
    failure: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class Validator:
    """Plays policies on the validation days.

    Args:
        plan: the days; see `days.validation_plan`.
    """

    def __init__(self, plan: Plan) -> None:
        self._bank, self._reserve = pack(plan.drawn.scenarios), plan.drawn.reserve
        self._headline = headline_days(plan)

    def play(self, policy: Policy, update: int) -> Validation:
        """Play all days, without noise, as an evaluation would."""
        watched = _Watched(policy)
        ran = run_days(self._bank, watched, reserve=self._reserve)
        ledgers, first = [ran.ledgers[at] for at in self._headline], self._bank.first
        car_days = first.n_ports * len(ledgers)
        values = figures(ledgers, first.n_ports)
        shown = {
            name: value / car_days for name, value in values.items() if name.endswith("_usd") and value is not None
        }
        shown |= {name: value for name in SHOWN if (value := values[name]) is not None}
        cost = sum(ledger.net_cost_usd for ledger in ledgers)
        return Validation(
            update=update,
            net_cost_usd=cost,
            usd_per_car_day=cost / car_days,
            figures=shown,
            acted_percent=100.0 * watched.acted / max(watched.seen, 1),
            moved_kwh_per_car_day=watched.moved_kw * first.step_h / (first.n_ports * self._bank.n_days),
            replaced_requests=ran.replaced_requests,
            failure=ran.failure,
        )


class _Watched:
    """Another policy, whose requests are compared with the set-points that the next snapshot shows.

    A car's last step goes unseen, since it has left by then.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy, self.name = policy, policy.name
        self._asked: NDArray[Any] | None = None
        self.seen, self.acted, self.moved_kw = 0, 0, 0.0

    def reset(self) -> None:
        """Forget the worlds, not the counts."""
        self._policy.reset()
        self._asked = None

    def act(self, snapshot: Snapshot) -> NDArray[Any]:
        """The policy's own answer."""
        if self._asked is not None:
            applied = np.asarray(snapshot.ports.last_setpoint_kw)
            moved = np.abs(applied - self._asked)[np.asarray(snapshot.ports.plugged) & np.isfinite(applied)]
            self.seen, self.acted = self.seen + moved.size, self.acted + int((moved > MOVED_KW).sum())
            self.moved_kw += float(moved.sum())
        self._asked = self._policy.act(snapshot)
        return self._asked
