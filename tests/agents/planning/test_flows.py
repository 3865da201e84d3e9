"""Whatever the projection lets through fits the linear programme, and costs there what the ledger books."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.optimum.truth import problem_of
from ebbflow.agents.planning.cuts import Tolerances, violated
from ebbflow.agents.planning.flows import Flows, columns_of
from ebbflow.agents.planning.program import Parts

from .random_days import flows_of, played, random_day, random_requests

pytest.importorskip("numba")

CENT_FRACTION = 1e-6
PLANS = 5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31))
def test_every_plan_fits_at_the_ledgers_price(seed):
    rng = np.random.default_rng(seed)
    day = random_day(rng)
    problem = problem_of(day)
    applied, simulator = played(day, random_requests(rng, day, PLANS))
    for every_loss in (True, False):
        parts = Parts.of(problem, every_loss)
        for world in range(PLANS):
            x = columns_of(problem, parts.layout, flows_of(day, problem, parts.layout, applied[:, world]))
            _check_fits(parts, x)
            booked, priced = simulator.ledger(world).usd, parts.plan(x).accounts_usd
            for account, usd in priced.items():
                if every_loss or account != "wear_usd":
                    assert usd == pytest.approx(booked[account], abs=CENT_FRACTION), account
                else:  # without their columns, losses of export cost no wear
                    assert usd <= booked[account] + CENT_FRACTION


def _check_fits(parts, x):
    rows, layout = parts.rows, parts.layout
    product = rows.times(x)
    worst = max(
        (layout.lower - x).max(initial=0.0), (x - layout.upper).max(initial=0.0),
        (rows.lower - product).max(initial=0.0), (product - rows.upper).max(initial=0.0),
    )  # fmt: skip
    assert worst < 1e-6
    assert len(violated(parts.problem, layout, x, Tolerances(1e-7, 1e-7))) == 0


def test_power_where_no_car_is_allowed_any_is_refused(world):
    day = world([1], [4], base_kw=50.0, site_limit_kw=20.0)
    parts = Parts.of(problem_of(day))
    nothing = np.zeros(len(parts.layout.stay))
    with pytest.raises(ValueError, match="the plan breaks a limit"):
        columns_of(parts.problem, parts.layout, Flows(nothing + 3.0, nothing, nothing))
