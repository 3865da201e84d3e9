"""Commands are saved where nothing is lost by it, and the memory of what was sent is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.agents.economy import Economy, Held, Sent, economical, is_change
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.envs.world.scenario import Scenario

MakeWorld = Callable[..., Scenario]
ECONOMY = Economy(dead_band_kw=0.5, min_dwell_s=600.0, commands_per_day=4, zero_between=True)
NAN = float("nan")

# last, age, commands today, request -> what is asked, and what was done
CASES = [
    (NAN, 0, 0, 5.0, 5.0, Held.NO),
    (5.0, 9999, 0, 5.4, 5.0, Held.LAST),  # dead band
    (5.0, 9999, 0, 5.6, 5.6, Held.NO),
    (5.0, 9999, 0, 0.0, 0.0, Held.NO),  # a pause is never within the dead band
    (0.3, 9999, 0, 0.0, 0.0, Held.NO),
    (5.0, 300, 0, 9.0, 5.0, Held.LAST),  # dwell
    (5.0, 9999, 4, 9.0, 5.0, Held.LAST),  # budget
    (5.0, 9999, 0, -5.0, 0.0, Held.ZERO),
    (-5.0, 9999, 0, 5.0, 0.0, Held.ZERO),
    (0.0, 9999, 0, -5.0, -5.0, Held.NO),
    (-5.0, 300, 0, 5.0, 0.0, Held.ZERO),  # export is not kept up by the dwell
    (-5.0, 9999, 4, 5.0, -5.0, Held.LAST),  # the budget is
    (5.0, 300, 9, 5.0, 5.0, Held.NO),  # nothing to hold back
]


@pytest.fixture
def snapshot(world: MakeWorld) -> Snapshot:
    simulator = Simulator(world([2], [6]))
    simulator.reset()
    return simulator.snapshot().copy()


def with_last(snapshot: Snapshot, last: float, age_s: float, commands: int) -> Snapshot:
    full = np.full((1, 1), 1.0)
    ports = snapshot.ports._replace(
        last_setpoint_kw=full * last, setpoint_age_s=full * age_s, commands_today=full * commands
    )
    return replace(snapshot, ports=ports)


@pytest.mark.parametrize(("last", "age_s", "commands", "request_kw", "expected", "held"), CASES)
def test_by_hand(
    snapshot: Snapshot, last: Any, age_s: Any, commands: Any, request_kw: Any, expected: Any, held: Any
) -> None:
    known = with_last(snapshot, last, age_s, commands)
    asked, done = economical(known, np.full((1, 1), request_kw), ECONOMY)
    assert (asked[0, 0], done[0, 0]) == (expected, held)


@settings(max_examples=100, deadline=None)
@given(last=st.floats(-20, 20), request_kw=st.floats(-20, 20), age=st.floats(0, 2000), commands=st.integers(0, 8))
def test_what_is_asked_is_the_wish_the_last_or_a_pause(
    last: float, request_kw: float, age: float, commands: int
) -> None:
    ports = type("P", (), {})()
    full = np.full((1, 1), 1.0)
    ports.last_setpoint_kw, ports.setpoint_age_s = full * last, full * age
    ports.commands_today, ports.plugged = full * commands, full > 0
    snapshot: Any = type("S", (), {"ports": ports})()
    asked, held = economical(snapshot, full * request_kw, ECONOMY)
    assert asked[0, 0] in (request_kw, last, 0.0)
    assert asked[0, 0] == {Held.NO: request_kw, Held.LAST: last, Held.ZERO: 0.0}[held[0, 0]]
    if last * request_kw < 0:
        assert asked[0, 0] * request_kw <= 0, "import and export follow each other"


def test_the_memory_of_what_was_sent() -> None:
    sent = Sent.nothing((1, 3))
    assert np.isinf(sent.age_s(100.0)).all()
    sent = sent.after(np.array([[5.0, 0.0, NAN]]), 100.0)
    np.testing.assert_array_equal(sent.age_s(160.0), [[60.0, 60.0, np.inf]])
    sent = sent.after(np.array([[5.0, -1.0, 2.0]]), 200.0)
    np.testing.assert_array_equal(sent.changed_s, [[100.0, 200.0, 200.0]])


def test_what_is_a_change() -> None:
    before, after = np.array([1.0, 1.0, NAN, NAN, 0.0]), np.array([1.0, 1.1, NAN, 0.0, NAN])
    assert is_change(before, after).tolist() == [False, True, False, True, True]


@pytest.mark.parametrize("name", ["dead_band_kw", "min_dwell_s", "commands_per_day"])
def test_negative_limits_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is -1"):
        Economy(**{name: -1})
