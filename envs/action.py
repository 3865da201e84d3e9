"""From a policy's action to requested power (contracts 7)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .encoding.fields import DEAD_BAND
from .physics.backends import operations
from .physics.team import Team, team_of
from .safety.array_survey import survey_arrays
from .safety.survey import survey
from .snapshot import Snapshot, require_shape


def requested_power(snapshot: Snapshot, action: Any, backend: str = "numpy", threads: int | Team = 1) -> Any:
    """Requested kW (B, N) of an action (B, N) in [-1, 1].

    Positive is a share of what the port can take now, negative of what it can give now without breaking its reserve
    or its departure, and 0 (or NaN) pauses.
    """
    require_shape("action", action, snapshot.ports.soc.shape)
    if backend == "numba":
        return _compiled(snapshot, action, threads)
    o, cars = operations(backend), survey_arrays(snapshot, backend)
    share = o.minimum(o.maximum(o.where(action == action, action, 0.0), -1.0), 1.0)
    share = o.where(o.maximum(share, -share) < DEAD_BAND, 0.0, share)
    return o.where(share > 0, share * cars.take_kw, share * cars.give_kw)


@cache
def _decoder() -> Any:
    from .encoding.decoder import decode
    from .physics.compiling import direct

    return direct(decode)


def _compiled(snapshot: Snapshot, action: Any, threads: int | Team) -> Any:
    decode, team = _decoder(), team_of(threads)
    cars = survey(snapshot, team)
    dtype = snapshot.ports.soc.dtype
    actions, requested = np.ascontiguousarray(action, dtype), np.empty(np.shape(action), dtype)

    def part(lo: int, hi: int) -> None:
        decode(snapshot.layout, lo, hi, snapshot.ports.plugged, cars.take_kw, cars.give_kw, actions, requested)

    team.share(part, snapshot.n_worlds)
    return requested
