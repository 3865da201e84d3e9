"""The bound of any duals is below the optimum; HiGHS keeps quiet, grows by rows and is told new prices."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.planning.rows import Row, RowList
from ebbflow.agents.planning.solver import Highs, dual_bound

pytest.importorskip("highspy")


def row_of(columns, values, lower=-np.inf, upper=np.inf):
    rows = RowList()
    which = np.zeros(len(columns), int)
    rows.add(Row.TAPER, np.zeros(1, int), np.zeros(1, int), lower, upper, (which, np.array(columns), np.array(values)))
    return rows.made()


def random_programme(rng, columns=6, count=5):
    rows = RowList()
    for _ in range(count):
        low, high = sorted(rng.normal(0, 3, 2))
        which, values = np.zeros(columns, int), rng.normal(0, 1, columns)
        bound = (low if rng.random() < 0.7 else -np.inf, high if rng.random() < 0.7 else np.inf)
        rows.add(Row.TAPER, np.zeros(1, int), np.zeros(1, int), *bound, (which, np.arange(columns), values))
    return rng.normal(0, 1, columns), -np.ones(columns), np.ones(columns), rows.made()


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**31))
def test_any_duals_prove_a_bound_and_the_solvers_the_best(seed):
    rng = np.random.default_rng(seed)
    cost, lower, upper, rows = random_programme(rng)
    found = Highs(cost, lower, upper, rows).solve()
    if found.status != "Optimal":
        return
    assert found.bound_usd == pytest.approx(found.objective_usd, abs=1e-6)
    assert found.bound_usd <= found.objective_usd + 1e-9
    any_bound = dual_bound(cost, lower, upper, rows, rng.normal(0, 2, len(rows)))
    assert any_bound.usd <= found.objective_usd + 1e-9


def test_rows_and_prices_may_change():
    highs = Highs(np.array([-1.0, -2.0]), np.zeros(2), np.ones(2), row_of([0, 1], [1.0, 1.0], upper=1.5))
    assert highs.solve().objective_usd == pytest.approx(-2.5)
    highs.add(row_of([1], [1.0], upper=0.25))
    assert highs.solve().bound_usd == pytest.approx(-1.5)
    highs.price(np.array([1.0, -2.0]))
    assert highs.solve().x == pytest.approx([0, 0.25])


def test_binaries_are_whole():
    highs = Highs(np.array([-1.0, -1.0]), np.zeros(2), np.ones(2), row_of([0, 1], [2.0, 2.0], upper=3.0), binaries=2)
    found = highs.solve()
    assert sorted(np.round(found.x, 9)) == [0, 1]
    assert found.bound_usd == pytest.approx(-1.0, abs=1e-3)


def test_a_refused_option_is_an_error():
    with pytest.raises(RuntimeError, match="option no_such"):
        Highs(np.ones(1), np.zeros(1), np.ones(1), row_of([0], [1.0], upper=1.0), no_such=1)


def test_nothing_is_printed():
    code = (
        "import numpy as np\nfrom ebbflow.agents.planning.rows import RowList\n"
        "from ebbflow.agents.planning.solver import Highs\nprint('before')\n"
        "Highs(np.ones(1), np.zeros(1), np.ones(1), RowList().made()).solve()\nprint('after')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["before", "after"]


def test_rows_can_be_picked_joined_and_renamed():
    first, second = row_of([0, 2], [1.0, 5.0], upper=1.0), row_of([1], [3.0], lower=2.0)
    both = first.joined(second)
    assert both.times(np.array([1.0, 10.0, 100.0])) == pytest.approx([501, 30])
    again = both.picked(np.array([1])).renamed(np.array([9, 0, 9]))
    assert again.times(np.array([7.0])) == pytest.approx([21])
    assert (again.lower[0], again.upper[0]) == (2.0, np.inf)
