"""Optima that can be worked out by hand: one car of 8 kW, hourly steps, no losses and no taper unless said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ebbflow.agents.optimum import solve_optimum
from ebbflow.envs.world.scenario import Events

from ...envs.worlds import with_stays  # noqa: TID252

WEAR = 0.02


def event(start, end, rate, pays_export=True):
    whole = np.array
    return Events(whole([start]), whole([end]), whole([0]), np.array([rate]), np.array([pays_export]), np.zeros(1))


def half_full(day, **columns):
    """The day with a car that comes half full, and other columns of its stay."""
    return with_stays(day, soc_arrive=np.full(1, 0.5), **{name: np.full(1, value) for name, value in columns.items()})


def test_charges_in_the_cheapest_hours(world):
    found = solve_optimum(world([2], [6], price=[0.5, 0.1, 0.4, 0.2, 0.3, 0.9, 0.9, 0.9]))
    assert found.bound_usd == pytest.approx(8 * (0.1 + 0.2))
    assert found.setpoint_kw[:, 0] == pytest.approx([0, 8, 0, 8, 0, 0, 0, 0])
    assert (found.kind, found.accounts_usd["energy_import_usd"]) == ("lp", pytest.approx(2.4))


def test_a_limit_moves_a_car_to_the_next_hour(world):
    day = world([1, 1], [3, 3], price=[0.3, 0.1, 0.2], site_limit_kw=12.0)
    assert solve_optimum(day).bound_usd == pytest.approx(12 * 0.1 + 4 * 0.2)


def test_where_base_load_breaks_the_limit_cars_get_none(world):
    day = world([1], [2], price=0.1, site_limit_kw=10.0, base_kw=11.0)
    found = solve_optimum(day)
    assert found.accounts_usd["unserved_usd"] == pytest.approx(2.0 * 8)
    assert found.accounts_usd["overload_usd"] == 0


def test_the_billed_peak_is_spread(world):
    day = replace(world([2], [4], price=0.1), demand_rate_usd_per_kw=np.array([30.4]))
    found = solve_optimum(day)
    # A third of a month's day: 8 steps of an hour are 8/24/30.4 of the rate; 16 kWh over four hours are 4 kW.
    assert found.accounts_usd["demand_charge_usd"] == pytest.approx(30.4 * 8 / 24 / 30.4 * 4)
    assert found.setpoint_kw[:4, 0] == pytest.approx(4.0)


def test_sells_dear_and_refills_cheap_above_its_reserve(world):
    day = world([0], [4], price=[0.1, 0.1, 0.5, 0.1], v2g=True)
    dear = np.zeros((1, day.import_price_usd_per_kwh.shape[1]))
    dear[0, 2] = 0.5
    day = half_full(replace(day, export_price_usd_per_kwh=dear), target_soc=0.5, charge_limit_soc=0.6, asked_kwh=0.0)
    found = solve_optimum(day)
    # The battery takes 4 kWh (to 0.6 of 40) and gives 8 (an hour): 4 kWh more are refilled at 0.1.
    assert found.bound_usd == pytest.approx(8 * 0.1 - 8 * 0.5 + 8 * WEAR)


def test_a_car_below_its_reserve_charges_first_and_sells_down_to_it(world):
    day = world([0], [5], price=[0.1, 0.1, 0.1, 0.5, 0.5], v2g=True)
    dear = np.where(np.arange(day.import_price_usd_per_kwh.shape[1]) >= 3, 1.0, 0.0)[None]
    day = with_stays(replace(day, export_price_usd_per_kwh=dear), soc_arrive=np.full(1, 0.25),
                     target_soc=np.full(1, 0.25), charge_limit_soc=np.full(1, 0.7))  # fmt: skip
    # From 10 kWh up to 28, then two full hours down to the reserve of 12, not back to 10.
    assert solve_optimum(day).bound_usd == pytest.approx(18 * 0.1 - 16 * 1.0 + 16 * WEAR)


def test_a_car_below_its_minimum_charges_at_once(world):
    day = with_stays(world([1], [6], price=[0.9, 0.1]), min_soc=np.full(1, 0.2))
    # From 0.1 to 0.2 of 40 kWh now, the other 4 of its 8 kWh when it is cheap.
    assert solve_optimum(day).bound_usd == pytest.approx(4 * 0.9 + 4 * 0.1)
    crowded = with_stays(world([1], [6], price=[0.9, 0.1], site_limit_kw=7.0), min_soc=np.full(1, 0.2))
    # Where a full set-point does not fit, nothing is sure, and the bound leaves it free to wait.
    assert solve_optimum(crowded).bound_usd == pytest.approx(8 * 0.1)
    # A charger of 8 kW in steps of 5 offers 5: of the 8 kWh up to the minimum 3 come an hour later.
    stepped = with_stays(
        day, soc_arrive=np.zeros(1), target_soc=np.full(1, 0.2), charge_limit_soc=np.full(1, 0.2),
        step_kw=np.full(1, 5.0),
    )  # fmt: skip
    assert solve_optimum(stepped).bound_usd == pytest.approx(5 * 0.9 + 3 * 0.1)


def test_the_floor_of_an_event_is_settled_both_ways(world):
    base = replace(world([1], [2], price=[0.10, 0.13]), baseline_kw=np.zeros((1, 8)))
    # Paid only for less than nothing: charging inside costs no payment, and the event never pays.
    nothing = solve_optimum(replace(base, events=event(0, 1, 1.0)))
    assert (nothing.bound_usd, nothing.kind) == (pytest.approx(0.8), "lp")
    # A baseline of 6 kW: waiting earns 6 and costs 0.24.
    some = np.zeros((1, 8))
    some[0, 0] = 6.0
    waits = solve_optimum(replace(base, baseline_kw=some, events=event(0, 1, 1.0)))
    assert waits.bound_usd == pytest.approx(8 * 0.13 - 6.0)
    # So little a payment is not worth the wait: the floor is reached, at the cheap price.
    charges = solve_optimum(replace(base, baseline_kw=some, events=event(0, 1, 0.01)))
    assert charges.bound_usd == pytest.approx(0.8)
    # 4 kWh inside leave 2 of the baseline: between the ends the chord pays 3, so both sides are solved.
    half = replace(world([0.5], [2], price=[0.10, 0.13]), baseline_kw=some, events=event(0, 1, 0.01))
    settled = solve_optimum(half)
    assert (settled.bound_usd, settled.kind) == (pytest.approx(4 * 0.1 - 2 * 0.01), "both ways")


def test_import_or_export_where_export_pays_more(world):
    day = world([0], [2], price=0.2, v2g=True, base_kw=4.0)
    price = np.full((1, day.import_price_usd_per_kwh.shape[1]), 1.0)
    day = half_full(replace(day, export_price_usd_per_kwh=price), target_soc=0.3, charge_limit_soc=0.5, asked_kwh=-8.0)
    found = solve_optimum(day)
    # 8 kWh above the reserve of 0.3: all in one hour exports 4 kW, half in each hour only meets the load.
    assert found.bound_usd == pytest.approx(-4 * 0.2 - 4 * 1.0 + 8 * WEAR, abs=2e-3)
    assert sorted(found.setpoint_kw[:2, 0]) == pytest.approx([-8, 0], abs=1e-6)


def test_negative_prices_pay_for_no_more_than_the_losses(world):
    day = with_stays(world([1], [1], price=-0.5, n_steps=4), charge_efficiency=np.full(1, 0.8))
    # 8 kWh at the battery are 10 at the grid but for the charger of 8 kW: 6.4 arrive, 1.6 stay away.
    assert solve_optimum(day).bound_usd == pytest.approx(-0.5 * 8 + 0.0)


def test_an_early_leaver_is_excused_in_part(world):
    day = world([4], [2], price=0.1)
    day = with_stays(day, said_depart_step=np.full(1, 3))
    found = solve_optimum(day)
    # Feasible are the two hours it stays; all of them are served.
    assert found.bound_usd == pytest.approx(16 * 0.1)
    blocked = replace(day, site_net_load_kw=np.full_like(day.site_net_load_kw, 2000.0))
    left = solve_optimum(blocked).accounts_usd
    # Nothing is served: 8 of 16 kWh an hour more could still have given, the rest is unserved.
    assert (left["early_leave_usd"], left["unserved_usd"]) == (pytest.approx(8 * 0.6), pytest.approx(8 * 2.0))


def test_a_stay_beyond_the_end_is_worth_its_energy(world):
    day = world([2], [12], price=[0.1] * 4 + [0.3] * 4)
    # Its latest start at the end is 2 hours of 4 in 8 left: nothing is due; v is the 25th percentile, 0.1.
    found = solve_optimum(day)
    assert found.accounts_usd["end_value_usd"] == pytest.approx(-found.accounts_usd["energy_import_usd"])
    assert found.bound_usd == pytest.approx(0.0, abs=1e-9)


def test_a_day_without_cars_costs_what_it_costs(world):
    day = replace(world([1], [4]), fixed_usd_per_day=np.full(1, 3.0), baseline_kw=np.full((1, 8), 2.0))
    stays = replace(day.stays, **{name: values[:0] for name, values in vars(day.stays).items()})
    found = solve_optimum(replace(day, stays=stays, events=event(0, 2, 0.5)))
    # Eight hours of a fixed day, and a baseline of 4 kWh that nobody draws.
    assert found.bound_usd == pytest.approx(3.0 * 8 / 24 - 4 * 0.5)
    assert not found.setpoint_kw.any()
