"""The view of single cars agrees with the physics that it speaks about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.envs.physics.backends import port_model
from ebbflow.envs.safety.view import car_view
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.stress import Stress, random_scenario


def running(seed: int) -> Simulator:
    rng = np.random.default_rng(seed)
    simulator = Simulator([random_scenario(rng, Stress(misreport=False)) for _ in range(2)], 2)
    simulator.reset()
    for _ in range(int(rng.integers(0, 20))):
        simulator.step(rng.uniform(-8, 8, (2, simulator.n_ports)))
    return simulator


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_full_power_for_the_hours_named_reaches_the_target(seed: int) -> None:
    simulator = running(seed)
    snapshot, state, model = simulator.snapshot(), simulator.state, port_model("numpy")
    view, p = car_view(snapshot), snapshot.ports
    at = p.plugged & ~np.isnan(p.soc) & (view.hours_to_target > 0)
    after, _ = model.charge(
        state.soc[at], p.max_charge_kw[at], view.hours_to_target[at], p.capacity_kwh[at], p.taper_soc[at],
        p.battery_accept_kw[at], p.charge_efficiency[at], p.fixed_loss_kw[at], state.stop_soc[at],
    )  # fmt: skip
    wanted = np.where(p.soc < p.min_soc, np.maximum(p.target_soc, p.min_soc), p.target_soc)
    wanted = np.minimum(wanted, np.minimum(p.charge_limit_soc, 0.995))[at]
    np.testing.assert_allclose(after, wanted, atol=1e-9)
    np.testing.assert_allclose(view.laxity_h, view.steps_left * snapshot.step_h - view.hours_to_target, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_what_can_be_given_keeps_reserve_and_latest_start(seed: int) -> None:
    simulator = running(seed)
    before = simulator.snapshot().copy()
    view, p = car_view(before), before.ports
    assert not view.can_discharge_kw[~(p.plugged & p.export_consent) | np.isnan(p.soc)].any()
    giving = view.can_discharge_kw > 0
    simulator.step(-view.can_discharge_kw)
    later = simulator.snapshot()
    stays = giving & later.ports.plugged & (later.ports.steps_left == p.steps_left - 1)
    floor = np.maximum(p.reserve_soc, p.min_soc)[stays]
    assert (later.ports.soc[stays] >= floor - 1e-9).all()
    assert (car_view(later).laxity_h[stays] >= -1e-6).all()


def test_empty_ports_are_zero_and_an_unknown_soc_never_gives() -> None:
    simulator = Simulator(random_scenario(np.random.default_rng(2), Stress(unknown_soc=1.0, outlast=0.0)))
    simulator.reset()
    for _ in range(simulator.n_steps - 1):
        snapshot = simulator.snapshot()
        view, plugged = car_view(snapshot), snapshot.ports.plugged
        assert not any(column[~plugged].any() for column in view)
        assert not view.can_discharge_kw.any()
        needy = plugged & (snapshot.ports.need_kwh > 1e-6)
        assert (view.hours_to_target[needy] > 0).all()
        assert (view.can_charge_kw[needy] == snapshot.ports.max_charge_kw[needy]).all()
        simulator.step(np.zeros((1, simulator.n_ports)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_precisions(dtype: str) -> None:
    simulator = Simulator(random_scenario(np.random.default_rng(3)), dtype=dtype)
    simulator.reset()
    assert all(np.isfinite(column).all() for column in car_view(simulator.snapshot()))
