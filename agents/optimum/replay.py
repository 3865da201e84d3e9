"""Plays stored set-points as a policy, through the same projection and simulator as everybody."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.snapshot import Snapshot

Array = NDArray[Any]


class PlannedSetpoints:
    """The plans of `B` worlds, step by step from their reset on.

    Args:
        setpoint_kw: `(B, T, N)` for each world, kW at the grid side, positive = charge.
        name: by what it is reported.

    Raises:
        ValueError: set-points of another shape.
    """

    def __init__(self, setpoint_kw: Array, name: str = "optimum_replayed") -> None:
        self.setpoint_kw = np.asarray(setpoint_kw, float)
        if self.setpoint_kw.ndim != 3:
            raise ValueError(f"setpoint_kw has shape {self.setpoint_kw.shape}; give worlds, steps and ports")
        self.name, self._step = name, 0

    def reset(self) -> None:
        """Begin again at the first step."""
        self._step = 0

    def act(self, snapshot: Snapshot) -> Array:
        """The step's set-points `(B, N)`.

        Raises:
            ValueError: other worlds or ports than were planned for, or more steps.
        """
        worlds, steps, ports = self.setpoint_kw.shape
        if (worlds, ports) != (snapshot.n_worlds, snapshot.n_ports) or self._step >= steps:
            raise ValueError(
                f"planned for {worlds} worlds, {steps} steps and {ports} ports; asked at step {self._step} of "
                f"{snapshot.n_worlds} worlds with {snapshot.n_ports} ports; call reset before each run"
            )
        self._step += 1
        return np.asarray(self.setpoint_kw[:, self._step - 1])
