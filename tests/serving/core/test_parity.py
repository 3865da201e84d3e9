"""A simulated day through request, JSON and cycle gets the set-points that it gets in process, economy off and on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.decide import decide
from ebbflow.agents.economy import Economy, Sent
from ebbflow.agents.rules import CheapestHours, Fallback, LeastLaxity
from ebbflow.envs.safety.projection import make_projector
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.serving.core.cycle import dispatch, make_kit
from ebbflow.serving.core.memory import new_memory
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import canonical_json, parse_request, read_json, request_document, request_of


class Swings(CheapestHours):
    """Charges and exports in turn, to try every gate of export."""

    def act(self, snapshot: Snapshot) -> Any:
        step = int(snapshot.context.seconds_of_day[0] // 900)
        return np.where(np.arange(snapshot.n_ports) % 3 == step % 3, -20.0, super().act(snapshot))


CASES = [
    ("home-california", Swings, False),
    ("home-california", Swings, True),
    ("depot-workplace", Swings, True),
    ("depot-workplace", Fallback, False),
]


@pytest.mark.parametrize(("scenario", "policy", "on"), CASES, ids=lambda x: getattr(x, "__name__", str(x)))
def test_a_day_is_the_same_in_process_and_through_the_cycle(scenario: str, policy: Any, on: bool) -> None:
    drawn = draw_days(DayRequest(scenario, first_day=190))
    day = drawn.scenarios[0]
    overrides = [f"economy.enabled={str(on).lower()}", "economy.commands_per_day=6"]
    overrides += [f"reserve.headroom_factor={drawn.reserve.headroom_factor}"] if drawn.reserve else []
    overrides += [f"reserve.expected_arrivals_factor={drawn.reserve.expected_arrivals_factor}"] if drawn.reserve else []
    kit = make_kit(load_serving("simulated", tuple(overrides)), InlineRunner(policy()))
    economy = Economy(0.5, 600.0, 6) if on else None
    projector, simulator, memory = make_projector("numpy", drawn.reserve), Simulator(day), new_memory()
    simulator.reset()
    sent = Sent.nothing((1, simulator.n_ports))
    for step in range(simulator.n_steps):
        at = day.start + timedelta(minutes=step * day.interval_minutes)
        now_s = at.timestamp()
        snapshot = simulator.snapshot()
        last = snapshot.ports.last_setpoint_kw
        sent = Sent(last.copy(), sent.changed_s)
        snapshot = replace(
            snapshot, ports=snapshot.ports._replace(setpoint_age_s=np.nan_to_num(sent.age_s(now_s), posinf=0))
        )
        here = decide(snapshot, policy(), LeastLaxity(), projector, now_s, economy=economy)
        request = parse_request(read_json(canonical_json(request_document(request_of(snapshot, at)))))
        outcome = dispatch(request, memory, kit, now_s)
        memory, plugged = outcome.memory, snapshot.ports.plugged[0]
        there = outcome.answer.decisions.setpoint_kw
        np.testing.assert_array_equal(np.where(plugged, here.applied_kw[0], 0.0), there, err_msg=f"step {step}")
        assert outcome.answer.state.word == "auto", outcome.answer.problems
        sent = sent.after(here.applied_kw, now_s)
        simulator.step(here.applied_kw)
