"""A simulated site with the true time, a loop with a clock of its own, and a service, any of which may fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from ebbflow.agents.rules import CheapestHours
from ebbflow.envs.snapshot import Snapshot
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.loop.cycle import CycleReport
from ebbflow.serving.loop.deciders import InProcess, Unreachable
from ebbflow.serving.loop.loop import Loop
from ebbflow.serving.loop.schedule import Schedule
from ebbflow.serving.loop.watch import Cause
from ebbflow.serving.messages.answer import PortDecisions
from ebbflow.serving.messages.vocabulary import Mode, ServiceState
from ebbflow.serving.ports.port import PortError, Receipt, SiteState
from ebbflow.serving.ports.simulated import SimulatedPort

from ..core.fuzz import assert_answer_safe  # noqa: TID252
from .fleets import kit_of

ECONOMY_OFF = "economy.enabled=false"


class Eager(CheapestHours):
    """Cheapest hours, and export from every second car whenever it is asked."""

    def act(self, snapshot: Snapshot) -> Any:
        wish = super().act(snapshot)
        return np.where((np.arange(snapshot.n_ports) % 2 == 0) & (wish == 0), -8.0, wish)


class World:
    """The true time, the loop's clock beside it, the site and the service, with whatever fault is on."""

    def __init__(self, drawn: Any, policy: Any) -> None:
        self.inner, self.settings = SimulatedPort(drawn.scenarios[0]), load_serving("default", (ECONOMY_OFF,))
        self.true_s, self.zone = self.inner.start_s, drawn.scenarios[0].start.tzinfo
        self.decider = InProcess(kit_of(drawn, policy, "default", ECONOMY_OFF))
        self.rules = InProcess(kit_of(drawn, None, "default", ECONOMY_OFF), ledger_up=False)
        self.ahead_s, self.fault, self.step = 0.0, "", 0
        self.told: SiteState | None = None
        self.cut_kw, self.over_s, self.longest_over_s = np.inf, 0.0, 0.0
        self.exports = self.unanswered = self.called = 0

    # the clock
    def now_s(self) -> float:
        return self.true_s + self.ahead_s

    def sleep(self, seconds: float) -> None:
        self.true_s += seconds
        self.inner.advance(self.true_s)
        over = self.inner.drawn_kw().sum() > self.cut_kw + 1e-6
        self.over_s = self.over_s + seconds if over else 0.0
        self.longest_over_s = max(self.longest_over_s, self.over_s)

    # the site
    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        if self.fault == "site gone":
            raise PortError("gone")
        true = datetime.fromtimestamp(int(self.true_s), self.zone)
        made = SiteState(self.inner.read(true, interval_s, self.true_s).document, true)
        if self.fault == "repeated" and self.told is not None:
            return self.told
        if self.fault == "reordered" and self.told is not None and self.step % 2:
            return self.told
        self.told = made
        if self.fault == "of the future":
            return replace(made, as_of=datetime.fromtimestamp(self.true_s + 3600, self.zone))
        if np.isfinite(self.cut_kw):
            cut = {"net_load_kw": [0.0], "import_limit_kw": [[self.cut_kw]]}
            return SiteState({**made.document, "feeders": made.document["feeders"] | cut}, true)
        return made

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        if self.fault == "chargers refuse" and self.step % 3:
            raise PortError("nobody takes anything")
        # Who reads set-points takes their leases from when they were sent, by a clock of its own.
        return self.inner.apply(decisions._replace(valid_until_s=decisions.valid_until_s - self.ahead_s), self.true_s)

    def close(self) -> None: ...

    # the service
    def decide(self, request: Any, now_s: float) -> Any:
        if self.fault == "service gone":
            raise Unreachable("gone")
        answer = self.decider.decide(request, now_s)
        assert_answer_safe(request, answer, self.settings)
        self.exports += int((answer.decisions.mode == Mode.EXPORT).sum())
        return answer

    def loop(self, watch_s: float) -> Loop:
        """The loop over it all."""
        schedule = Schedule(self.inner.interval_s, self.zone)
        return Loop(
            "drill", self, self, schedule, self, last_resort=self.rules, watch_s=watch_s, report=self.report
        )  # fmt: skip

    def report(self, made: CycleReport) -> None:
        self.unanswered += made.answer is None
        self.called += made.cause is Cause.LIMIT
        if made.answer is not None and made.answer.state is ServiceState.LEDGER_DOWN:
            assert not (made.answer.decisions.mode == Mode.EXPORT).any()
