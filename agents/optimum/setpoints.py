"""From a plan to set-points that chargers can play: their minimum and steps kept, the plan's energy followed.

Each step aims at the energy that the plan has after it, from where the car truly is, so that what rounding loses in one
step the next makes good. Cars whose aim lies below their minimum share it out: full minimum to those furthest behind,
none to the others, so that the site's total is kept. Nobody is started later than it must be for what is due.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.physics.backends import port_model, rounding_of
from ...envs.world.scenario import Scenario
from ..planning.plan import Plan
from ..planning.problem import Problem
from .cars import Cars

Array = NDArray[Any]

TINY_SOC = 1e-9
_PORT = port_model("numpy")


def setpoints_of(scenario: Scenario, problem: Problem, plan: Plan) -> Array:
    """Set-points of every port and step `(T, N)` that follow the plan."""
    follower = _Follower(scenario, problem)
    setpoint = np.zeros((problem.n_steps, problem.n_ports))
    order = np.argsort(plan.step, kind="stable")
    edges = np.searchsorted(plan.step[order], np.arange(problem.n_steps + 1))
    for step in range(problem.n_steps):
        pairs = order[edges[step] : edges[step + 1]]
        stay = plan.stay[pairs]
        setpoint[step, problem.stays.port[stay]] = follower.follow(step, stay, plan.energy_kwh[pairs])
    return setpoint


class _Follower:
    """The cars as they truly are while the plan is followed."""

    def __init__(self, scenario: Scenario, problem: Problem) -> None:
        self.cars, self.stays = Cars(scenario), problem.stays
        # The problem leaves out stays that begin after the episode.
        self.row = np.flatnonzero(scenario.stays.arrive_step < scenario.n_steps)
        self.soc = problem.stays.start_kwh / problem.stays.capacity_kwh

    def follow(self, step: int, stay: Array, aim_kwh: Array) -> Array:
        """Set-points of the connected stays for this step; moves their cars."""
        s, row, soc = self.stays, self.row[stay], self.soc[stay]
        aim = np.clip(aim_kwh, 0.0, s.top_kwh[stay]) / s.capacity_kwh[stay]
        up = np.where(aim > soc + TINY_SOC, self.cars.power_to_reach(row, aim, soc), 0.0)
        up = np.maximum(self._playable(stay, up), self._due(step, stay, soc))
        floor = np.minimum(s.export_floor_kwh[stay] / s.capacity_kwh[stay], soc)
        down = self.cars.power_to_drain(row, np.maximum(aim, floor), soc)
        down = np.where((aim < soc - TINY_SOC) & (s.max_discharge_kw[stay] > 0) & (up == 0), down, 0.0)
        setpoint = self.cars.offered(row, up - down)
        self.soc[stay], _ = self.cars.moved(row, soc, setpoint)
        return setpoint

    def _playable(self, stay: Array, power: Array) -> Array:
        """On the chargers' steps, rounded down; what is below a minimum goes to those furthest behind."""
        table, row = self.cars.stays, self.row[stay]
        least = table.min_charge_kw[row]
        short = np.flatnonzero((power > 0) & (power < least))
        site, behind = self.stays.site[stay[short]], power[short] / least[short]
        order = short[np.lexsort((-behind, site))]
        site, total = self.stays.site[stay[order]], np.cumsum(power[order])
        begins = np.searchsorted(site, site)
        given, wanted = np.cumsum(least[order]), np.bincount(site, power[order])[site] if len(site) else total
        before = np.where(begins > 0, given[begins - 1], 0.0) if len(site) else given
        # On while half of the minimum is covered by what the site's short cars are to have together.
        starts = given - before - 0.5 * least[order] <= wanted
        played = power.copy()
        played[order] = np.where(starts, least[order], 0.0)
        return np.asarray(_PORT.floor_to_step(played, table.step_kw[row], rounding_of(played)))

    def _due(self, step: int, stay: Array, soc: Array) -> Array:
        """Least power now from which full power still reaches what is due; rounded up."""
        s, table, row = self.stays, self.cars.stays, self.row[stay]
        goal = s.needed_kwh[stay] / s.capacity_kwh[stay]
        after = self.cars.latest_start(row, goal, (s.to_step[stay] - step - 1) * self.cars.step_h)
        power = self.cars.power_to_reach(row, after, soc)
        power = np.maximum(_PORT.ceil_to_step(power, table.step_kw[row], rounding_of(power)), table.min_charge_kw[row])
        due = np.minimum(power, table.max_charge_kw[row])
        return np.where(np.minimum(after, goal) > soc + TINY_SOC, due, 0.0)
