"""The breaker against a reference model, alone and inside the service with everything else that can happen."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ebbflow.serving.core.attempt import WHOLE_EVERY
from ebbflow.serving.core.breaker import Breaker, after_cycle
from ebbflow.serving.core.memory import memory_document, memory_from
from ebbflow.serving.core.runners import PolicyTimeout, Proposal
from ebbflow.serving.core.settings import BreakerSettings
from ebbflow.serving.messages import canonical_json, read_json
from ebbflow.serving.messages.answer import ModelId
from ebbflow.serving.messages.vocabulary import Mode, ServiceState

from .small_fleet import Says, Service

FAULTS: dict[str, Any] = {
    "raises": ZeroDivisionError("x"),
    "nan": np.nan,
    "wrong shape": lambda snapshot: np.zeros((3, 7)),
}


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_it_opens_after_failures_in_a_row_and_closes_after_clean_cycles(failed: list[bool], k: int, m: int) -> None:
    breaker, terms = Breaker(), BreakerSettings(failures=k, clean_cycles=m)
    history: list[bool] = []
    for one in failed:
        was = breaker.is_open
        breaker = after_cycle(breaker, one, terms)
        history = [*history, one]
        if was != breaker.is_open:
            tail = history[-m:] if was else history[-k:]
            assert tail == [not was] * (m if was else k)
            history = []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_answered_in_the_same_cycle_and_the_breaker_opens_and_recovers_in_shadow(fault: str) -> None:
    says = Says(4.0)
    service = Service(says, "breaker.failures=3", "breaker.clean_cycles=2", "economy.enabled=false")
    assert service.cycle(0).answer.state == ServiceState.AUTO
    says.answer = FAULTS[fault]
    for step in (1, 2, 3):
        made = service.cycle(step)
        assert made.answer.state == ServiceState.DEGRADED
        assert made.answer.totals.by_source == {"rules": 3}
        assert made.answer.totals.by_reason == {"policy_failed": 3}
    assert service.memory.breaker.is_open
    assert "breaker is open" in service.cycle(4).answer.problems[0]
    says.answer = 4.0
    shadow = [service.cycle(step) for step in (5, 6)]
    assert [made.answer.state.word for made in shadow] == ["degraded", "degraded"]
    assert all(made.record.policy_kw is not None and made.record.shadow for made in shadow)
    assert service.cycle(7).answer.state == ServiceState.AUTO


class Timed:
    """A policy that takes its time, and writes down how long it might."""

    model = ModelId("timed")

    def __init__(self) -> None:
        self.needs_s, self.limits = 0.0, list[float]()

    def ask(self, asked: Any, snapshot: Any, limit_s: float) -> Proposal:
        self.limits.append(limit_s)
        time.sleep(min(self.needs_s, 0.06))
        if self.needs_s > limit_s:
            raise PolicyTimeout("late")
        return Proposal(np.full(snapshot.n_ports, 4.0), np.zeros(snapshot.n_ports, bool))


def test_a_policy_that_is_late_is_not_waited_for_in_shadow() -> None:
    timed = Timed()
    service = Service(runner=timed)
    service.cycle(0)
    timed.needs_s = 60.0
    made = [service.cycle(step) for step in range(1, 4 + 2 * WHOLE_EVERY)]
    assert service.memory.breaker.is_open
    assert made[-1].record.shadow
    shadow = np.array(timed.limits[4:])
    assert min(timed.limits[:4]) > 2.0
    assert (shadow > 2.0).sum() == 2, "one in so many, as it may have become slower for good"
    assert np.sort(shadow)[:-2].max() <= 0.05 * 5.0 + 1e-6


def test_a_policy_that_takes_long_by_nature_comes_back_all_the_same() -> None:
    timed = Timed()
    timed.needs_s = 0.05
    service = Service(None, "breaker.shadow_share=0.001", "breaker.clean_cycles=2", runner=timed)
    service.memory = replace(service.memory, breaker=Breaker(is_open=True))
    for step in range(WHOLE_EVERY + 2):
        service.cycle(step)
    assert not service.memory.breaker.is_open


class Machine(RuleBasedStateMachine):
    """Cycles, faults, orders, limits, restarts in any order, beside a model of what the service's state must be."""

    @initialize()
    def begin(self) -> None:
        self.says = Says(4.0)
        self.service = Service(self.says, "breaker.failures=2", "breaker.clean_cycles=2")
        self.step, self.kind, self.orders = 0, None, []
        self.failures, self.clean, self.is_open = 0, 0, False
        self.limit, self.made = 100.0, None

    @rule(kind=st.sampled_from([None, *FAULTS, "export"]))
    def the_policy_changes(self, kind: str | None) -> None:
        self.says.answer = 4.0 if kind is None else -4.0 if kind == "export" else FAULTS[kind]
        self.kind = kind

    @rule(control=st.sampled_from(["rules_only", "no_export", "hold", "release"]), cycles=st.integers(1, 3))
    def an_operator_orders(self, control: str, cycles: int) -> None:
        self.service.order(control, self.step, self.step + cycles)
        self.orders.append((control, self.step + cycles))

    @rule(limit=st.sampled_from([0.0, 5.0, 30.0, 100.0]))
    def a_limit_is_cut(self, limit: float) -> None:
        self.limit = limit

    @rule()
    def the_service_restarts(self) -> None:
        self.service.memory = memory_from(read_json(canonical_json(memory_document(self.service.memory))))

    @rule(ledger_up=st.booleans(), old=st.booleans())
    def a_cycle(self, ledger_up: bool, old: bool) -> None:
        age, self.limit_then = 9000.0 if old else 10.0, self.limit
        self.made = self.service.cycle(
            self.step,
            ledger_up=ledger_up,
            sites__import_limit_kw=[[self.limit]],
            ports__soc_age_s=[age, 10.0, 10.0],
        )
        ordered = [control for control, until in self.orders if self.step < until]
        modes = [control for control in ordered if control != "no_export"]
        released = modes[-1:] == ["release"]
        # Asked about nobody, no number can be missing.
        self.faulty = self.kind in FAULTS and not (self.kind == "nan" and released)
        expected = (
            ServiceState.LEDGER_DOWN if not ledger_up
            else ServiceState.OPERATOR if ordered
            else ServiceState.DEGRADED if self.is_open or self.faulty
            else ServiceState.AUTO
        )  # fmt: skip
        assert self.made.answer.state == expected
        if not ledger_up or self.is_open:
            assert "policy" not in self.made.answer.totals.by_source
        if not ledger_up or "no_export" in ordered or released:
            assert not (self.made.answer.decisions.setpoint_kw < 0).any()
        if released:
            assert (self.made.answer.decisions.mode == Mode.RELEASE).all()
        if ledger_up:
            self._model_of_the_breaker()
        self.step += 1

    def _model_of_the_breaker(self) -> None:
        if self.is_open:
            self.clean = 0 if self.faulty else self.clean + 1
            if self.clean == 2:
                self.is_open, self.failures, self.clean = False, 0, 0
        else:
            self.failures = self.failures + 1 if self.faulty else 0
            self.is_open = self.failures == 2

    @invariant()
    def nothing_is_broken(self) -> None:
        if not getattr(self, "made", None):
            return
        d = self.made.answer.decisions
        power = np.nan_to_num(d.setpoint_kw)
        released = int((d.mode == Mode.RELEASE).sum())
        assert power[power > 0].sum() <= max(self.limit_then - 11.0 * released, 0.0) + 1e-9
        assert (np.isnan(d.setpoint_kw) == (d.mode == Mode.RELEASE)).all()
        assert self.service.memory.breaker.is_open == self.is_open


Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestMachine = Machine.TestCase
