"""Days played under a controller: the shortfall in excess of the least one, and how long energy waited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.ledger import Tally
from ...envs.simulator import Simulator
from ...envs.world.scenario import Scenario
from .controllers import Choose

Array = NDArray[Any]

BATCH = 250
"""Days side by side, which bounds the memory."""


@dataclass(frozen=True)
class Played:
    """What became of some days, one value for each."""

    unserved_kwh: Array
    feasible_kwh: Array
    overload_kwh: Array
    delivered_h: Array  # mean time of the energy drawn, hours since the start

    def excess_percent(self, least_shortfall_kwh: Array) -> Array:
        """Shortfall beyond the least one in per cent of the energy that each alone could have got; NaN if none."""
        with np.errstate(invalid="ignore"):
            return 100.0 * (self.unserved_kwh - least_shortfall_kwh) / self.feasible_kwh


def play(days: Sequence[Scenario], choose: Choose, backend: str = "numba") -> Played:
    """Play all days to their ends."""
    parts = [_play(days[at : at + BATCH], choose, backend) for at in range(0, len(days), BATCH)]
    return Played(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _play(days: Sequence[Scenario], choose: Choose, backend: str) -> tuple[Array, ...]:
    simulator = Simulator(days, len(days), backend=backend)
    simulator.reset()
    drawn, moment = np.zeros(len(days)), np.zeros(len(days))
    for step in range(simulator.n_steps):
        simulator.step(choose(simulator.snapshot()))
        now = np.array(simulator.state.tallies[:, Tally.KWH_IN])
        moment += (now - drawn) * (step + 0.5) * simulator.step_h
        drawn = now
    tallies = np.asarray(simulator.state.tallies)
    with np.errstate(invalid="ignore"):
        mean_h = moment / drawn
    return (
        tallies[:, Tally.FEASIBLE_UNSERVED_KWH].copy(), tallies[:, Tally.FEASIBLE_KWH].copy(),
        tallies[:, Tally.OVERLOAD_KWH].copy(), mean_h,
    )  # fmt: skip


def summary(values: Array) -> dict[str, float | int | None]:
    """Mean, 95th percentile and largest; null where there is no day."""
    if len(values) == 0:
        return {"days": 0, "mean": None, "p95": None, "max": None}
    high = float(np.percentile(values, 95))
    return {"days": len(values), "mean": float(values.mean()), "p95": high, "max": float(values.max())}
