"""The cars of a scenario moved by the simulator's own port model, all stays side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.physics.backends import port_model, rounding_of
from ...envs.world.bank import StayTable, pack
from ...envs.world.scenario import Scenario

Array = NDArray[Any]

_PORT = port_model("numpy")


class Cars:
    """The stays of a day; `which` picks rows of its table of stays, in the scenario's order."""

    def __init__(self, scenario: Scenario) -> None:
        self.stays: StayTable = pack([scenario]).days.stays
        self.step_h = scenario.step_h
        s = self.stays
        self.curve = (s.capacity_kwh, s.taper_soc, s.battery_accept_kw, s.charge_efficiency, s.fixed_loss_kw)

    def offered(self, which: Array, setpoint_kw: Array) -> Array:
        """What the chargers make of set-points: clipped, on their current steps, below their minimum a pause."""
        s = self.stays
        limits = (s.max_charge_kw, s.max_discharge_kw, s.min_charge_kw, s.min_discharge_kw, s.step_kw)
        return np.asarray(_PORT.offered_power(setpoint_kw, *(x[which] for x in limits), rounding_of(setpoint_kw)))

    def moved(self, which: Array, soc: Array, setpoint_kw: Array) -> tuple[Array, Array]:
        """SoC after a step under offered set-points, and the signed kWh at the grid."""
        s, up, down = self.stays, np.maximum(setpoint_kw, 0.0), np.maximum(-setpoint_kw, 0.0)
        curve = [x[which] for x in self.curve]
        charged, drawn = _PORT.charge(soc, up, self.step_h, *curve, s.stop_soc[which])
        capacity, loss = s.capacity_kwh[which], s.fixed_loss_kw[which]
        drained, given = _PORT.discharge(soc, down, self.step_h, capacity, s.discharge_efficiency[which], loss, 0.0)
        after = np.where(setpoint_kw > 0, charged, np.where(setpoint_kw < 0, drained, soc))
        return after, np.where(setpoint_kw > 0, drawn, np.where(setpoint_kw < 0, -given, 0.0))

    def power_to_reach(self, which: Array, goal_soc: Array, soc: Array) -> Array:
        """Least set-point that charges to the goal within a step; 0 where the car is there."""
        s = self.stays
        return np.asarray(
            _PORT.power_to_reach(
                np.minimum(goal_soc, s.stop_soc[which]), soc, self.step_h, s.max_charge_kw[which],
                *(x[which] for x in self.curve),
            )
        )  # fmt: skip

    def power_to_drain(self, which: Array, goal_soc: Array, soc: Array) -> Array:
        """Export that lowers the SoC to the goal within a step, not below nothing."""
        s = self.stays
        out_kw = s.capacity_kwh[which] * (soc - goal_soc) / self.step_h
        export = s.discharge_efficiency[which] * out_kw - s.fixed_loss_kw[which]
        return np.asarray(np.clip(export, 0.0, s.max_discharge_kw[which]))

    def latest_start(self, which: Array, goal_soc: Array, hours: Array) -> Array:
        """Least SoC from which full power reaches the goal."""
        s = self.stays
        capacity, taper, accept, eta, loss = (x[which] for x in self.curve)
        battery = _PORT.full_power(s.max_charge_kw[which], accept, eta, loss)
        knee = _PORT.taper_start(battery, accept, taper)
        tau = capacity * (1 - taper) / accept
        return np.asarray(_PORT.latest_start(goal_soc, hours, battery, knee, tau, capacity))
