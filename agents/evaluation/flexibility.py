"""The flexibility of a day that was played, step by step; see `agents.flexibility`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.gym.fleet import resolve_backend
from ...envs.safety.projection import Reserve, make_projector
from ...envs.simulator import Simulator
from ...envs.world.scenario import Scenario
from ..flexibility import DURATIONS_H, Flexibility, flexibility, joined

Array = NDArray[Any]


def flexibility_of_day(
    scenario: Scenario, setpoint_kw: Array, reserve: Reserve | None = None, durations_h: Sequence[float] = DURATIONS_H
) -> Flexibility:
    """The flexibility at every step of a day that is played with `setpoint_kw` (T, N); `B` is `T`.

    Args:
        scenario: the day.
        setpoint_kw: what was sent to the chargers.
        reserve: what the projection keeps back; None: its default.
        durations_h: see `flexibility`.
    """
    backend = resolve_backend("auto")
    simulator = Simulator(scenario, backend=backend)
    simulator.reset()
    snapshots, draw = [], []
    for setpoint in np.asarray(setpoint_kw, float):
        snapshots.append(simulator.snapshot().copy())
        simulator.step(setpoint[None])
        draw.append(float(np.asarray(simulator.state.site_cars_kw).sum()))
    return flexibility(joined(snapshots), np.array(draw), make_projector(backend, reserve), durations_h)
