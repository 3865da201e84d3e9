"""The projection is one on every back end: the compiled loops, the NumPy reference and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.envs.safety import Reserve, make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Scenario

from ..worlds import ADVERSARIES, harsher, plain, tensor, worlds  # noqa: TID252

COUNT = 8
SHAPES: dict[str, dict[str, Any]] = {
    "depot": {"sites": 1, "feeders": 1, "ports": 12, "tight": 0.35},
    "sites": {"sites": 3, "feeders": 2, "ports": 9, "tight": 0.5},
    "homes": {"sites": 8, "feeders": 1, "ports": 8, "tight": 0.4},
    "continuous": {"sites": 1, "feeders": 1, "ports": 6, "tight": 0.3, "minimum": False},
}


def crowd(shape: str, minutes: int) -> list[Scenario]:
    rng = np.random.default_rng(minutes)
    return [harsher(w, rng) for w in worlds(minutes, COUNT, interval_minutes=minutes, hours=6, **SHAPES[shape])]


@pytest.mark.parametrize(
    "name",
    [
        "pause",
        "export",
        "noise",
        pytest.param("mixed", marks=pytest.mark.slow),
        pytest.param("charge", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_numba_and_torch_answer_as_numpy_does(shape: str, name: str) -> None:
    """From the same state; the day goes on under the reference's answer."""
    compare(crowd(shape, 15), name, 1e-6)


def test_they_agree_to_rounding_where_a_step_is_no_binary_fraction() -> None:
    """Five minutes are no binary fraction of an hour: a product in float32 on the way would show."""
    compare(crowd("continuous", 5), "export", 1e-9, every=3)


def compare(made: list[Scenario], name: str, room_kw: float, every: int = 2) -> None:
    rng = np.random.default_rng(1)
    reserve = Reserve(headroom_factor=0.9)
    simulators = {kind: Simulator(made, COUNT, backend=kind) for kind in ("numpy", "numba", "torch")}
    projectors = {kind: make_projector(kind, reserve) for kind in simulators}
    for simulator in simulators.values():
        simulator.reset()
    for step in range(simulators["numpy"].n_steps):
        snapshot = simulators["numpy"].snapshot()
        asked = ADVERSARIES[name](rng, snapshot, step)
        answer = projectors["numpy"].project(snapshot, asked)
        for kind in ("numba",) if step % 8 else ("numba", "torch"):
            rows = tensor(asked) if kind == "torch" else asked
            other = projectors[kind].project(simulators[kind].snapshot(), rows)
            np.testing.assert_allclose(
                plain(other.applied_kw), answer.applied_kw, atol=room_kw, err_msg=f"{kind}, step {step}"
            )
            np.testing.assert_array_equal(plain(other.reasons), answer.reasons, err_msg=f"{kind}, step {step}")
        for kind, simulator in simulators.items():
            simulator.step(tensor(answer.applied_kw) if kind == "torch" else answer.applied_kw)
