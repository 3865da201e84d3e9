"""Waiting for the last moment."""

from __future__ import annotations

import numpy as np

from ...envs.snapshot import Snapshot
from .rule import Array, Rule


class AsLateAsPossible(Rule):
    """Asks for nothing: behind the projection that is the latest charging that still serves everybody."""

    name = "as_late_as_possible"

    def act(self, snapshot: Snapshot) -> Array:
        """Zero for every port, `(B, N)`."""
        return np.zeros(snapshot.ports.plugged.shape)
