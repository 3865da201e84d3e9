"""The tangents to the taper lie on the physics at their point and above it everywhere; losses are as bounded."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.optimum.truth import problem_of
from ebbflow.agents.planning.battery import battery_of, full_power, waste_of
from ebbflow.envs.physics.backends import port_model
from ebbflow.envs.world.stress import Stress, random_scenario

PORT = port_model("numpy")


def drawn_stays(seed):
    rng = np.random.default_rng(seed)
    stays = problem_of(random_scenario(rng, Stress(ports=20, sites=1, feeders=1))).stays
    return dataclasses.replace(stays, top_kwh=0.995 * stays.capacity_kwh), rng


def charged_kwh(stays, energy_kwh, power_kw, hours):
    """Energy and grid energy after charging, by the port model."""
    soc, grid = PORT.charge(
        energy_kwh / stays.capacity_kwh, power_kw, hours, stays.capacity_kwh, stays.taper_soc, stays.battery_accept_kw,
        stays.charge_efficiency, stays.fixed_loss_kw, stays.top_kwh / stays.capacity_kwh,
    )  # fmt: skip
    return soc * stays.capacity_kwh, grid


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1 / 12, 0.25, 1.0, 5.0]))
def test_tangents_touch_the_physics_and_lie_above_it(seed, hours):
    stays, rng = drawn_stays(seed)
    battery = battery_of(stays)
    at = rng.uniform(0.0, 0.99, len(stays)) * stays.capacity_kwh
    other = rng.uniform(0.0, 0.99, len(stays)) * stays.capacity_kwh
    tangent = full_power(battery, at, hours)
    touched, _ = charged_kwh(stays, at, stays.max_charge_kw, hours)
    unstopped = touched < stays.top_kwh - 1e-9
    np.testing.assert_allclose(tangent.level_kwh[unstopped], touched[unstopped], rtol=0, atol=1e-9)
    reached, _ = charged_kwh(stays, other, stays.max_charge_kw * rng.uniform(0.2, 1.0), hours)
    assert np.all(reached <= tangent.level_kwh + tangent.slope * (other - at) + 1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31))
def test_what_charging_wastes_is_bounded_by_its_power(seed):
    stays, rng = drawn_stays(seed)
    battery, waste, hours = battery_of(stays), waste_of(stays, battery_of(stays)), 0.25
    start = rng.uniform(0.0, 0.995, len(stays)) * stays.capacity_kwh
    power = np.maximum(stays.max_charge_kw * rng.uniform(0.0, 1.0, len(stays)), stays.min_charge_kw)
    after, grid_kwh = charged_kwh(stays, start, power, hours)
    wasted = battery.gain * grid_kwh / hours - (after - start) / hours
    drawn = grid_kwh / hours
    assert np.all(wasted >= -1e-9)
    assert np.all(wasted <= waste.charge_kw * (1 - drawn / battery.draw_kw) + 1e-9)
    assert np.all(wasted <= np.where(drawn > 0, waste.charge_per_kw, 0.0) * drawn + 1e-9)


def test_a_charger_too_weak_for_its_loss_cannot_charge():
    stays, _ = drawn_stays(1)
    weak = dataclasses.replace(stays, fixed_loss_kw=stays.max_charge_kw)
    battery = battery_of(weak)
    assert np.all(battery.full_kw == 0)
    assert np.all(battery.draw_kw == 0)
    np.testing.assert_array_equal(full_power(battery, weak.start_kwh, 3.0).level_kwh, weak.start_kwh)


def test_export_at_full_power_is_the_best(world):
    stays = problem_of(world([0], [2], v2g=True)).stays
    lossy = dataclasses.replace(stays, fixed_loss_kw=np.full(1, 0.4), discharge_efficiency=np.full(1, 0.9))
    assert battery_of(lossy).drain == pytest.approx((8 + 0.4) / (0.9 * 8))
