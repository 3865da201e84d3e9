"""The programme of the least shortfall on cases that can be solved by hand, and its taper against the physics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.studies.least_shortfall import TANGENTS, Charging, least_shortfall_kwh, tightness
from ebbflow.envs.physics.backends import port_model

pytest.importorskip("scipy")


def charging(depart, need_kwh, room_kw, power_kw=10.0, **changes):
    """Cars of one site and one feeder without a limit, hourly steps, no taper, no losses."""
    j, room = len(depart), np.atleast_2d(np.array(room_kw, float))
    one = np.ones(j)
    day = Charging(
        step_h=1.0,
        arrive=np.zeros(j, int),
        depart=np.array(depart),
        start_kwh=np.zeros(j),
        need_kwh=np.array(need_kwh, float),
        power_kw=power_kw * one,
        efficiency=one,
        capacity_kwh=100.0 * one,
        taper_soc=0.99 * one,
        accept_kw=1e6 * one,
        site=np.zeros(j, int),
        site_feeder=np.zeros(len(room), int),
        site_room_kw=room,
        feeder_room_kw=np.full((1, room.shape[1]), np.inf),
    )
    return replace(day, **changes)


def test_one_car_that_fits_is_served() -> None:
    assert least_shortfall_kwh(charging([2], [15.0], [10.0, 10.0])) == pytest.approx(0.0, abs=1e-9)


def test_energy_beyond_the_limit_stays_missing() -> None:
    """Two cars want 20 kWh by hour 2, the limit lets 8 kW for two hours through: 4 kWh are missing."""
    assert least_shortfall_kwh(charging([2, 2], [10.0, 10.0], [8.0, 8.0])) == pytest.approx(4.0)


def test_the_own_charger_binds_too() -> None:
    """The car that leaves after an hour can take 5 kW of the 20; the other's 10 kWh fit afterwards."""
    day = charging([1, 3], [8.0, 10.0], [20.0, 20.0, 20.0], power_kw=5.0)
    assert least_shortfall_kwh(day) == pytest.approx(3.0)


def test_tightness_is_the_scale_of_the_limits() -> None:
    """10 kWh by hour 1 and 10 more by hour 3 under 8 kW: the first hour needs 10 kW, so 10/8."""
    day = charging([1, 3], [10.0, 10.0], [8.0, 8.0, 8.0])
    assert tightness(day) == pytest.approx(1.25)
    wider = replace(day, site_room_kw=day.site_room_kw * 1.25)
    assert least_shortfall_kwh(wider) == pytest.approx(0.0, abs=1e-9)


def test_no_room_at_all_has_no_finite_tightness() -> None:
    assert tightness(charging([1], [5.0], [0.0])) == np.inf


def test_a_day_without_needs_is_not_tight() -> None:
    assert tightness(charging([2], [0.0], [8.0, 8.0])) == 0.0


def test_a_feeder_above_two_sites() -> None:
    """Each site could pass 10 kW, the feeder 12 kW: of 20 kWh in one hour 8 are missing."""
    day = charging([1, 1], [10.0, 10.0], [[10.0], [10.0]])
    day = replace(day, site=np.array([0, 1]), feeder_room_kw=np.array([[12.0]]))
    assert least_shortfall_kwh(day) == pytest.approx(8.0)


@settings(max_examples=60, deadline=None)
@given(
    soc=st.floats(0.1, 0.9),
    setpoint=st.floats(1.0, 11.0),
    taper=st.floats(0.5, 0.9),
    accept=st.floats(6.0, 60.0),
)
def test_the_programme_never_charges_less_than_the_physics(soc, setpoint, taper, accept) -> None:
    """An outer bound: what a constant set-point really gives in two hours, the programme can give too."""
    capacity, efficiency, steps = 60.0, 0.9, 8
    end = soc
    for _ in range(steps):
        end, _ = port_model("numpy").charge(end, setpoint, 0.25, capacity, taper, accept, efficiency, 0.0, 0.995)
    limit = np.full(steps, setpoint)
    day = charging([steps], [(end - soc) * capacity], limit, power_kw=min(setpoint, accept / efficiency))
    one = np.ones(1)
    day = replace(
        day,
        step_h=0.25,
        start_kwh=soc * capacity * one,
        efficiency=efficiency * one,
        capacity_kwh=capacity * one,
        taper_soc=taper * one,
        accept_kw=accept * one,
    )
    assert least_shortfall_kwh(day) <= 1e-6


def test_the_tangents_are_close_to_the_taper() -> None:
    """At full power through the taper the programme gives little more than the physics."""
    soc, capacity, taper, accept = 0.5, 60.0, 0.6, 9.0
    end = soc
    for _ in range(16):
        end, _ = port_model("numpy").charge(end, 10.0, 0.25, capacity, taper, accept, 0.9, 0.0, 0.995)
    more = charging([16], [(0.99 - soc) * capacity], np.full(16, 10.0))
    one = np.ones(1)
    day = replace(
        more,
        step_h=0.25,
        start_kwh=soc * capacity * one,
        efficiency=0.9 * one,
        capacity_kwh=capacity * one,
        taper_soc=taper * one,
        accept_kw=accept * one,
    )
    reached = 0.99 - least_shortfall_kwh(day) / capacity
    assert end - 1e-9 <= reached <= end + 1e-3
    assert TANGENTS >= 3
