"""Whatever is sent and whatever the policy says: an answer, and a safe one."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ebbflow.serving.core.controls import make_order
from ebbflow.serving.core.cycle import dispatch, make_kit
from ebbflow.serving.core.memory import memory_document, memory_from, new_memory
from ebbflow.serving.core.replay import replay
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import answer_document, canonical_json, parse_request, read_json, request_document
from ebbflow.serving.messages.vocabulary import Control

from .fuzz import Faulty, assert_answer_safe, fuzzed_request


def run_cycles(seed: int, cycles: int, ports: int) -> int:
    """A day of fuzzed cycles of one fleet; returns how many set-points were checked."""
    rng = np.random.default_rng(seed)
    settings = load_serving("default", ("gates.check_clock=false",))
    kit, memory, checked = make_kit(settings, InlineRunner(Faulty(rng))), new_memory(), 0
    for step in range(cycles):
        request = fuzzed_request(rng, ports, step)
        if rng.random() < 0.15:
            control = str(rng.choice(Control.words()))
            whom = () if rng.random() < 0.5 else ("p1", "p3")
            order = make_order(control, "op", "drill", request.start_s, request.start_s + 3000.0, whom)
            memory = memory.__class__(**{**vars(memory), "orders": (*memory.orders, order)})
        up = bool(rng.random() < 0.9)
        outcome = dispatch(request, memory, kit, request.start_s + 2.0, ledger_up=up)
        assert_answer_safe(request, outcome.answer, settings, up)
        again = parse_request(read_json(canonical_json(request_document(request))))
        before = memory_from(read_json(canonical_json(memory_document(memory))))
        repeated = replay(again, before, kit, outcome.answer, outcome.record, ledger_up=up)
        assert canonical_json(answer_document(repeated)) == canonical_json(answer_document(outcome.answer))
        memory, checked = outcome.memory, checked + request.n_ports
    return checked


@pytest.mark.parametrize("seed", range(2))
def test_fuzzed_cycles_get_safe_answers_that_replay_to_the_byte(seed: int) -> None:
    assert run_cycles(seed, cycles=40, ports=40) == 1600


@pytest.mark.slow
def test_many_fuzzed_cycles() -> None:
    first, count = int(os.environ.get("EBBFLOW_FUZZ_SEED", "100")), 10
    checked = sum(run_cycles(seed, cycles=96, ports=24) for seed in range(first, first + count))
    assert checked == count * 96 * 24
