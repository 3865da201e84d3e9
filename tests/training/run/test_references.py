"""Costs of the references: computed once, beside the training, and never a reason for it to fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ebbflow.agents.evaluation.tasks import run_task
from ebbflow.agents.rules import Uncontrolled
from ebbflow.agents.run import run_days
from ebbflow.training.run import references
from ebbflow.training.run.days import training_days, validation_plan
from ebbflow.training.run.references import References, headline_days
from ebbflow.training.run.validation import Validator

from .conftest import small_settings

SETTINGS = small_settings()


@pytest.fixture(scope="module")
def known(kept: Path) -> References:
    made = References(validation_plan(SETTINGS), kept)
    made.start()
    made.poll(wait=True)
    return made


def test_shares_are_those_of_the_sums(known: References) -> None:
    plan = validation_plan(SETTINGS)
    played = run_days(plan.drawn.scenarios, Uncontrolled(), reserve=plan.drawn.reserve)
    base = sum(day.net_cost_usd for day in played.ledgers)
    assert known.failure == ""
    assert known.captured(base) == pytest.approx(0.0, abs=1e-6)
    assert known.captured("optimum") == pytest.approx(100.0)
    mpc = known.captured("mpc")
    assert mpc is not None
    assert 0.0 < mpc <= 100.0
    middle = known.captured(base - 1.0)
    assert middle is not None
    assert middle > 0.0


def test_a_second_run_starts_no_process(known: References, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(references, "ProcessPoolExecutor")
    again = References(validation_plan(SETTINGS), kept)
    again.start()
    assert again.poll() is False
    assert again.captured("mpc") == known.captured("mpc")


def test_other_days_are_not_mixed_up(known: References, kept: Path) -> None:
    other = References(validation_plan(small_settings(validation_days=2)), kept)
    assert other.captured("optimum") is None


def test_before_the_references_are_known_there_is_no_share(tmp_path: Path) -> None:
    fresh = References(validation_plan(SETTINGS), tmp_path)
    assert fresh.captured(1.0) is None
    assert fresh.captured("mpc") is None


def test_a_reference_that_fails_is_told_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Here:
        """Runs what is submitted at once."""

        _processes: dict[int, object]

        def __init__(self, *_: object, **__: object) -> None:
            self._processes = {}

        def submit(self, work: object, store: object, task: object, key: str) -> object:
            from concurrent.futures import Future

            future: Future[object] = Future()
            if getattr(task, "policy", "") == "mpc":
                future.set_exception(ValueError("no solver"))
            else:
                future.set_result(run_task(task))  # type: ignore[arg-type]
            return future

        def shutdown(self, **_: object) -> None:
            """Nothing runs."""

    monkeypatch.setattr(references, "ProcessPoolExecutor", Here)
    made = References(validation_plan(SETTINGS), tmp_path)
    made.start()
    assert made.poll()
    assert made.failure == "ValueError: no solver"
    assert made.captured("mpc") is None
    assert made.captured("optimum") == pytest.approx(100.0)


def test_training_and_validation_never_share_a_day() -> None:
    trained = {day.provenance["draw"] for day in training_days(SETTINGS).scenarios}
    validated = {day.provenance["draw"] for day in validation_plan(SETTINGS).drawn.scenarios}
    assert not trained & validated
    again = small_settings(seed=5)
    assert {day.provenance["draw"] for day in validation_plan(again).drawn.scenarios} == validated
    assert {day.provenance["draw"] for day in training_days(again).scenarios} != trained


@pytest.mark.parametrize(("prices", "inside"), [((0.2, 1.5, 0.9), [0, 2]), ((1.5, 2.0, 3.0), [0, 1, 2])])
def test_days_with_an_emergency_stand_outside_unless_all_are_such(prices: tuple[float, ...], inside: list[int]) -> None:
    plan = validation_plan(SETTINGS)
    days = tuple(replace(day, emergency=price > 1.0) for day, price in zip(plan.days, prices, strict=True))
    assert list(headline_days(replace(plan, days=days))) == inside


def test_a_validation_is_what_the_evaluator_plays() -> None:
    plan = validation_plan(SETTINGS)
    made = Validator(plan).play(Uncontrolled(), 7)
    played = run_days(plan.drawn.scenarios, Uncontrolled(), reserve=plan.drawn.reserve).ledgers
    expected = sum(played[at].net_cost_usd for at in headline_days(plan))
    assert (made.update, made.net_cost_usd) == (7, expected)
    assert np.isclose(made.usd_per_car_day * 3 * len(headline_days(plan)), expected)


def test_misreporting_drivers_are_validated_as_such() -> None:
    assert validation_plan(small_settings(overrides=("ports=3", "behaviour.misreport=acn"))).split == "misreport"
