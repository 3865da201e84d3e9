"""Fault drills on a simulated day, each a test and a line in a table: an answer in time, nothing broken, nobody late.

What the core can be held to without HTTP and ledger: policy, prices, readings, clock, limits. A released car charges
by itself, at full power.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.agents.rules import CheapestHours, Fallback
from ebbflow.envs.simulator import Simulator
from ebbflow.envs.snapshot import Snapshot
from ebbflow.serving.core.cycle import CycleRefused, dispatch, make_kit
from ebbflow.serving.core.memory import new_memory
from ebbflow.serving.core.runners import InlineRunner, PolicyTimeout, Proposal
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import (
    DispatchRequest,
    canonical_json,
    parse_request,
    read_json,
    request_document,
    request_of,
)
from ebbflow.serving.messages.answer import ModelId
from ebbflow.serving.messages.vocabulary import Mode

from .fuzz import assert_answer_safe

DEADLINE_S = 1.0
MISSED_KWH = 0.05
"""A stay that lacks less counts as met (contracts 3)."""

SETTINGS = ("ports=12", "fleet.v2g_share=0.6", "feeder.import_limit_kw_per_port=4")
FIRST, LAST = 8, 60
"""Steps of the day in which a fault lasts."""

Change = Callable[[DispatchRequest, int], DispatchRequest]


class Eager(CheapestHours):
    """Cheapest hours, and export from every second car whenever it is asked."""

    def act(self, snapshot: Snapshot) -> Any:
        wish = super().act(snapshot)
        return np.where((np.arange(snapshot.n_ports) % 2 == 0) & (wish == 0), -8.0, wish)


def broken(answer: Any) -> Callable[[Snapshot], Any]:
    def act(snapshot: Snapshot) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return np.full((1, snapshot.n_ports), answer)

    return act


class Breaks(Eager):
    """Sound, but for the steps of the fault."""

    def __init__(self, fault: Callable[[Snapshot], Any]) -> None:
        self.fault, self.on = fault, False

    def act(self, snapshot: Snapshot) -> Any:
        return self.fault(snapshot) if self.on else super().act(snapshot)


class Late:
    """A runner that is ended at its limit while the fault lasts; it does not sleep through the test's time."""

    model = ModelId("late")

    def __init__(self) -> None:
        self.on = False

    def ask(self, request: DispatchRequest, snapshot: Snapshot, limit_s: float) -> Proposal:
        if self.on:
            raise PolicyTimeout(f"killed after {limit_s:g} s")
        return Proposal(Eager().act(snapshot)[0], np.zeros(snapshot.n_ports, bool))


def ports(**columns: Any) -> Change:
    def change(request: DispatchRequest, step: int) -> DispatchRequest:
        new = {
            name: value(request) if callable(value) else np.full(request.n_ports, value)
            for name, value in columns.items()
        }
        return replace(request, ports=request.ports._replace(**new))

    return change


def prices(change: Callable[[Any], Any]) -> Change:
    def changed(request: DispatchRequest, step: int) -> DispatchRequest:
        p = request.prices
        series = (change(p.import_usd_per_kwh.copy()), change(p.export_usd_per_kwh.copy()))
        return replace(request, prices=p._replace(import_usd_per_kwh=series[0], export_usd_per_kwh=series[1]))

    return changed


def gapped(series: Any) -> Any:
    series[:, 3:9] = np.nan
    return series


def cut(request: DispatchRequest, step: int) -> DispatchRequest:
    limits = np.fmin(request.sites.import_limit_kw, 4.0)
    return replace(request, sites=request.sites._replace(import_limit_kw=limits))


def late_prices(request: DispatchRequest, step: int) -> DispatchRequest:
    return replace(request, prices=request.prices._replace(published_age_s=300_000.0))


def shuffled(request: DispatchRequest, step: int) -> DispatchRequest:
    """Ports in another order every cycle."""
    order = np.random.default_rng(step).permutation(request.n_ports)
    return replace(request, ports=type(request.ports)(*(column[order] for column in request.ports)))


