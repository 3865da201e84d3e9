"""A bundle plays days as any policy does, from a path, in this process and in another."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from ebbflow.agents.bundle import BundlePolicy, load_bundle, write_bundle
from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.evaluation import evaluate
from ebbflow.agents.evaluation.plan import Plan, make_plan
from ebbflow.agents.evaluation.tasks import run_task
from ebbflow.agents.policy import find_policy, pinned
from ebbflow.agents.run import run_days
from ebbflow.configs.load import ConfigError
from ebbflow.envs.action import requested_power
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.bank import pack

from .graphs import manifest, model
from .test_format import rewrite


@pytest.mark.parametrize(("scenario", "ports"), [("home-california", 7), ("depot-workplace", 9)])
def test_it_asks_for_what_its_graph_answers(folder: Path, scenario: str, ports: int) -> None:
    day = draw_days(DayRequest(scenario, (f"ports={ports}",))).scenarios[0]
    simulator = Simulator(pack([day, day]), 2, backend="numpy")
    simulator.reset()
    for _ in range(simulator.n_steps // 2):
        simulator.step(np.zeros((2, ports)))
    snapshot = simulator.snapshot()
    # The graph answers the state of charge, or what would make the need end at full: the field `soc`.
    soc = BundlePolicy(folder)._encoder.encode(snapshot).ports[..., 0]
    assert soc.max() > 0
    np.testing.assert_array_equal(BundlePolicy(folder).act(snapshot), requested_power(snapshot, soc))
    compiled = BundlePolicy(folder, backend="numba").act(snapshot)  # observes in single precision
    np.testing.assert_allclose(compiled, BundlePolicy(folder).act(snapshot), atol=1e-4)


def test_it_is_found_by_path_and_reported_by_the_name_given(folder: Path) -> None:
    policy = find_policy(f"mine={folder}")
    assert policy.name == "mine"
    assert pinned(policy, "") == f"mine={folder}#{load_bundle(folder).digest}"


def test_what_was_pinned_is_what_is_played(folder: Path) -> None:
    asked = pinned(find_policy(f"mine={folder}"), "")
    assert find_policy(asked).name == "mine"
    rewrite(folder, run_id="another")
    with pytest.raises(ConfigError, match="was asked for"):
        find_policy(asked)


@pytest.mark.parametrize("name", ["mpc", "cheapest_hours", "1st", "../x", ""])
def test_a_name_that_is_taken_or_none_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name for files"):
        find_policy(f"{name}={folder}")


def test_it_travels_to_another_process_as_plain_content(folder: Path) -> None:
    policy = BundlePolicy(folder, "mine")
    twin = pickle.loads(pickle.dumps(policy))
    assert (twin.name, twin.bundle) == ("mine", policy.bundle)


def test_days_alone_and_side_by_side_are_the_same(folder: Path) -> None:
    drawn = draw_days(DayRequest("home-california", ("ports=4",), days=3))
    together = run_days(drawn.scenarios, BundlePolicy(folder))
    assert together.failure == ""
    alone = [run_days(day, BundlePolicy(folder)).ledgers[0].net_cost_usd for day in drawn.scenarios]
    assert [ledger.net_cost_usd for ledger in together.ledgers] == pytest.approx(alone, abs=1e-9)


def plan_of(folder: Path) -> Plan:
    return make_plan(DayRequest("home-california", ("ports=3",)), 1, "clean", [f"learned={folder}"])


def test_workers_of_an_evaluation_play_what_was_pinned_or_nothing(folder: Path) -> None:
    plan = plan_of(folder)
    task = plan.task(plan.policies["learned"], [0])
    assert list(run_task(task).ledgers) == ["learned"]
    write_bundle(folder, model(operator="Sub"), manifest(), replace=True)  # another policy in the same place
    with pytest.raises(ConfigError, match="was asked for"):
        run_task(task)
    assert plan_of(folder).policies["learned"] != plan.policies["learned"]


@pytest.mark.slow
def test_an_evaluation_shows_it_and_keeps_its_tasks_by_content(folder: Path, tmp_path: Path) -> None:
    def learned() -> float | None:
        arguments = {"overrides": ("ports=3",), "workers": 2, "out": tmp_path / "out"}
        return evaluate("home-california", [f"learned={folder}"], days=2, **arguments).headline["learned"][
            "net_cost_usd"
        ]  # type: ignore[arg-type]

    first = learned()
    assert learned() == first
    write_bundle(folder, model(operator="Sub"), manifest(), replace=True)
    assert learned() != first
