"""An action is a share of what a port can take or give now."""

from __future__ import annotations

import numpy as np
import pytest

from ebbflow.envs.action import requested_power
from ebbflow.envs.encoding.fields import DEAD_BAND
from ebbflow.envs.safety.view import car_view
from ebbflow.envs.simulator import Simulator

from .worlds import harsher, plain, tensor, worlds

COUNT = 16


@pytest.fixture(scope="module")
def running() -> Simulator:
    rng = np.random.default_rng(1)
    simulator = Simulator([harsher(w, rng) for w in worlds(30, COUNT)], COUNT)
    simulator.reset()
    for _ in range(14):
        simulator.step(rng.uniform(-5, 10, (COUNT, 6)))
    return simulator


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_ends_of_the_range_are_all_that_a_port_can_do(running: Simulator, backend: str) -> None:
    snapshot = running.snapshot()
    view = car_view(snapshot)
    full = requested_power(snapshot, np.ones((COUNT, 6)), backend)
    empty = requested_power(snapshot, -np.ones((COUNT, 6)), backend)
    np.testing.assert_allclose(full, view.can_charge_kw, atol=1e-9)
    np.testing.assert_allclose(empty, -view.can_discharge_kw, atol=1e-9)
    assert (full > 0).any()
    assert (empty < 0).any()
    half = requested_power(snapshot, np.full((COUNT, 6), 0.5), backend)
    np.testing.assert_allclose(half, full / 2, atol=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_zero_nan_and_the_dead_band_pause_and_more_than_all_is_all(running: Simulator, backend: str) -> None:
    snapshot = running.snapshot()
    for value in (0.0, -0.0, np.nan, DEAD_BAND * 0.99, -DEAD_BAND * 0.99):
        assert (requested_power(snapshot, np.full((COUNT, 6), value), backend) == 0).all()
    for value in (1.0, -1.0):
        limit = requested_power(snapshot, np.full((COUNT, 6), value), backend)
        for beyond in (5.0, np.inf):
            np.testing.assert_array_equal(
                requested_power(snapshot, np.full((COUNT, 6), value * beyond), backend), limit
            )


def test_back_ends_agree() -> None:
    made = worlds(31, COUNT)
    rng = np.random.default_rng(2)
    simulators = {name: Simulator(made, COUNT, backend=name) for name in ("numpy", "numba", "torch")}
    for simulator in simulators.values():
        simulator.reset()
    for _ in range(simulators["numpy"].n_steps):
        action = rng.uniform(-1, 1, (COUNT, 6))
        asked = {
            name: plain(requested_power(s.snapshot(), tensor(action) if name == "torch" else action, name))
            for name, s in simulators.items()
        }
        np.testing.assert_allclose(asked["numba"], asked["numpy"], atol=1e-9)
        np.testing.assert_allclose(asked["torch"], asked["numpy"], atol=1e-9)
        for name, s in simulators.items():
            s.step(tensor(asked["numpy"]) if name == "torch" else asked["numpy"])
