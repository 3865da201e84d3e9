"""The loop itself: read, ask, hand over, renew; whatever fails costs its cycle and is told, and the leases run out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..messages.answer import DispatchAnswer
from ..messages.columns import RequestError
from ..messages.request import DispatchRequest
from ..messages.vocabulary import DecisionReason
from ..ports.port import PortError, Receipt, SitePort
from ..ports.prices import PriceSource
from .clock import Clock
from .cycle import CycleReport, price_note
from .deciders import Decider, Refused, Taken, Unreachable
from .reader import Reader
from .schedule import Schedule
from .standing import Standing
from .watch import Cause, called_for

Array = Any
log = logging.getLogger("ebbflow.serving.loop")

RETRY_SHARE = 0.2
"""Of an interval: how long the same request is sent again before the last resort decides."""

FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 30.0


@dataclass
class Loop:
    """A fleet under dispatch.

    Args:
        fleet: its name.
        port: the site.
        decider: who decides.
        schedule: when.
        clock: the time.
        prices: beside those that the site tells; None: none.
        last_resort: who decides where the decider cannot be reached or refuses; None: nobody, and the leases run out.
        dry_run: nothing is handed over.
        watch_s: how often the site is looked at between two cycles; None: never.
        report: told of every cycle.
    """

    fleet: str
    port: SitePort
    decider: Decider
    schedule: Schedule
    clock: Clock
    prices: PriceSource | None = None
    last_resort: Decider | None = None
    dry_run: bool = False
    watch_s: float | None = None
    report: Callable[[CycleReport], None] = lambda made: None
    stopping: bool = False
    standing: Standing = field(default_factory=Standing)
    _last_s: float | None = None
    _absent: frozenset[str] = frozenset()
    _owed: tuple[DispatchRequest, DispatchAnswer] | None = None

    def __post_init__(self) -> None:
        self._reader = Reader(self.fleet, self.port, self.prices, self.schedule, self.clock)

    def run(self, cycles: int | None = None) -> None:
        """Go on until told to stop, or for so many cycles; a cycle that has begun is finished."""
        while not self.stopping and cycles != 0:
            cause = self._wait()
            if cause is None:
                return
            start_s = self._next_s() if cause is Cause.SCHEDULE else float(int(self.clock.now_s()))
            made = self._guarded(start_s, cause)
            self._last_s = start_s
            self.report(made)
            cycles = None if cycles is None else cycles - 1

    def _next_s(self) -> float:
        return self.schedule.next_start_s(self.clock.now_s(), self._last_s)

    def _wait(self) -> Cause | None:
        """Wait for the next cycle; returns why it begins, None where the loop is to stop."""
        looked_s = self.clock.now_s()
        while not self.stopping:
            now_s = self.clock.now_s()
            left_s = self._next_s() - now_s
            if left_s <= 0.0:
                return Cause.SCHEDULE
            if self.watch_s is not None and now_s - looked_s >= self.watch_s:
                looked_s = now_s
                self._send_again()
                if (cause := self._look(float(int(now_s)))) is not None:
                    return cause
            # In short sleeps: the clock may be put forward or back meanwhile.
            self.clock.sleep(min(left_s, self.watch_s or left_s, self.schedule.skew_s))
        return None

    def _look(self, at_s: float) -> Cause | None:
        """Whether the site calls for a cycle before its time."""
        if self._last_s is None or at_s <= self._last_s or self.dry_run:
            return None
        try:
            request = self._reader.request(at_s, [], fresh=True)
        except Exception:
            return None  # the next cycle tells
        if self._reader.blind:
            return Cause.BACK
        return called_for(request, self.standing.setpoints_kw(request.ports.id, at_s), self._absent)

    def _guarded(self, start_s: float, cause: Cause) -> CycleReport:
        try:
            return self._cycle(start_s, cause)
        except Exception as error:  # a fault of ours or of a port costs this cycle, never the loop
            log.exception("cycle failed")
            return CycleReport(start_s, problems=(f"the cycle failed: {type(error).__name__}: {error}",), cause=cause)

    def _cycle(self, start_s: float, cause: Cause) -> CycleReport:
        problems: list[str] = []
        self._owed = None
        try:
            request = self.standing.told(self._reader.request(start_s, problems))
        except (PortError, RequestError) as error:
            return CycleReport(start_s, problems=(*problems, f"the site: {error}"), cause=cause)
        try:
            answer = self._decided(request, problems)
        except Taken as error:
            # After a clock was wrong, a start may come twice; the answer is then that of another time.
            problems.append(f"{error}; asked again for a second later")
            request = replace(request, cycle_start=self.schedule.local(start_s + 1.0))
            answer = self._decided_once_more(request, problems)
        if answer is None:
            return CycleReport(start_s, problems=tuple(problems), cause=cause, prices=price_note(request))
        problems += answer.problems
        self._absent = frozenset(request.ports.id[request.ports.plugged != 1].tolist())
        return self._sent(request, answer, problems, cause)

    def _sent(self, request: DispatchRequest, answer: DispatchAnswer, problems: list[str], cause: Cause) -> CycleReport:
        """Hand set-points over, and tell of it."""
        receipt = self._handed_over(request, answer, problems)
        steered = receipt.accepted & (answer.decisions.reason != DecisionReason.EMPTY)
        sent, new = int(steered.sum()), int((steered & answer.decisions.command_due).sum())
        told = (receipt.refused, tuple(problems), cause, price_note(request))
        return CycleReport(request.start_s, answer, sent, new, *told)

    def _send_again(self) -> None:
        """Hand over what nobody could be reached for, while its cycle lasts."""
        if self._owed is None:
            return
        try:
            made = self._sent(*self._owed, [], Cause.OWED)
        except Exception:  # as in a cycle: it costs this try
            log.exception("sending again failed")
            return
        if self._owed is None:
            self.report(made)

    def _decided(self, request: DispatchRequest, problems: list[str]) -> DispatchAnswer | None:
        until_s, wait_s = self.clock.now_s() + RETRY_SHARE * request.interval_s, FIRST_RETRY_S
        while True:
            try:
                return self.decider.decide(request, self.clock.now_s())
            except Taken:
                raise
            except Refused as error:
                problems.append(f"the service refused the cycle: {error}")
                return self._by_last_resort(request, problems)
            except Unreachable as error:
                if self.stopping or self.clock.now_s() + wait_s > until_s:
                    problems.append(f"the service cannot be reached: {error}")
                    return self._by_last_resort(request, problems)
            self.clock.sleep(wait_s)
            wait_s = min(2.0 * wait_s, LONGEST_RETRY_S)

    def _decided_once_more(self, request: DispatchRequest, problems: list[str]) -> DispatchAnswer | None:
        try:
            return self._decided(request, problems)
        except Taken as error:
            problems.append(f"the service refused the cycle: {error}")
            return self._by_last_resort(request, problems)

    def _by_last_resort(self, request: DispatchRequest, problems: list[str]) -> DispatchAnswer | None:
        if self.last_resort is None:
            return None
        try:
            return self.last_resort.decide(request, self.clock.now_s())
        except Refused as error:
            problems.append(f"the rules in this process refused the cycle: {error}")
            return None

    def _handed_over(self, request: DispatchRequest, answer: DispatchAnswer, problems: list[str]) -> Receipt:
        nothing = Receipt(np.zeros(request.n_ports, bool))
        self._owed = None
        if self.dry_run:
            return nothing
        now_s = self.clock.now_s()
        if (answer.decisions.valid_until_s <= now_s).all():
            problems.append(
                f"the answer came {now_s - request.start_s:.0f} s late, when its leases had ended; not sent"
            )
            return nothing
        try:
            receipt = self.port.apply(answer.decisions, now_s)
        except PortError as error:
            problems.append(f"the site: {error}")
            self._owed = (request, answer)
            return nothing
        self.standing.after(request, answer.decisions, receipt)
        return receipt
