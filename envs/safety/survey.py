"""What the car model says of every plugged-in car, once for decoder, projection and encoder; compiled."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..physics.backends import rounding_of
from ..physics.team import Team
from ..snapshot import Snapshot


class CarNow(NamedTuple):
    """What each port's car can do, `(B, N)` in double precision, and which ports have one; of an empty port nothing."""

    soc: Any  # to plan with
    target_soc: Any
    take_kw: Any  # highest set-point that makes sense now
    give_kw: Any  # most export over one step that keeps every promise; 0 where none is allowed
    need_h: Any  # hours at full power to the target
    port: Any  # (B, N) whole numbers: first the ports that have a car
    count: Any  # (B,) how many these are


@cache
def _kernel() -> Any:
    from ..physics.compiling import direct
    from .survey_kernel import survey_cars

    return direct(survey_cars)


def survey(snapshot: Snapshot, team: Team) -> CarNow:
    """The survey that is kept with the snapshot, made now where there is none."""
    if "numba" not in snapshot.surveys:
        shape = snapshot.ports.soc.shape
        numbers = [np.empty(shape) for _ in CarNow._fields[:-2]]
        cars = CarNow._make([*numbers, np.empty(shape, np.int64), np.empty(shape[0], np.int64)])
        kernel, rounding = _kernel(), rounding_of(snapshot.ports.soc)

        def part(lo: int, hi: int) -> None:
            kernel(snapshot.layout, lo, hi, snapshot.ports, snapshot.step_h, rounding, cars)

        team.share(part, snapshot.n_worlds)
        snapshot.surveys["numba"] = cars
    made: CarNow = snapshot.surveys["numba"]
    return made
