"""Policies against the clock: ended when they are late, and the cycle is answered by the rules."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from ebbflow.agents.bundle import BundlePolicy, load_bundle, write_bundle
from ebbflow.serving.core.runners import BundleRunner, PolicyTimeout
from ebbflow.serving.core.worker import WorkerRunner
from ebbflow.serving.messages import snapshot_of
from ebbflow.serving.messages.vocabulary import DecisionReason

from ...agents.bundle.graphs import graph, manifest, model  # noqa: TID252
from .small_fleet import Service, request

POLICIES = """
import os, sys, time
import numpy as np

class _Base:
    name = "mine"
    def reset(self): print("a policy may print")
class Fine(_Base):
    def act(self, snapshot):
        print("more")
        return np.full((1, snapshot.n_ports), 3.5)
class Slow(Fine):
    def act(self, snapshot):
        time.sleep(60)
class Stubborn(Fine):
    def act(self, snapshot):
        while True:
            pass
class Dies(Fine):
    def act(self, snapshot):
        os._exit(3)
class Raises(Fine):
    def act(self, snapshot):
        raise ZeroDivisionError("of mine")
class Shape(Fine):
    def act(self, snapshot):
        return np.zeros((2, 2))
class Unmade(Fine):
    def __init__(self):
        raise OSError("no file")
