"""Simulated days through `ebbflow serve` get the set-points of `decide` in process, and cost what `evaluate` says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ebbflow.agents.bundle import BundlePolicy, write_bundle
from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.decide import decide
from ebbflow.agents.evaluation import evaluate
from ebbflow.agents.rules import LeastLaxity
from ebbflow.envs.safety.projection import Projector, make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Scenario
from ebbflow.serving.bench.measure import running
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.ledger.verify import verify
from ebbflow.serving.messages import canonical_json, request_document, request_of

from ...agents.bundle.graphs import manifest, model  # noqa: TID252

STUDY = pytest.mark.study


def play(client: httpx.Client, day: Scenario, fleet: str, policy: BundlePolicy, projector: Projector) -> float:
    """A day through HTTP, each step beside the decision in process; returns its net cost."""
    simulator = Simulator(day)
    simulator.reset()
    while not simulator.done[0]:
        step = int(np.asarray(simulator.state.step)[0])
        at = day.start + timedelta(minutes=step * day.interval_minutes)
        snapshot = simulator.snapshot()
        body = canonical_json(request_document(request_of(snapshot, at, fleet=fleet)))
        told = client.post("/v1/dispatch", content=body, headers={"content-type": "application/json"})
        assert told.status_code == 200, told.text
        answer: dict[str, Any] = told.json()
        assert answer["state"] == "auto", answer["problems"]
        there = np.array(answer["decisions"]["setpoint_kw"], float)
        here = decide(snapshot, policy, LeastLaxity(), projector, at.timestamp()).applied_kw[0]
        np.testing.assert_array_equal(there, np.where(snapshot.ports.plugged[0], here, 0.0), err_msg=f"step {step}")
        simulator.step(there[None])
    return float(simulator.ledger(0).net_cost_usd)


@pytest.mark.parametrize(
    ("scenario", "days"),
    [
        ("home-california", 1),
        pytest.param("home-california", 20, marks=STUDY),
        pytest.param("depot-workplace", 50, marks=STUDY),
    ],
)
def test_days_through_http_cost_what_evaluate_says(tmp_path: Path, scenario: str, days: int) -> None:
    bundle = write_bundle(tmp_path / "bundle", model(), manifest())
    drawn = draw_days(DayRequest(scenario, days=days))
    options = ["--settings", "simulated"]
    if drawn.reserve is not None:
        options += ["--set", f"reserve.headroom_factor={drawn.reserve.headroom_factor}"]
        options += ["--set", f"reserve.expected_arrivals_factor={drawn.reserve.expected_arrivals_factor}"]
    policy, projector = BundlePolicy(bundle), make_projector("numpy", drawn.reserve)
    with (
        running(tmp_path, str(bundle.folder), *options) as server,
        httpx.Client(base_url=server.url, timeout=30.0, trust_env=False) as client,
    ):
        costs = [play(client, day, f"day-{at}", policy, projector) for at, day in enumerate(drawn.scenarios)]
    expected = evaluate(scenario, [f"mine={bundle.folder}"], days=days, workers=1, backend="numpy").headline["mine"]
    assert expected["net_cost_usd"] == pytest.approx(sum(costs), rel=1e-9, abs=1e-6)
    ledger = Ledger(str(tmp_path / "ledger.db"))
    found = verify(ledger, replay=days == 1)
    assert found.whole, found.problems
    assert found.cycles == sum(simulated.n_steps for simulated in drawn.scenarios)
    ledger.close()
