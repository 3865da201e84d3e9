"""What the car model says of every plugged-in car, once for decoder, projection and encoder; compiled."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..physics.backends import rounding_of
from ..physics.team import Team
from ..snapshot import Snapshot


class CarNow(NamedTuple):
    """One number per port, each `(B, N)` in double precision; of an empty port they mean nothing."""

    soc: Any  # to plan with
    target_soc: Any
    take_kw: Any  # highest set-point that makes sense now
    give_kw: Any  # most export over one step that keeps every promise; 0 where none is allowed
    need_h: Any  # hours at full power to the target


@cache
def _kernel() -> Any:
    from ..physics.compiling import Direct
    from .survey_kernel import survey_cars

    return Direct(survey_cars)


def survey(snapshot: Snapshot, team: Team) -> CarNow:
    """The survey that is kept with the snapshot, made now where there is none."""
    if snapshot.cars is None:
        cars = CarNow(*(np.empty(snapshot.ports.soc.shape) for _ in CarNow._fields))
        kernel, rounding = _kernel(), rounding_of(snapshot.ports.soc)

        def part(lo: int, hi: int) -> None:
            kernel(snapshot.layout, lo, hi, snapshot.ports, snapshot.step_h, rounding, cars)

        team.share(part, snapshot.n_worlds)
        object.__setattr__(snapshot, "cars", cars)
    made: CarNow = snapshot.cars
    return made