def nothing(request: DispatchRequest, step: int) -> DispatchRequest:
    return request


class Frozen:
    """Each stay's first SoC, told again and again as if it were new."""

    def __init__(self) -> None:
        self.first: Any = None

    def __call__(self, request: DispatchRequest) -> Any:
        p = request.ports
        if self.first is None:
            self.first = np.full(request.n_ports, np.nan)
        self.first = np.where(p.plugged == 1, np.where(np.isnan(self.first), p.soc, self.first), np.nan)
        return self.first


@dataclass(frozen=True)
class Drill:
    """One fault."""

    name: str
    change: Change = nothing
    runner: Callable[[], Any] = lambda: InlineRunner(Eager())
    sources: tuple[str, ...] = ("rules",)  # some of which must show while the fault lasts
    ledger_up: bool = True


def failing(answer: Any) -> Callable[[], Any]:
    return lambda: InlineRunner(Breaks(broken(answer)))


DRILLS = [
    Drill("no fault", sources=("policy",)),
    Drill("policy missing", runner=lambda: None),
    Drill("policy throws", runner=failing(OSError("x"))),
    Drill("policy slow", runner=Late),
    Drill("policy NaN", runner=failing(np.nan)),
    Drill("policy constant: export", runner=failing(-50.0), sources=("policy_clipped",)),
    Drill("policy constant: charge", runner=failing(50.0), sources=("policy_clipped",)),
    Drill("policy constant: pause", runner=failing(0.0), sources=("policy",)),
    Drill("prices missing", prices(lambda series: np.full_like(series, np.nan))),
    Drill("prices gapped", prices(gapped)),
    Drill("prices late", late_prices),
    Drill("prices negative", prices(lambda series: series - 2.0), sources=("policy",)),
    Drill("prices $5,000/MWh", prices(lambda series: np.full_like(series, 5.0)), sources=("policy",)),
    Drill("SoC frozen", ports(soc=Frozen())),
    Drill("SoC hours old", ports(soc_age_s=20_000.0)),
    Drill("SoC out of range", ports(soc=lambda r: np.where(np.isnan(r.ports.soc), np.nan, 7.0))),
    Drill("SoC lost", ports(soc=np.nan, need_kwh=np.nan)),
    Drill("readings of the future", ports(soc_age_s=-900.0, power_age_s=-900.0)),
    Drill("plug state hours old", ports(plugged_age_s=20_000.0), sources=("nobody",)),
    Drill("departures not said", ports(departs_in_s=np.nan)),
    Drill("ports reordered", shuffled, sources=("policy",)),
    Drill("limit cut between two cycles", cut, sources=("policy",)),
    Drill("ledger down", ledger_up=False),
]


