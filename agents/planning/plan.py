"""A plan: what a solution of the linear programme means for the cars and for the accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.ledger import Account
from .columns import NONE
from .costs import Costs
from .cuts import value
from .layout import Layout
from .payments import Payments
from .problem import Problem

Array = NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """What each connected car does in each step; `L` pairs of a stay and one of its steps."""

    stay: Array  # (L,)
    step: Array  # (L,)
    charge_kw: Array  # (L,) mean power drawn
    discharge_kw: Array  # (L,) mean power given, positive
    energy_kwh: Array  # (L,) in the battery after the step
    accounts_usd: dict[str, float]  # by account; their sum is the plan's cost
    performance_kwh: Array  # (E,) of the events, with what came before the window

    @property
    def cost_usd(self) -> float:
        """Sum of all accounts."""
        return sum(self.accounts_usd.values())

    def power_kw(self, problem: Problem) -> Array:
        """Mean power of each port, positive = charge, `(T, N)`."""
        power = np.zeros((problem.n_steps, problem.n_ports))
        power[self.step, problem.stays.port[self.stay]] = self.charge_kw - self.discharge_kw
        return power


def plan_of(problem: Problem, layout: Layout, costs: Costs, payments: Payments, x: Array) -> Plan:
    """The plan that the columns `x` hold."""
    performance = costs.kwh @ x + costs.constant_kwh
    usd = costs.usd @ x + costs.constant_usd
    usd[Account.PROGRAMME_USD] -= payments.payment_usd(performance).sum()
    charge, discharge = value(x, layout.charge), value(x, layout.discharge)
    return Plan(
        stay=layout.stay,
        step=layout.step,
        charge_kw=charge,
        discharge_kw=discharge,
        energy_kwh=_energy(problem, layout, x, charge),
        accounts_usd={account.name.lower(): float(usd[account]) for account in Account},
        performance_kwh=performance,
    )


def _energy(problem: Problem, layout: Layout, x: Array, charge_kw: Array) -> Array:
    """Energy after each step; summed up, and no higher than the car goes, where no column holds it."""
    gained = problem.step_h * layout.battery.gain[layout.stay] * charge_kw
    summed = np.cumsum(gained)
    before = np.concatenate([[0.0], summed])[layout.first[:-1]]
    energy = problem.stays.start_kwh[layout.stay] + summed - before[layout.stay]
    return np.where(
        layout.energy != NONE, value(x, layout.energy), np.minimum(energy, problem.stays.top_kwh[layout.stay])
    )
