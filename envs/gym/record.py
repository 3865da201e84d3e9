"""What a running fleet has done so far today, kept for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..physics.state import NO_STAY
from ..simulator import Simulator
from ..world.scenario import Scenario

Array = NDArray[Any]


@dataclass(frozen=True)
class DayRecord:
    """One world's day up to step `k`: power (k, N) and state of charge (k + 1, N), NaN where no car is."""

    scenario: Scenario
    power_kw: Array
    soc: Array

    @property
    def steps(self) -> int:
        """Steps played, `k`."""
        return int(self.power_kw.shape[0])


class Recorder:
    """Keeps power and state of charge of every world of a simulator, step by step."""

    def __init__(self, simulator: Simulator) -> None:
        shape = (simulator.n_worlds, simulator.n_steps + 1, simulator.n_ports)
        self._power_kw, self._soc = np.zeros(shape), np.full(shape, np.nan)
        self._every = np.arange(simulator.n_worlds)

    def before(self, simulator: Simulator) -> None:
        """Note the state of charge at the start of a step."""
        state = simulator.state
        soc = np.where(np.asarray(state.stay) != NO_STAY, state.soc, np.nan)
        self._soc[self._every, np.asarray(state.step)] = soc

    def after(self, simulator: Simulator, applied_kw: Array) -> None:
        """Note the power of the step that has just been played."""
        ports, played = simulator.state.ports, np.asarray(simulator.state.step) - 1
        # A car that left at the end of the step is gone from the columns: what it was offered stands in.
        self._power_kw[self._every, played] = np.where(ports.plugged, ports.power_kw, applied_kw)

    def day(self, simulator: Simulator, world: int = 0) -> DayRecord:
        """The day so far of one world."""
        state = simulator.state
        step = int(state.step[world])
        soc = self._soc[world, : step + 1].copy()
        soc[step] = np.where(np.asarray(state.stay[world]) != NO_STAY, state.soc[world], np.nan)
        scenario = simulator.bank.scenarios[int(state.day[world])]
        return DayRecord(scenario, self._power_kw[world, :step].copy(), soc)
