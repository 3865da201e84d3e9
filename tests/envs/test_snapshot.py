"""Snapshots are views; copies stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.envs.simulator import Simulator

from .worlds import plain, random_setpoints, tensor, worlds


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """All arrays of a snapshot by path."""
    if isinstance(value, tuple):
        return {
            k: v
            for name, item in zip(value._fields, value, strict=True)
            for k, v in leaves(item, f"{path}.{name}").items()
        }
    if hasattr(value, "shape"):
        return {path: plain(value).copy()}
    return {}


def of(snapshot: Any) -> dict[str, Any]:
    return {
        k: v
        for part in ("ports", "sites", "feeders", "context")
        for k, v in leaves(getattr(snapshot, part), part).items()
    }


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_a_copy_outlives_the_day(backend: str) -> None:
    made = worlds(40, 4)
    simulator = Simulator(made, 4, backend=backend)
    simulator.reset()
    setpoints: Any = random_setpoints(np.random.default_rng(1), made[0], 4)
    rows = tensor(setpoints) if backend == "torch" else setpoints
    for row in rows[:8]:
        simulator.step(row)
    kept, before = simulator.snapshot().copy(), of(simulator.snapshot())
    moved = of(simulator.snapshot())
    for row in rows[8:]:
        simulator.step(row)
    simulator.reset([3, 2, 1, 0])
    after = of(kept)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value, err_msg=name)
    assert any((moved[name] != value).any() for name, value in of(simulator.snapshot()).items())


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_windows_show_the_present_then_what_was_issued(backend: str) -> None:
    world = worlds(41, 1)[0]
    simulator = Simulator(world, backend=backend)
    simulator.reset()
    for k in range(world.n_steps):
        snapshot = simulator.snapshot()
        issue = world.price_issue_of_step[k]
        window = snapshot.import_price_window()
        assert window.shape == (1, 6, snapshot.horizon)
        for port, site in enumerate(world.port_site):
            tariff = world.site_tariff[site]
            assert window[0, port, 0] == world.import_price_usd_per_kwh[tariff, k]
            np.testing.assert_array_equal(
                window[0, port, 1:],
                world.import_price_forecast_usd_per_kwh[issue, tariff, k + 1 : k + snapshot.horizon],
            )
        known = max(0, world.price_known_until_step[issue] - k)
        assert snapshot.context.price_known_steps[0] == known
        emissions = snapshot.emissions_window()[0]
        assert emissions[0] == world.emissions_kg_per_kwh[k]
        np.testing.assert_array_equal(emissions[1:5], world.emissions_issued_kg_per_kwh[k])
        np.testing.assert_array_equal(emissions[5:], world.emissions_forecast_kg_per_kwh[k + 5 : k + snapshot.horizon])
        simulator.step(np.zeros((1, 6)))


def test_a_window_is_a_copy_of_the_series() -> None:
    simulator = Simulator(worlds(42, 1)[0])
    simulator.reset()
    window = simulator.snapshot().import_price_window()
    before = window.copy()
    window[...] = 7.0
    np.testing.assert_array_equal(simulator.snapshot().import_price_window(), before)


def test_what_is_unknown_is_nan_never_zero() -> None:
    world = worlds(43, 1, unknown_soc=1.0)[0]
    simulator = Simulator(world)
    simulator.reset()
    for row in random_setpoints(np.random.default_rng(2), world, 1):
        ports = simulator.snapshot().ports
        assert np.isnan(ports.soc).all()
        assert np.isnan(ports.target_soc).all()
        simulator.step(row)
