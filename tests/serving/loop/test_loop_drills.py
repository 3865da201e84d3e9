"""Fault drills of the loop on a simulated day, each a test and a line in a table.

The chargers and the day go by the true time, the loop by its own clock; limits, exports and departures are judged by
the simulator's ledger and by each answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import pytest

from ebbflow.agents.rules import CheapestHours, Fallback
from ebbflow.envs.snapshot import Snapshot
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.loop.deciders import InProcess, Unreachable
from ebbflow.serving.loop.loop import CycleReport, Loop
from ebbflow.serving.loop.schedule import Schedule
from ebbflow.serving.loop.watch import Cause
from ebbflow.serving.messages.answer import PortDecisions
from ebbflow.serving.messages.vocabulary import Mode, ServiceState
from ebbflow.serving.ports.port import PortError, Receipt, SiteState
from ebbflow.serving.ports.simulated import SimulatedPort

from ..core.fuzz import assert_answer_safe  # noqa: TID252
from .fleets import kit_of, small_day

FIRST, LAST = 8, 60
WATCH_S = 30.0
MISSED_KWH = 0.05
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

    def report(self, made: CycleReport) -> None:
        self.unanswered += made.answer is None
        self.called += made.cause is Cause.LIMIT
        if made.answer is not None and made.answer.state is ServiceState.LEDGER_DOWN:
            assert not (made.answer.decisions.mode == Mode.EXPORT).any()


Change = Callable[[World, int], None]


def fault(name: str, first: int = FIRST, last: int = LAST) -> Change:
    def change(world: World, step: int) -> None:
        world.fault = name if first <= step < last else ""

    return change


def clock(ahead_s: float, first: int = FIRST, last: int = LAST) -> Change:
    def change(world: World, step: int) -> None:
        world.ahead_s = ahead_s if first <= step < last else 0.0

    return change


def cut(world: World, step: int) -> None:
    world.cut_kw = 14.0 if step % 8 >= 2 else np.inf  # every two hours, again and again


@dataclass(frozen=True)
class Drill:
    name: str
    change: Change
    watch_s: float = 300.0


DRILLS = [
    Drill("no fault", fault("")),
    Drill("clock forward an hour", clock(3600.0)),
    Drill("clock back an hour", clock(-3600.0)),
    Drill("clock back 90 seconds", clock(-90.0)),
    Drill("clock forward a minute a day", lambda world, step: setattr(world, "ahead_s", 0.7 * step)),
    Drill("telemetry repeated, 45 minutes", fault("repeated", 8, 11)),
    Drill("telemetry reordered", fault("reordered")),
    Drill("telemetry of the future", fault("of the future")),
    Drill("limit cut between two cycles", cut, watch_s=WATCH_S),
    Drill("site not to be read, 15 minutes", fault("site gone", 20, 21)),
    Drill("service gone", fault("service gone")),
    Drill("chargers refuse two of three", fault("chargers refuse", 8, 10)),
]


class Row(NamedTuple):
    name: str
    cycles: int
    unanswered: int
    called: int
    exports: int
    over_s: float
    overload_kwh: float
    unserved_kwh: float


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Rows of the drills that ran, printed when all have."""
    rows: list[Row] = []
    yield rows
    out = request.config.pluginmanager.get_plugin("terminalreporter")
    head = f"{'drill of the loop':34}{'cycles':>8}{'no answer':>11}{'called':>8}{'exports':>9}{'over s':>8}"
    out.write_line("")
    out.write_line(f"{head}{'overload kWh':>14}{'unserved kWh':>14}")
    for r in rows:
        line = f"{r.name:34}{r.cycles:8d}{r.unanswered:11d}{r.called:8d}{r.exports:9d}{r.over_s:8.0f}"
        out.write_line(f"{line}{r.overload_kwh:14.3f}{r.unserved_kwh:14.3f}")


@pytest.fixture(scope="module")
def day() -> Any:
    return small_day()


@pytest.fixture(scope="module")
def by_rules(day: Any) -> Row:
    """The day by the rules alone, without a fault."""
    return play(Drill("rules", fault("")), day, Fallback((16.0, 21.0)))


def play(drill: Drill, day: Any, policy: Any = None) -> Row:
    """The day through the loop, with the fault on from one step to another, each beginning between two cycles."""
    world = World(day, policy or Eager())
    schedule = Schedule(world.inner.interval_s, world.zone)
    loop = Loop(
        "drill", world, world, schedule, world, last_resort=world.rules, watch_s=drill.watch_s, report=world.report
    )  # fmt: skip
    cycles = 0
    while world.step < world.inner.steps - 1:
        loop.run(1)
        cycles += 1
        world.step = int((world.true_s - world.inner.start_s) // world.inner.interval_s)
        world.sleep(400.0 - (world.true_s - world.inner.start_s) % 100.0)
        drill.change(world, world.step)
    world.inner.advance(np.inf)
    tallies = world.inner.ledger().tallies
    told = (world.unanswered, world.called, world.exports, world.longest_over_s)
    return Row(drill.name, cycles, *told, tallies["overload_kwh"], tallies["unserved_kwh"])


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_nothing_breaks_and_nobody_is_late(drill: Drill, day: Any, by_rules: Row, table: list[Row]) -> None:
    row = play(drill, day)
    table.append(row)
    assert row.overload_kwh <= 1e-6
    assert row.over_s <= drill.watch_s
    if drill.change is cut:
        assert row.called > 0
        by_rules = play(drill, day, Fallback((16.0, 21.0)))  # who may not be able to serve everybody either
    assert (row.unanswered > 0) == (drill.name == "site not to be read, 15 minutes")
    assert row.unserved_kwh <= by_rules.unserved_kwh + MISSED_KWH
    assert row.cycles > 50
