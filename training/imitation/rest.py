"""What is left of a day: the truth's planning problem from a step on, from where a policy has brought the cars."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...agents.optimum.truth import problem_of
from ...agents.planning.problem import PlanEvents, PlanFeeders, PlanSites, PlanStays, Problem
from ...envs.physics.state import NO_STAY, WorldState
from ...envs.world.scenario import Scenario

Array = NDArray[Any]
Series = TypeVar("Series", PlanSites, PlanFeeders)


class Rest:
    """Cuts the problem of a day's truth where a running world stands.

    What the cut problem costs and what the ledger has booked so far add up to the cost of the whole day.

    Args:
        scenario: the day.

    Raises:
        ValueError: a scenario that the simulator refuses.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._whole = problem_of(scenario)
        # The problem leaves out stays and events that do not touch the day; here is where the state has the others.
        self._row = np.flatnonzero(scenario.stays.arrive_step < scenario.n_steps)
        e = scenario.events
        self._event = np.flatnonzero(np.minimum(e.end_step, scenario.n_steps) > np.maximum(e.start_step, 0))

    def problem(self, state: WorldState, world: int = 0) -> Problem:
        """The problem of what is left.

        Args:
            state: of a NumPy or compiled simulator that plays this day.
            world: which of its worlds.

        Raises:
            ValueError: the day is over.
        """
        whole, step = self._whole, int(state.step[world])
        if step >= whole.n_steps:
            raise ValueError(f"step is {step} of {whole.n_steps}; nothing is left to plan")
        return replace(
            whole,
            n_steps=whole.n_steps - step,
            stays=self._stays(state, world, step),
            sites=_bills(_from_step(whole.sites, step), state, world),
            feeders=_from_step(whole.feeders, step),
            events=self._events(state, world, step),
            window_done=step % whole.window_steps,
            carbon_usd_per_kwh=whole.carbon_usd_per_kwh[step:],
            fixed_usd=whole.fixed_usd * (whole.n_steps - step) / whole.n_steps,
        )

    def _stays(self, state: WorldState, world: int, step: int) -> PlanStays:
        stays = self._whole.stays
        start_kwh = stays.start_kwh.copy()
        here = np.flatnonzero(state.stay[world] != NO_STAY)
        present = np.searchsorted(self._row, np.asarray(state.stay[world])[here])
        start_kwh[present] = np.asarray(state.soc[world])[here] * stays.capacity_kwh[present]
        moved = replace(
            stays,
            from_step=np.maximum(stays.from_step - step, 0),
            to_step=stays.to_step - step,
            start_kwh=start_kwh,
            top_kwh=np.maximum(stays.top_kwh, start_kwh),
        )
        left = moved.to_step > 0
        columns = {f.name: getattr(moved, f.name) for f in fields(moved)}
        kept: dict[str, Any] = {name: None if column is None else column[left] for name, column in columns.items()}
        return PlanStays(**kept)

    def _events(self, state: WorldState, world: int, step: int) -> PlanEvents:
        e = self._whole.events
        left = e.to_step > step
        return PlanEvents(
            np.maximum(e.from_step - step, 0)[left], e.to_step[left] - step, e.rate_usd_per_kwh[left],
            e.pays_export[left], np.asarray(state.event_kwh[world], float)[self._event][left],
        )  # fmt: skip


def _from_step(table: Series, step: int) -> Series:
    """The table with its series cut."""
    columns = {f.name: getattr(table, f.name) for f in fields(table)}
    return replace(table, **{name: column[:, step:] for name, column in columns.items() if column.ndim == 2})


def _bills(sites: PlanSites, state: WorldState, world: int) -> PlanSites:
    """With what the demand charge has seen so far."""
    names = ("peak_kw", "peak_base_kw", "window_kwh", "window_base_kwh")
    seen = {name: np.asarray(getattr(state, name)[world], float) for name in names}
    return replace(sites, peak_floor_kw=seen["peak_kw"], **seen)
