"""`decide`: rules stand in for whatever a policy fails at, and nothing passes without the projection."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.decide import Source, decide
from ebbflow.agents.rules import LeastLaxity, Uncontrolled
from ebbflow.agents.rules.raw import DoNothing
from ebbflow.envs.safety.projection import Projection, make_projector
from ebbflow.envs.safety.reasons import Reason
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Scenario
from ebbflow.envs.world.stress import random_scenario

MakeWorld = Callable[..., Scenario]
NOW_S = 1_800_000_000.0


class Says:
    """A policy that answers what it is told to, or raises it."""

    name = "says"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def reset(self) -> None: ...

    def act(self, snapshot: Snapshot) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Halves:
    """Stands in for the projection: halves what is asked, and keeps it."""

    def __init__(self) -> None:
        self.asked: Any = None

    def project(self, snapshot: Snapshot, requested_kw: Any) -> Projection:
        self.asked = np.array(requested_kw)
        return Projection(self.asked / 2, np.full(self.asked.shape, Reason.BOX))


@pytest.fixture
def snapshot(world: MakeWorld) -> Snapshot:
    simulator = Simulator(world([2, 3, 1], [6, 6, 6]))
    simulator.reset()
    return simulator.snapshot()


def test_a_sound_policy_decides_and_the_projection_has_the_last_word(snapshot: Snapshot) -> None:
    answer = np.array([[1.0, 2.0, -3.0]])
    made = decide(snapshot, Says(answer), Uncontrolled(), Halves(), NOW_S)
    np.testing.assert_array_equal(made.requested_kw, [[1, 2, -3]])
    np.testing.assert_array_equal(made.applied_kw, [[0.5, 1, -1.5]])
    assert (made.source == Source.POLICY).all()
    assert (made.reasons == Reason.BOX).all()
    np.testing.assert_array_equal(made.valid_until_s, [NOW_S + 3600])
    assert made.failure == ""
    np.testing.assert_array_equal(answer, [[1, 2, -3]])


def test_rules_stand_in_for_single_cars_without_a_finite_request(snapshot: Snapshot) -> None:
    projector = Halves()
    made = decide(snapshot, Says(np.array([[np.nan, 2.0, np.inf]])), Uncontrolled(), projector, NOW_S)
    np.testing.assert_array_equal(projector.asked, [[8, 2, 8]])
    np.testing.assert_array_equal(made.source, [[Source.RULES, Source.POLICY, Source.RULES]])
    assert [bool(r & Reason.NOT_FINITE) for r in made.reasons[0]] == [True, False, True]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (RuntimeError("out of memory"), "says: RuntimeError: out of memory"),
        (np.zeros((1, 2)), r"shape \(1, 2\); it must be \(1, 3\)"),
        (None, "says: "),
        ("charge", "says: ValueError"),
    ],
)
def test_rules_stand_in_for_all_where_the_policy_breaks(snapshot: Snapshot, answer: Any, reason: str) -> None:
    made = decide(snapshot, Says(answer), Uncontrolled(), Halves(), NOW_S)
    np.testing.assert_array_equal(made.requested_kw, [[8, 8, 8]])
    assert (made.source == Source.RULES).all()
    assert re.search(reason, made.failure)


def test_rules_that_are_the_policy_are_asked_once(snapshot: Snapshot) -> None:
    class Counts(Uncontrolled):
        asked = 0

        def act(self, snapshot: Snapshot) -> Any:
            self.asked += 1
            return super().act(snapshot)

    rule = Counts()
    made = decide(snapshot, rule, rule, Halves(), NOW_S)
    assert rule.asked == 1
    assert (made.source == Source.POLICY).all()


@pytest.mark.parametrize("change", ["ports.plugged", "ports.max_charge_kw", "sites.import_limit_kw.values"])
def test_a_policy_cannot_get_round_the_projection_by_changing_what_it_is_shown(snapshot: Snapshot, change: str) -> None:
    class Cheats(Says):
        def act(self, snapshot: Snapshot) -> Any:
            attrgetter(change)(snapshot)[...] = 1000
            return np.full((1, 3), 1000.0)

    before = attrgetter(change)(snapshot).copy()
    made = decide(snapshot, Cheats(None), Uncontrolled(), Halves(), NOW_S)
    np.testing.assert_array_equal(attrgetter(change)(snapshot), before)
    assert (made.source == Source.RULES).all()
    assert "read-only" in made.failure


def test_raw_references_are_refused(snapshot: Snapshot) -> None:
    for policy, rules in ((DoNothing(), Uncontrolled()), (Uncontrolled(), DoNothing())):
        with pytest.raises(ValueError, match="'do_nothing' is a raw reference"):
            decide(snapshot, policy, rules, Halves(), NOW_S)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["nan", "wild", "export", "raise"]))
def test_whatever_a_policy_says_the_applied_power_is_finite_and_in_the_box(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    simulator = Simulator(random_scenario(rng))
    simulator.reset()
    projector = make_projector("numba")
    for _ in range(4):
        snapshot = simulator.snapshot()
        shape = snapshot.ports.plugged.shape
        answer: Any = {
            "nan": np.full(shape, np.nan),
            "wild": rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0], shape),
            "export": np.full(shape, -1e9),
            "raise": ZeroDivisionError("x"),
        }[kind]
        made = decide(snapshot, Says(answer), LeastLaxity(), projector, NOW_S)
        assert np.isfinite(made.applied_kw).all()
        assert (made.applied_kw <= snapshot.ports.max_charge_kw + 1e-9).all()
        assert (made.applied_kw >= -snapshot.ports.max_discharge_kw - 1e-9).all()
        simulator.step(made.applied_kw)
