"""Fault drills of the loop on a simulated day, each a test and a line in a table.

The chargers and the day go by the true time, the loop by its own clock; limits, exports and departures are judged by
the simulator's ledger and by each answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from ebbflow.agents.rules import Fallback

from .fleets import small_day
from .world import Eager, World

FIRST, LAST = 8, 60
WATCH_S = 30.0
MISSED_KWH = 0.05


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
    Drill("site not to be read, 90 minutes", fault("site gone", 20, 26)),
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
    loop, cycles = world.loop(drill.watch_s), 0
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
    assert row.unanswered == 0
    assert row.unserved_kwh <= by_rules.unserved_kwh + MISSED_KWH
    assert row.cycles > 50
