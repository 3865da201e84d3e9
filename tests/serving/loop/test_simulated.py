"""A simulated day through the loop costs what it costs in process, and its chargers end leases by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ebbflow.agents.economy import Economy
from ebbflow.agents.rules import CheapestHours, Fallback
from ebbflow.agents.run import run_days
from ebbflow.serving.loop.deciders import InProcess, Unreachable

from .fleets import kit_of, simulated_loop, small_day


@pytest.mark.parametrize("economical", [False, True])
@pytest.mark.parametrize(("scenario", "policy"), [("home-california", CheapestHours), ("depot-workplace", Fallback)])
def test_a_day_through_the_loop_costs_the_same_dollars(scenario: str, policy: Any, economical: bool) -> None:
    drawn = small_day(scenario, "ports=12")
    economy = Economy(0.5, 600.0, 6) if economical else None
    straight = run_days(drawn.scenarios[0], policy(), backend="numpy", reserve=drawn.reserve, economy=economy)
    on = (f"economy.enabled={str(economical).lower()}", "economy.commands_per_day=6")
    loop, port, reports = simulated_loop(drawn, decider=InProcess(kit_of(drawn, policy(), "simulated", *on)))
    loop.run(port.steps)
    port.advance(np.inf)
    assert port.done
    assert port.ledger().usd == straight.ledgers[0].usd
    assert not any(report.problems for report in reports)


@pytest.mark.parametrize("date", ["2026-03-07", "2026-10-31"])
def test_a_night_of_23_or_25_hours_costs_the_same_dollars(date: str) -> None:
    drawn = small_day("home-california", "ports=12", f"period_first={date}", f"period_last={date}")
    straight = run_days(drawn.scenarios[0], Fallback((16.0, 21.0)), backend="numpy", reserve=drawn.reserve)
    loop, port, reports = simulated_loop(drawn, Fallback((16.0, 21.0)))
    loop.run(port.steps)
    port.advance(np.inf)
    offsets = {loop.schedule.local(report.start_s).utcoffset() for report in reports}
    assert len(offsets) == 2
    assert port.ledger().usd == straight.ledgers[0].usd


class Gone:
    """A decider that cannot be reached from a cycle on."""

    def __init__(self, decider: Any, answers: int) -> None:
        self.decider, self.left = decider, answers

    def decide(self, request: Any, now_s: float) -> Any:
        if self.left <= 0:
            raise Unreachable("no route to host")
        self.left -= 1
        return self.decider.decide(request, now_s)

    def close(self) -> None: ...


def test_leases_end_by_themselves_when_no_more_cycles_come() -> None:
    drawn = small_day()
    loop, port, reports = simulated_loop(drawn, decider=Gone(InProcess(kit_of(drawn, CheapestHours())), 20))
    loop.run(20)
    held = port.drawn_kw()
    loop.run(1)
    port.advance(port.start_s + 21 * port.interval_s)
    np.testing.assert_array_equal(port.drawn_kw(), held)  # the second of two cycles
    port.advance(port.start_s + 22 * port.interval_s)
    full = port._simulator.state.ports.max_charge_kw[0]
    assert (port.drawn_kw() == full).all()
    assert "cannot be reached" in reports[-1].problems[0]
    assert reports[-1].answer is None