"""

MakeWorker = Callable[[str], WorkerRunner]


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeWorker]:
    (tmp_path / "their_policies.py").write_text(POLICIES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made: list[WorkerRunner] = []

    def make(name: str) -> WorkerRunner:
        made.append(WorkerRunner(f"their_policies:{name}"))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


def test_a_policy_in_its_own_process_answers(worker: MakeWorker) -> None:
    runner = worker("Fine")
    runner.start()
    asked = request()
    for _ in range(2):
        proposal = runner.ask(asked, snapshot_of(asked), 10.0)
        assert proposal.request_kw.tolist() == [3.5] * 3


@pytest.mark.parametrize("name", ["Slow", "Stubborn"])
def test_a_late_policy_is_killed_and_the_cycle_answered_by_rules(worker: MakeWorker, name: str) -> None:
    runner = worker(name)
    runner.start()
    process: Any = runner._process
    service = Service(None, "deadline.answer_s=1.0", "economy.enabled=false", runner=runner)
    began = time.perf_counter()
    made = service.cycle(0)
    assert time.perf_counter() - began < 2.0
    assert made.answer.totals.by_source == {"rules": 3}
    assert made.record.timed_out
    assert "PolicyTimeout" in made.answer.problems[0]
    assert process.poll() is not None, "terminated, not abandoned"


def test_a_policy_that_takes_long_to_start_is_waited_for_over_several_cycles(worker: MakeWorker) -> None:
    runner, asked = worker("Fine"), request()
    with pytest.raises(PolicyTimeout, match="not ready yet"):
        runner.ask(asked, snapshot_of(asked), 0.01)
    process = runner._process
    runner.start()
    assert runner._process is process
    assert runner.ask(asked, snapshot_of(asked), 5.0).request_kw.tolist() == [3.5] * 3


BROKEN = [("Dies", "process died"), ("Raises", "Division.*of mine"), ("Shape", "shape"), ("Unmade", "no file")]


@pytest.mark.parametrize(("name", "why"), BROKEN)
def test_a_broken_process_is_told_and_started_again(worker: MakeWorker, name: str, why: str) -> None:
    runner, asked = worker(name), request()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=why):
            runner.ask(asked, snapshot_of(asked), 10.0)


def bundle_runner(folder: Path, content: bytes, margin: float = 0.25, **facts: Any) -> BundleRunner:
    write_bundle(folder, content, manifest(**facts))
    return BundleRunner(load_bundle(folder), margin)


def test_a_bundle_asks_for_what_its_policy_asks(tmp_path: Path) -> None:
    runner = bundle_runner(tmp_path / "b", model(), run_id="run-7")
    snapshot = snapshot_of(request())
    expected = BundlePolicy(load_bundle(tmp_path / "b")).act(snapshot)[0]
    proposal = runner.ask(request(), snapshot, 10.0)
    np.testing.assert_array_equal(proposal.request_kw, expected)
    assert not proposal.unusual.any()
    assert runner.model == ("learned", "run-7", load_bundle(tmp_path / "b").digest)
    made = Service(runner=runner).cycle()
    assert made.answer.state.word == "auto"
    assert made.answer.model.sha256 == runner.model.sha256


def slow_model() -> bytes:
    """Hundreds of products of large matrices, which no optimiser can foresee: they depend on the mask."""
    size = numpy_helper.from_array(np.array([1000, 1000]), "size")
    none = numpy_helper.from_array(np.array(0.0, np.float32), "none")
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
        helper.make_node("ReduceSum", ["mask"], ["cars"], keepdims=0),
        helper.make_node("Add", ["zeros", "cars"], ["x0"]),
        *[helper.make_node("MatMul", [f"x{at}", "x0"], [f"x{at + 1}"]) for at in range(600)],
        helper.make_node("ReduceMean", ["x600"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "none"], ["nothing"]),
    ]
    made = graph(*nodes, initializers=(size, none))
    # What the cars are told waits for the products.
    last = next(node for node in made.graph.node if "action" in node.output)
    last.output[0] = "quick"
    made.graph.node.append(helper.make_node("Max", ["quick", "nothing"], ["action"]))
    return bytes(made.SerializeToString())


def test_a_slow_graph_is_ended_by_its_terminate_flag(tmp_path: Path) -> None:
    runner, asked = bundle_runner(tmp_path / "b", slow_model()), request()
    snapshot = snapshot_of(asked)
    began = time.perf_counter()
    with pytest.raises(PolicyTimeout, match=r"ended after 0\.3 s"):
        runner.ask(asked, snapshot, 0.3)
    assert time.perf_counter() - began < 2.0


def test_an_operator_that_does_not_end_holds_up_no_answer(tmp_path: Path) -> None:
    runner, asked, go_on = bundle_runner(tmp_path / "b", model()), request(), threading.Event()
    honest, snapshot = runner._policy, snapshot_of(asked)

    class Stuck:
        def action(self, *given: Any) -> Any:
            go_on.wait(20.0)
            return honest.action(*given)

    runner._policy = Stuck()  # type: ignore[assignment]
    for why in (r"ended after 0\.2 s", "still being ended", "still being ended"):
        began = time.perf_counter()
        with pytest.raises(PolicyTimeout, match=why):
            runner.ask(asked, snapshot, 0.2)
        assert time.perf_counter() - began < 2.0
    go_on.set()
    assert runner._ending is not None
    runner._ending.join(10.0)
    np.testing.assert_array_equal(runner.ask(asked, snapshot, 10.0).request_kw, honest.act(snapshot)[0])


def test_readings_outside_the_trained_ranges_leave_their_car_to_the_rules(tmp_path: Path) -> None:
    runner = bundle_runner(tmp_path / "b", model(), training_ranges={"soc": (0.4, 0.8)})
    made = Service(runner=runner).cycle(ports__soc=[0.6, 0.25, 0.85])
    assert made.answer.totals.by_source["rules"] == 1
    assert made.answer.decisions.reason[1] == DecisionReason.UNUSUAL
    assert made.record.unusual is not None
    assert made.record.unusual.tolist() == [False, True, False]
    assert made.answer.problems == ("outside the trained ranges: soc (1 of 3 cars)",)


def test_a_fleet_outside_the_trained_ranges_is_left_to_the_rules_as_a_whole(tmp_path: Path) -> None:
    runner = bundle_runner(tmp_path / "b", model(), training_ranges={"step_h": (0.9, 1.0)})
    made = Service(runner=runner).cycle()
    assert made.answer.totals.by_source == {"rules": 3}
    assert "100% of the cars lie outside the trained ranges" in made.answer.problems[0]
    assert made.answer.problems[1] == "outside the trained ranges: step_h"
