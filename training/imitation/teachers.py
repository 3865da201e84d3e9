"""Who is imitated: what each teacher would request where a policy has brought a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...agents.mpc import Mpc
from ...agents.mpc.planner import Effort, decide_step
from ...configs.load import unknown_name
from ...envs.simulator import Simulator
from ...envs.world.scenario import Scenario
from .rest import Rest

Array = NDArray[Any]

DRIFT_USD_PER_KWH = 1e-5
"""By which a grid kWh is taken to be dearer each step, so that of equal plans the one that charges first is shown."""


class Teacher(Protocol):
    """Answers for one day."""

    def request(self, simulator: Simulator) -> Array:
        """What it would request now of each port, kW `(N,)`; NaN where it does not know.

        Args:
            simulator: one world that plays the day.
        """
        ...


class OptimumTeacher:
    """Knows the day's truth and plans what is left of it, once more at every question.

    Args:
        scenario: the day.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._rest = Rest(scenario)

    def request(self, simulator: Simulator) -> Array:
        """The first step of the linear programme of the rest of the day, kW `(N,)`."""
        problem = self._rest.problem(simulator.state)
        drift = DRIFT_USD_PER_KWH * np.arange(problem.n_steps)
        made = decide_step(replace(problem, carbon_usd_per_kwh=problem.carbon_usd_per_kwh + drift), Effort())
        return np.full(simulator.n_ports, np.nan) if made.power_kw is None else made.power_kw


class MpcTeacher:
    """Knows what a controller knows: `agents.mpc`.

    Args:
        scenario: the day.
    """

    def __init__(self, scenario: Scenario) -> None:
        # It is asked for some steps of the day only, so that its last basis would not fit.
        self._mpc = Mpc(warm=False)

    def request(self, simulator: Simulator) -> Array:
        """The first step of its plan, kW `(N,)`."""
        return np.asarray(self._mpc.act(simulator.snapshot())[0])


TEACHERS: Mapping[str, Callable[[Scenario], Teacher]] = {"optimum": OptimumTeacher, "mpc": MpcTeacher}


def find_teacher(name: str) -> Callable[[Scenario], Teacher]:
    """The maker of the teacher of that name.

    Raises:
        ValueError: there is none, with the nearest valid name.
    """
    if name not in TEACHERS:
        raise ValueError(unknown_name("teacher", name, list(TEACHERS)))
    return TEACHERS[name]
