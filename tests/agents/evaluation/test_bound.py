"""The hard checks: a controller below the bound on a day, and a raw reference below a controller in sum."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebbflow.agents.evaluation.bound import BoundBeatenError, BoundCheck, NeglectPaysError, check_references_last
from ebbflow.agents.evaluation.result import EvaluatedDay
from ebbflow.envs.simulator import DayLedger

from .hand_made import MakeWorld, make_evaluated

DAYS = [EvaluatedDay(number, date(2026, 3, number), 0.3, False, f"day {number}") for number in (4, 5)]


def costs(*dollars: float) -> list[DayLedger]:
    return [DayLedger({"net_cost_usd": usd}, {}) for usd in dollars]


def checked(bound: float, cost: float, raw: tuple[str, ...] = ()) -> None:
    check = BoundCheck(DAYS, raw)
    check.add({"mpc": costs(bound + 1.0, cost)}, [4, 5])
    check.add({"optimum": costs(bound, bound), "optimum_replayed": costs(bound, bound)}, [4, 5])


def test_day_policy_and_both_numbers_are_named() -> None:
    with pytest.raises(BoundBeatenError, match=r"day 5 \(2026-03-05\): mpc costs 9\.5 \$, .* bound of 10\.0 \$"):
        checked(10.0, 9.5)


@given(st.floats(-1e5, 1e5), st.booleans())
def test_tolerance(bound: float, beaten: bool) -> None:
    """Contracts 6: more than the greater of 1e-4 $ and a millionth of the amount."""
    margin = max(1e-4, 1e-6 * abs(bound)) * (1.01 if beaten else 0.99)
    if beaten:
        with pytest.raises(BoundBeatenError):
            checked(bound, bound - margin)
    else:
        checked(bound, bound - margin)


def test_a_replay_below_its_bound_is_found_and_a_raw_reference_is_none() -> None:
    with pytest.raises(BoundBeatenError, match="optimum_replayed"):
        BoundCheck(DAYS, ()).add({"optimum": costs(3.0), "optimum_replayed": costs(2.0)}, [4])
    check = BoundCheck(DAYS, ("drain",))
    check.add({"drain": costs(-9.0)}, [4])
    check.add({"optimum": costs(3.0)}, [4])


def test_either_may_come_first() -> None:
    check = BoundCheck(DAYS, ())
    check.add({"optimum": costs(10.0)}, [4])
    check.add({"optimum": costs(10.0)}, [5])
    check.add({"rule": costs(10.0)}, [5])
    with pytest.raises(BoundBeatenError, match="day 4"):
        check.add({"rule": costs(9.0)}, [4])


def test_neglect_that_pays_is_an_error_that_keeps_the_result(world: MakeWorld) -> None:
    result = make_evaluated(world).result
    check_references_last(result)
    cheap = {**result.headline["do_nothing"], "net_cost_usd": -5.0}
    gamed = replace(result, headline={**result.headline, "do_nothing": cheap})
    with pytest.raises(NeglectPaysError, match=r"do_nothing, which runs without projection, costs -5\.00 \$") as caught:
        check_references_last(gamed)
    assert caught.value.result is gamed
