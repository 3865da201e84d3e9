"""What a fleet could draw more or less than it does, in kW, and for how long: the figures a utility buys.

Down is less draw from the grid (a pause, or export), up is more. Both are what the safety projection would really
let through. For every duration the cars are asked for a constant power that they can hold so long, and the present
cars are rolled forward under the projection, on forecast loads and without later arrivals; a pause and full power are
tried too. The worst step of the duration counts, of the best of these wishes. Departures, the cars' own latest starts,
reserves and the shared limits are so obeyed throughout.

Symbols: `B` snapshots, `N` ports, `D` durations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..envs.physics.backends import port_model
from ..envs.safety.projection import Projector
from ..envs.safety.view import car_view
from ..envs.snapshot import Outlook, Snapshot
from .forward import filled, planned_soc, rolled_forward

if TYPE_CHECKING:
    import pandas as pd

    from ..envs.world.scenario import Scenario

Array = NDArray[Any]

DURATIONS_H = (0.25, 1.0, 2.0, 4.0)
"""A quarter of an hour, and the lengths for which programmes call."""

SHARED = ("feeder", "tariff", "expected_arrivals_kwh")
"""Columns of sites that all worlds have in common."""


@dataclass(frozen=True)
class Flexibility:
    """What a fleet could change for each of some durations, never negative."""

    hours: tuple[float, ...]  # (D,) the durations, whole steps
    draw_kw: Array  # (B,) what the cars draw, positive = import
    down_kw: Array  # (B, D) by how much the draw can fall and stay down
    up_kw: Array  # (B, D) by how much it can rise and stay up

    def to_pandas(self, scenario: Scenario) -> pd.DataFrame:
        """A row per step and duration: `time`, `hours`, `draw_kw`, `down_kw`, `up_kw`, for a day of `scenario`."""
        import pandas as pd

        times = [scenario.time_of(step).isoformat() for step in range(len(self.draw_kw))]
        return pd.DataFrame(
            {
                "time": np.repeat(times, len(self.hours)),
                "hours": np.tile(self.hours, len(times)),
                "draw_kw": np.repeat(self.draw_kw, len(self.hours)),
                "down_kw": self.down_kw.ravel(),
                "up_kw": self.up_kw.ravel(),
            }
        )


def flexibility(
    snapshot: Snapshot, draw_kw: Array, projector: Projector, durations_h: Sequence[float] = DURATIONS_H
) -> Flexibility:
    """What the fleets of `snapshot` could draw less or more than `draw_kw` (B,), from now on.

    Durations are rounded up to whole steps, and those beyond the outlook are left out.

    Raises:
        ValueError: a duration that is not above 0, or none within the outlook.
    """
    steps = _whole_steps(durations_h, snapshot)
    ports = snapshot.ports
    least = [np.zeros(ports.plugged.shape), *(_least(snapshot, n) for n in steps)]
    most = [np.where(ports.plugged, ports.max_charge_kw, 0.0), *(_most(snapshot, n) for n in steps)]
    low, high = (_outcomes(snapshot, wishes, projector, steps[-1]) for wishes in (least, most))
    draw = np.asarray(draw_kw, float)
    # A power that is held longer is held for the shorter time too, so the best of all wishes counts.
    down = [draw - low[:, :, :n].max(axis=2).min(axis=0) for n in steps]
    up = [high[:, :, :n].min(axis=2).max(axis=0) - draw for n in steps]
    hours = tuple(n * snapshot.step_h for n in steps)
    return Flexibility(hours, draw, *(np.maximum(np.stack(side, axis=1), 0.0) for side in (down, up)))


def joined(snapshots: Sequence[Snapshot]) -> Snapshot:
    """The worlds of snapshots of one fleet, one after the other, as one snapshot."""
    columns = ("ports", "sites", "feeders", "context")
    return replace(snapshots[0], **{name: _joined([getattr(s, name) for s in snapshots]) for name in columns})


def _joined(parts: Sequence[Any]) -> Any:
    first = parts[0]
    if isinstance(first, Outlook):
        return Outlook(first.values, *(np.concatenate([getattr(p, name) for p in parts]) for name in ("row", "start")))
    if not isinstance(first, tuple):
        return np.concatenate(parts)
    columns = {name: [getattr(part, name) for part in parts] for name in first._fields}  # type: ignore[attr-defined]
    return type(first)(**{name: column[0] if name in SHARED else _joined(column) for name, column in columns.items()})


def _whole_steps(durations_h: Sequence[float], snapshot: Snapshot) -> list[int]:
    if min(durations_h, default=0.0) <= 0.0:
        raise ValueError(f"durations_h is {list(durations_h)}; give at least one, all above 0")
    steps = sorted({int(np.ceil(hours / snapshot.step_h - 1e-9)) for hours in durations_h})
    within = [n for n in steps if n <= snapshot.horizon]
    if not within:
        raise ValueError(f"durations_h {list(durations_h)} reach beyond the outlook of {snapshot.horizon} steps")
    return within


def _least(snapshot: Snapshot, steps: int) -> Array:
    """The constant export (B, N), <= 0, that each car by itself can hold for `steps`: a view in steps so long."""
    ports = snapshot.ports._replace(steps_left=np.maximum(snapshot.ports.steps_left, 0) // steps)
    return -car_view(replace(snapshot, step_h=snapshot.step_h * steps, ports=ports)).can_discharge_kw


def _most(snapshot: Snapshot, steps: int) -> Array:
    """The constant set-point (B, N) with which each car just gets to its charge limit in `steps`."""
    p = filled(snapshot.ports)
    soc, limit = planned_soc(p)
    power = port_model("numpy").power_to_reach(
        limit, soc, steps * snapshot.step_h, p.max_charge_kw, p.capacity_kwh, p.taper_soc, p.battery_accept_kw,
        p.charge_efficiency, p.fixed_loss_kw,
    )  # fmt: skip
    return np.where(p.plugged & (p.steps_left >= steps), power, 0.0)


def _outcomes(snapshot: Snapshot, wishes_kw: Sequence[Array], projector: Projector, steps: int) -> Array:
    """What comes of each of some wishes (B, N): the fleets' draw in each of the next steps (wishes, B, steps)."""
    worlds = joined([snapshot] * len(wishes_kw))
    return rolled_forward(worlds, np.concatenate(wishes_kw), projector, steps).reshape(len(wishes_kw), -1, steps)
