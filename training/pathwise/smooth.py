"""The torch simulator with gradients where the true ones vanish; its values are the simulator's own.

A stepped charger rounds down, so its power has no slope; a paused one has none because of the minimum current and
the fixed loss. Both stand still in training where they should learn. Forward, everything is as in the simulator;
backward, a charger is continuous, and a pause leans on the slope that charging (or exporting) would have. The fixed
loss is shared out over the power (a secant, not the tangent): by the tangent alone every paused car would seem to gain
from a trickle.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...envs.ledger import MoneyTerms
from ...envs.physics.arrays import ArrayEngine
from ...envs.physics.port import PortModel
from ...envs.physics.state import StepTerms
from ...envs.physics.team import Team
from ...envs.simulator import Simulator
from ...envs.world.bank import Bank

PAUSE_KW = 1e-25
"""A set-point this small is a pause whose sign tells which slope it leans on; the physics makes nothing of it."""

SOME_KW = 5.0
"""Stands in where the battery has no power, since the formulas divide by it."""

FULL_KW, LOAD_KW = 5.0, 1.5
"""Powers at which a paused car is thought to charge and to export: the fixed loss is shared out over them."""


class SmoothEngine(ArrayEngine):
    """The array engine over a port model with such gradients."""

    def __init__(self, bank: Bank, money: MoneyTerms, terms: StepTerms, device: str) -> None:
        super().__init__(bank, money, terms, "torch", device)
        self._tools = self._tools._replace(port=smooth_port(self._tools.port))


class SmoothSimulator(Simulator):
    """A torch simulator to differentiate through.

    Args:
        bank: packed days.
        n_worlds: worlds run side by side.
        device: where torch computes.
    """

    def __init__(self, bank: Bank, n_worlds: int, device: str = "cpu") -> None:
        super().__init__(bank, n_worlds, backend="torch", device=device)

    def _make_engine(self, backend: str, threads: int | Team, device: str) -> SmoothEngine:
        return SmoothEngine(self.bank, self.money, self.terms, device)


def smooth_port(port: PortModel) -> PortModel:
    """The port model with straight-through gradients; see the module."""

    def offered_power(setpoint: Tensor, most: Tensor, most_out: Tensor, *rest: Any) -> Tensor:
        exact = port.offered_power(setpoint.detach(), most, most_out, *rest)
        inside = torch.minimum(torch.maximum(setpoint, -most_out), most)
        exact = torch.where(inside.detach().abs() <= PAUSE_KW, inside.detach(), exact)
        return exact + (inside - inside.detach())

    def charge(soc: Tensor, power: Tensor, hours: float, capacity: Tensor, *rest: Tensor) -> tuple[Tensor, Tensor]:
        taper, accept, efficiency, loss, stop = rest
        idle = power <= PAUSE_KW
        after, energy = port.charge(
            soc, torch.where(idle, SOME_KW, power), hours, capacity, taper, accept, efficiency, loss, stop
        )
        after, energy = torch.where(idle, soc, after), torch.where(idle, 0.0, energy)
        slope, lost = power - power.detach(), loss / torch.where(idle, FULL_KW, power.detach())
        push = torch.where(idle & (soc < stop), slope, 0.0)
        less = torch.where(after.detach() > soc.detach(), slope * lost, 0.0) + push * lost
        return after + (push * efficiency - less) * hours / capacity, energy + push * hours

    def discharge(
        soc: Tensor, power: Tensor, hours: float, capacity: Tensor, efficiency: Tensor, loss: Tensor, floor: float
    ) -> tuple[Tensor, Tensor]:
        idle = power <= PAUSE_KW
        after, energy = port.discharge(soc, torch.where(idle, SOME_KW, power), hours, capacity, efficiency, loss, floor)
        after, energy = torch.where(idle, soc, after), torch.where(idle, 0.0, energy)
        slope, lost = power - power.detach(), loss / torch.where(idle, LOAD_KW, power.detach())
        push = torch.where(idle, slope, 0.0)
        more = torch.where(after.detach() < soc.detach(), slope * lost, 0.0) + push * lost
        return after - (push + more) * hours / (efficiency * capacity), energy + push * hours

    return port._replace(offered_power=offered_power, charge=charge, discharge=discharge)
