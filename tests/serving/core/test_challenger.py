"""A canary takes the same cars every cycle; a challenger in shadow changes nothing and is measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.serving.core.challenger import CanaryRunner, in_canary, in_shadow
from ebbflow.serving.core.replay import replay
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.messages import answer_document, canonical_json, parse_request

from .small_fleet import Says, Service, document, request


def fleet(n: int, cars: bool = False) -> Any:
    made = document()
    made["ports"] = {
        "id": [f"p{at}" for at in range(n)], "plugged": [True] * n, "capacity_kwh": [60.0] * n,
        "max_charge_kw": [11.0] * n, "soc": [0.5] * n,
    }  # fmt: skip
    if cars:
        made["ports"]["car"] = [f"car {at}" for at in range(n)]
    return parse_request(made)


def test_the_canary_is_stable_grows_and_is_as_large_as_its_share() -> None:
    asked = fleet(4000)
    small, large = in_canary(asked, 0.1), in_canary(asked, 0.3)
    np.testing.assert_array_equal(small, in_canary(asked, 0.1))
    assert (large | ~small).all()
    assert 0.08 < small.mean() < 0.12
    assert not in_canary(asked, 0.0).any()
    assert in_canary(asked, 1.0).all()
    assert (in_canary(fleet(4000, cars=True), 0.3) != large).any(), "by car, where it is said"


def runners(answer: Any) -> CanaryRunner:
    return CanaryRunner(InlineRunner(Says(4.0)), InlineRunner(Says(answer)), 0.5)


def test_the_challenger_decides_for_its_share_and_the_answer_says_so() -> None:
    service = Service(runner=runners(7.0))
    made = service.cycle()
    powers = np.where(in_canary(request(), 0.5), 7.0, 4.0)
    np.testing.assert_array_equal(made.answer.decisions.setpoint_kw, powers)
    assert "with 50% says" in made.answer.model.version


@pytest.mark.parametrize("fault", [OSError("gone"), np.nan])
def test_a_canary_that_fails_costs_nobody_the_champion(fault: Any) -> None:
    service = Service(runner=runners(fault))
    before = service.memory
    made = service.cycle()
    assert made.answer.decisions.setpoint_kw.tolist() == [4.0] * 3
    assert made.answer.state.word == "auto"
    assert any("gone" in said for said in made.answer.problems) == isinstance(fault, OSError)
    again = replay(request(), before, service.kit, made.answer, made.record)
    assert canonical_json(answer_document(again)) == canonical_json(answer_document(made.answer))


def test_a_shadow_is_measured_in_kilowatts_and_dollars() -> None:
    service = Service(Says(4.0))
    before, made = service.memory, service.cycle()
    kept = service.memory
    told = in_shadow(request(), before, service.kit, InlineRunner(Says(6.0)), made.answer)
    assert (told.cars, told.kw, told.failure) == (3, pytest.approx(6.0), "")
    assert told.usd == pytest.approx(6.0 * 0.25 * 0.2)
    assert service.memory is kept
    assert in_shadow(request(), before, service.kit, InlineRunner(Says(OSError("x"))), made.answer).failure
    out = in_shadow(request(), before, service.kit, InlineRunner(Says(-4.0)), made.answer)
    assert out.usd == pytest.approx(-3 * 0.25 * (4 * 0.2 + 4 * (0.15 - 0.02 / 0.9)))