class Row(NamedTuple):
    name: str
    cycles: int
    slowest_ms: float
    policy_share: float
    exports: int
    unserved_kwh: float


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Rows of the drills that ran, printed when all have."""
    rows: list[Row] = []
    yield rows
    out = request.config.pluginmanager.get_plugin("terminalreporter")
    lines = [f"{'drill':32}{'cycles':>8}{'slowest ms':>12}{'by policy %':>12}{'exports':>9}{'unserved kWh':>14}"]
    lines += [
        f"{r.name:32}{r.cycles:8d}{r.slowest_ms:12.1f}{100 * r.policy_share:12.1f}{r.exports:9d}{r.unserved_kwh:14.3f}"
        for r in rows
    ]
    for line in ["", *lines]:
        out.write_line(line)


@pytest.fixture(scope="module")
def day() -> Any:
    return draw_days(
        DayRequest(
            "home-california", ("ports=12", "fleet.v2g_share=0.6", "feeder.import_limit_kw_per_port=4"), first_day=190
        )
    )


@pytest.fixture(scope="module")
def by_rules(day: Any) -> Row:
    """The day by the rules alone, without a fault."""
    return play(Drill("rules", runner=lambda: InlineRunner(Fallback((16.0, 21.0))), sources=("policy",)), day)


def play(drill: Drill, day: Any) -> Row:
    """The day through the cycle, with the fault from `FIRST` to `LAST`."""
    scenario, runner = day.scenarios[0], drill.runner()
    kit = make_kit(load_serving("default", (f"deadline.answer_s={DEADLINE_S}", "economy.enabled=false")), runner)
    simulator, memory = Simulator(scenario), new_memory()
    simulator.reset()
    slowest, by_policy, cars, exports, seen = 0.0, 0, 0, 0, set()
    policy = getattr(runner, "_policy", runner)
    for step in range(simulator.n_steps):
        on = FIRST <= step < LAST
        if hasattr(policy, "on"):
            policy.on = on
        at = scenario.start + timedelta(minutes=step * scenario.interval_minutes)
        asked = request_of(simulator.snapshot(), at)
        asked = parse_request(read_json(canonical_json(request_document(drill.change(asked, step) if on else asked))))
        began = time.perf_counter()
        made = dispatch(asked, memory, kit, at.timestamp() + 5.0, ledger_up=drill.ledger_up or not on)
        slowest = max(slowest, time.perf_counter() - began)
        memory = made.memory
        assert_answer_safe(asked, made.answer, kit.settings, drill.ledger_up or not on)
        if on:
            seen |= set(made.answer.totals.by_source)
            counts = made.answer.totals.by_source
            by_policy += counts.get("policy", 0) + counts.get("policy_clipped", 0)
            cars += sum(counts.values())
            exports += int((made.answer.decisions.mode == Mode.EXPORT).sum())
        simulator.step(_driven(asked, made.answer)[None])
    assert set(drill.sources) & seen, f"{drill.name}: only {seen}"
    unserved = simulator.ledger(0).tallies["unserved_kwh"]
    return Row(drill.name, simulator.n_steps, 1000 * slowest, by_policy / max(cars, 1), exports, unserved)


def _driven(request: DispatchRequest, answer: Any) -> Any:
    """What the chargers do, in the order of the simulator's ports: a released car charges by itself."""
    setpoint = np.where(
        answer.decisions.mode == Mode.RELEASE, request.ports.max_charge_kw, answer.decisions.setpoint_kw
    )
    number = np.array([int(name[1:]) for name in request.ports.id])
    driven = np.zeros(request.n_ports)
    driven[number] = np.nan_to_num(setpoint)
    return driven


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_nothing_breaks_and_nobody_is_late(drill: Drill, day: Any, by_rules: Row, table: list[Row]) -> None:
    row = play(drill, day)
    table.append(row)
    assert row.slowest_ms < 1000 * DEADLINE_S
    assert row.unserved_kwh <= by_rules.unserved_kwh + MISSED_KWH


CLOCKS = {"back an hour": -3600.0, "forward an hour": 3600.0, "back a day": -86400.0}


@pytest.mark.parametrize("jump", CLOCKS)
def test_a_jump_of_the_senders_clock_is_refused_and_forgotten(jump: str, day: Any) -> None:
    scenario = day.scenarios[0]
    kit, simulator, memory = make_kit(load_serving("default")), Simulator(scenario), new_memory()
    simulator.reset()
    for step in range(4):
        at = scenario.start + timedelta(minutes=15 * step)
        asked = request_of(simulator.snapshot(), at)
        if step == 2:
            wrong = replace(asked, cycle_start=datetime.fromtimestamp(at.timestamp() + CLOCKS[jump], at.tzinfo))
            with pytest.raises(CycleRefused):
                dispatch(wrong, memory, kit, at.timestamp() + 5.0)
        memory = dispatch(asked, memory, kit, at.timestamp() + 5.0).memory
    assert memory.last_start_s == (scenario.start + timedelta(minutes=45)).timestamp()
