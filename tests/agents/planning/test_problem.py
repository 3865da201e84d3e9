"""Problems are refused where they are none; payments stand for what the programme pays; prices and windows by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.agents.optimum.truth import problem_of
from ebbflow.agents.planning.layout import window_mean_kw
from ebbflow.agents.planning.payments import Payments, Side
from ebbflow.agents.planning.program import Program


def changed(problem, part, **columns):
    return dataclasses.replace(problem, **{part: dataclasses.replace(getattr(problem, part), **columns)})


def test_wrong_lengths_missing_numbers_and_stays_outside_are_refused(world):
    problem = problem_of(world([1, 1], [4, 6]))
    with pytest.raises(ValueError, match=r"stays.start_kwh has shape \(3,\)"):
        changed(problem, "stays", start_kwh=np.zeros(3))
    with pytest.raises(ValueError, match=r"sites.net_load_kw holds nan"):
        changed(problem, "sites", net_load_kw=np.full((1, 8), np.nan))
    with pytest.raises(ValueError, match="stay 1 lasts from step 0 to 9"):
        changed(problem, "stays", to_step=np.array([4, 9]))
    with pytest.raises(ValueError, match="one per step"):
        dataclasses.replace(problem, carbon_usd_per_kwh=np.zeros(3))


def test_limits_may_be_infinite(world):
    problem = problem_of(world([1], [4]))
    unlimited = changed(problem, "sites", import_limit_kw=np.full((1, 8), np.inf))
    assert Program(unlimited).solve()[0].status == "Optimal"


def test_the_running_window_counts_what_it_has(world):
    problem = dataclasses.replace(problem_of(world([1], [4])), window_steps=3, window_done=1)
    problem = changed(problem, "sites", window_kwh=np.array([6.0]), window_base_kwh=np.array([3.0]))
    power = np.arange(8.0)[None]
    # Windows end after steps 1, 4 and 7.
    assert window_mean_kw(problem, power)[0] == pytest.approx([(6 + 0 + 1) / 3, (2 + 3 + 4) / 3, (5 + 6 + 7) / 3])
    assert window_mean_kw(problem, power, without_cars=True)[0, 0] == pytest.approx((3 + 0 + 1) / 3)


def test_only_what_is_added_to_the_peak_is_paid(world):
    problem = problem_of(world([2], [2], price=0.0))
    so_far = {"demand_usd_per_kw": np.array([1.0]), "peak_kw": np.array([5.0]), "peak_base_kw": np.array([1.0])}
    solve = lambda floor: Program(changed(problem, "sites", peak_floor_kw=np.array([floor]), **so_far)).solve()[0]  # noqa: E731
    assert solve(5.0).bound_usd == pytest.approx(8 - 5)
    assert solve(20.0).bound_usd == pytest.approx(20 - 5)


kwh = st.floats(-20, 20)


@given(st.floats(0.1, 3), kwh, kwh, st.floats(0, 1), kwh)
def test_lines_pay_never_less_than_the_programme_in_their_range(rate, one, other, share, so_far):
    least, most = sorted((one, other))
    payments = Payments(np.array([rate]), np.array([so_far]), np.array([least]), np.array([most]))
    performance = np.array([least + share * (most - least)])
    assert payments.excess_usd(payments.sides(), performance)[0] >= -1e-6
    for side in (Side.PAID, Side.UNPAID):
        assert payments.excess_usd((side,), performance)[0] <= 1e-9
    best = max(payments.excess_usd((side,), performance)[0] for side in (Side.PAID, Side.UNPAID))
    assert best == pytest.approx(0, abs=1e-9)
