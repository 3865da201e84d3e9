"""The loop by itself: what it retries, what it gives up, when it hurries, and how it stops."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from ebbflow.serving.loop.clock import SimulatedClock
from ebbflow.serving.loop.cycle import CycleReport
from ebbflow.serving.loop.deciders import InProcess, Refused, Taken, Unreachable
from ebbflow.serving.loop.loop import Loop
from ebbflow.serving.loop.schedule import Schedule
from ebbflow.serving.loop.watch import Cause
from ebbflow.serving.messages.answer import PortDecisions
from ebbflow.serving.messages.vocabulary import ServiceState
from ebbflow.serving.ports.port import PortError, Receipt, SiteState, all_accepted
from ebbflow.serving.ports.prices.source import PriceError

from ..core.small_fleet import START, Says, Service, document  # noqa: TID252

START_S = START.timestamp()


class Site:
    """The small fleet, and what it was sent."""

    def __init__(self) -> None:
        self.changes: dict[str, Any] = {}
        self.sent: list[PortDecisions] = []
        self.reads, self.closed = 0, False
        self.failure: Exception | None = None
        self.without: tuple[str, ...] = ()

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        made = document(**self.changes)
        left_out = ("fleet", "cycle_start", "interval_s", *self.without)
        return SiteState({name: table for name, table in made.items() if name not in left_out})

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        if self.closed:
            raise PortError("closed")
        self.sent.append(decisions)
        return all_accepted(decisions)

    def close(self) -> None: ...


class Flaky:
    """A service that fails so many times."""

    def __init__(self, failures: int = 0, error: Exception | None = None, answer: Any = 5.0) -> None:
        self.inner, self.asked = InProcess(Service(Says(answer)).kit), 0
        self.failures, self.error = failures, error or Unreachable("busy")
        self.takes_s, self.clock = 0.0, SimulatedClock(0.0)

    def decide(self, request: Any, now_s: float) -> Any:
        self.asked += 1
        if self.failures > 0:
            self.failures -= 1
            raise self.error
        self.clock.sleep(self.takes_s)
        return self.inner.decide(request, now_s)

    def close(self) -> None: ...


class Rig:
    def __init__(self, decider: Any = None, clock: Any = None, **more: Any) -> None:
        self.site, self.clock, self.reports = Site(), clock or SimulatedClock(START_S), list[CycleReport]()
        self.decider = decider or Flaky()
        self.decider.clock = self.clock
        self.loop = Loop(
            "f", self.site, self.decider, Schedule(900, START.tzinfo), self.clock, report=self.reports.append, **more  # type: ignore[arg-type]
        )  # fmt: skip

    def run(self, cycles: int = 1) -> CycleReport:
        self.loop.run(cycles)
        return self.reports[-1]


def test_every_cycle_renews_every_lease_and_says_what_is_new() -> None:
    rig = Rig()
    assert (rig.run().sent, rig.reports[0].new) == (3, 3)
    assert (rig.run().sent, rig.reports[1].new) == (3, 0)
    ends = [decisions.valid_until_s[0] for decisions in rig.site.sent]
    np.testing.assert_allclose(np.diff(ends), 900.0)


def test_a_busy_service_is_asked_again_and_the_same_cycle_is_answered() -> None:
    rig = Rig(Flaky(failures=3))
    made = rig.run()
    assert made.answer is not None
    assert (rig.decider.asked, rig.clock.now_s() - START_S) == (4, 1.0 + 2.0 + 4.0)
    assert made.answer.cycle_start_s == START_S


def test_a_service_that_stays_away_is_replaced_by_the_rules_without_export() -> None:
    last = InProcess(Service().kit, ledger_up=False)
    rig = Rig(Flaky(failures=99, answer=-5.0), last_resort=last)
    made = rig.run()
    assert made.answer is not None
    assert made.answer.state is ServiceState.LEDGER_DOWN
    assert rig.clock.now_s() - START_S <= 180.0
    assert (np.nan_to_num(rig.site.sent[0].setpoint_kw) >= 0).all()
    assert "cannot be reached: busy" in made.problems[0]
    rig.decider.failures = 0
    assert rig.run().answer.state is ServiceState.AUTO  # type: ignore[union-attr]


def test_a_refusal_is_final() -> None:
    rig = Rig(Flaky(failures=1, error=Refused("400 no request")))
    made = rig.run()
    assert made.answer is None
    assert (rig.decider.asked, rig.site.sent) == (1, [])
    assert "refused the cycle: 400 no request" in made.problems[0]
    assert rig.run().sent == 3


REFUSALS = [(Refused("404 no such place"), 1), (Taken("422 off the service's clock"), 2)]


@pytest.mark.parametrize(("error", "asked"), REFUSALS, ids=["refused", "taken twice"])
def test_a_service_that_refuses_is_replaced_by_the_rules_without_export(error: Exception, asked: int) -> None:
    last = InProcess(Service().kit, ledger_up=False)
    rig = Rig(Flaky(failures=99, error=error, answer=-5.0), last_resort=last)
    for cycle in (1, 2):
        made = rig.run()
        assert (made.sent, rig.decider.asked) == (3, asked * cycle)
        assert made.answer.state is ServiceState.LEDGER_DOWN  # type: ignore[union-attr]
        assert (np.nan_to_num(rig.site.sent[-1].setpoint_kw) >= 0).all()
        assert any(f"refused the cycle: {error}" in problem for problem in made.problems)


def test_a_start_that_was_answered_before_is_asked_for_a_second_later() -> None:
    rig = Rig(Flaky(failures=1, error=Taken("409 answered already")))
    made = rig.run()
    assert (made.sent, made.answer.cycle_start_s) == (3, START_S + 1.0)  # type: ignore[union-attr]
    assert made.problems[0] == "409 answered already; asked again for a second later"
    assert rig.run().start_s == START_S + 900.0
    rig.decider.failures = 2
    made = rig.run()
    assert made.answer is None
    assert "refused the cycle: 409" in made.problems[1]


def test_an_answer_whose_leases_have_ended_is_not_sent() -> None:
    rig = Rig()
    rig.decider.takes_s = 1801.0
    made = rig.run()
    assert rig.site.sent == []
    assert "1801 s late" in made.problems[-1]


def test_a_site_that_cannot_be_read_is_decided_for_by_what_it_told() -> None:
    rig = Rig(watch_s=30.0)
    rig.run()
    rig.site.failure = PortError("gone")
    made = rig.run()
    assert (made.sent, made.start_s) == (3, START_S + 900.0), "leases are renewed"
    assert made.problems[0] == "the site: gone; decided by what it told at 12:00:00"
    rig.clock.sleep(100.0)
    rig.site.failure = None
    made = rig.run()
    assert (made.cause, made.problems) == (Cause.BACK, ())
    assert made.start_s == START_S + 900.0 + 130.0
    rig.site.failure = PortError("gone")
    reports = [rig.run() for _ in range(10)]
    assert [report.answer is not None for report in reports] == [True] * 8 + [False] * 2, "two hours"
    exports = Rig(Flaky(answer=-5.0))
    exports.run()
    exports.site.failure = PortError("gone")
    exports.run(2)
    assert [(sent.setpoint_kw < 0).all() for sent in exports.site.sent] == [True, False, False], "by no old reading"


@pytest.mark.parametrize("odd", [False, True])
def test_what_nobody_could_be_reached_for_is_sent_within_the_watch(odd: bool) -> None:
    class Opens(SimulatedClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            rig.site.closed = self.now_s() < START_S + 100.0

    rig = Rig(clock=Opens(START_S), watch_s=30.0)
    rig.site.closed = True
    made = rig.run()
    assert (made.sent, made.problems) == (0, ("the site: closed",))
    if odd:
        rig.site.apply = lambda *_: 1 / 0  # type: ignore[assignment,method-assign]
        assert "ZeroDivisionError" in rig.run().problems[0], "the loop goes on"
        return
    rig.run()
    again, following = rig.reports[1:]
    assert (again.cause, again.start_s, again.sent) == (Cause.OWED, START_S, 3)
    assert (following.cause, following.start_s) == (Cause.SCHEDULE, START_S + 900.0)
    assert len(rig.site.sent) == 2


@pytest.mark.parametrize("error", [PortError("gone"), ZeroDivisionError("ours")])
def test_whatever_fails_costs_its_cycle_alone(error: Exception) -> None:
    rig = Rig()
    rig.site.failure = error
    assert rig.run().answer is None
    assert str(error) in rig.reports[0].problems[0]
    rig.site.failure = None
    assert rig.run().sent == 3


def test_a_state_that_no_request_can_be_made_of_is_told() -> None:
    rig = Rig()
    rig.site.changes = {"ports__soc": [0.5]}
    assert "ports.soc has 1 rows" in rig.run().problems[0]


def test_a_dry_run_sends_nothing() -> None:
    rig = Rig(dry_run=True, watch_s=30.0)
    rig.run(3)
    assert rig.site.sent == []
    assert all(report.answer is not None and report.sent == 0 for report in rig.reports)
    assert rig.site.reads == 3


class NoPrices:
    def table(self, start: datetime, interval_s: int, now_s: float) -> Any:
        raise PriceError("market.csv: No such file")


def test_prices_that_cannot_be_had_are_told_and_the_cycle_goes_on() -> None:
    rig = Rig(prices=NoPrices())
    assert not rig.run().problems, "the site tells its own"
    rig.site.without = ("prices",)
    made = rig.run()
    assert made.sent == 3
    assert made.problems[0] == "prices: market.csv: No such file"


def test_a_limit_that_is_cut_calls_for_a_cycle_within_the_watch() -> None:
    rig = Rig(watch_s=30.0)
    rig.run()
    rig.site.changes = {"sites__import_limit_kw": [[6.0]]}
    made = rig.run()
    assert made.cause is Cause.LIMIT
    assert made.start_s == START_S + 30.0
    assert np.nansum(rig.site.sent[-1].setpoint_kw) <= 6.0
    assert rig.run().start_s == START_S + 900.0, "and then on the grid again"


def test_a_car_that_comes_is_decided_for_within_the_watch() -> None:
    rig = Rig(watch_s=30.0)
    rig.site.changes = {"ports__plugged": [False, True, True]}
    rig.run()
    rig.site.changes = {}
    made = rig.run()
    assert (made.cause, made.start_s, made.sent) == (Cause.ARRIVAL, START_S + 30.0, 3)
    assert rig.run().start_s == START_S + 900.0


def test_exports_that_pass_a_cut_limit_call_too() -> None:
    rig = Rig(Flaky(answer=-5.0), watch_s=30.0)
    rig.run()
    assert np.nansum(rig.site.sent[-1].setpoint_kw) == -15.0
    rig.site.changes = {"sites__export_limit_kw": [[4.0]]}
    assert rig.run().cause is Cause.LIMIT
    assert np.nansum(rig.site.sent[-1].setpoint_kw) >= -4.0


def test_a_site_that_is_over_its_limit_by_itself_calls_for_nothing() -> None:
    rig = Rig(Flaky(answer=0.0), watch_s=30.0)
    rig.run()
    rig.site.changes = {"sites__import_limit_kw": [[6.0]], "sites__net_load_kw": [50.0]}
    assert rig.run().cause is Cause.SCHEDULE


def test_told_to_stop_it_ends_after_the_cycle_that_has_begun() -> None:
    rig = Rig()

    def stop(made: CycleReport) -> None:
        rig.reports.append(made)
        rig.loop.stopping = len(rig.reports) == 2

    rig.loop.report = stop
    rig.loop.run()
    assert [report.sent for report in rig.reports] == [3, 3]
    assert rig.loop.standing.last_end_s() == START_S + 900.0 + 1800.0
