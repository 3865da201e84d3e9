"""One service: a cycle is decided, written, then answered; repeated, it is answered from the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..core.controls import Order, make_order
from ..core.cycle import Kit, Outcome, dispatch
from ..core.memory import Memory
from ..ledger.documents import answer_json, cycle_row, stored_answer, unsqueezed
from ..ledger.reader import LedgerDown, LedgerMoved, Row
from ..ledger.store import Ledger
from ..messages.answer import DispatchAnswer, answer_from
from ..messages.canonical import read_json
from ..messages.request import DispatchRequest, request_digest
from ..messages.vocabulary import ServiceState
from .fleets import Fleet
from .metrics import Metrics

TRIES = 5
"""At a cycle that other processes overtake."""

MOST_FLEETS = 1000
"""That a process keeps in mind."""

MISSED_S = 7 * 86400.0
"""After which nobody waits for a fleet's next cycle."""

Watcher = Callable[[DispatchRequest, Memory, Kit, DispatchAnswer], None]


class CycleConflict(ValueError):
    """This cycle was already answered, for another request."""


class ServiceBusy(Exception):
    """The fleet's last cycle is still being decided."""


@dataclass(frozen=True)
class Answered:
    """An answer on its way out.

    Args:
        answer: as columns.
        body: the same as canonical JSON, byte for byte what the ledger holds.
        recorded: whether it stands in the ledger.
        repeated: whether it was decided before.
    """

    answer: DispatchAnswer
    body: bytes
    recorded: bool
    repeated: bool = False


@dataclass(frozen=True)
class Ordered:
    """An operator's order that is in force."""

    order: Order
    recorded: bool


class Service:
    """Cycles of any number of fleets, one at a time for each.

    Args:
        kit: what it decides with; `replace_kit` changes it between two cycles.
        ledger: where it writes.
        clock: Unix seconds.

    Attributes:
        card: what is known of the policy, for people.
        problems: what was wrong when it was set up, for people.
        watchers: told of each cycle once its answer stands: request, memory before, kit and answer. They return at
            once and raise nothing.
        closing: called when it is closed.
        shadow_card: what the challenger in shadow would have done in the last cycle; empty where there is none.
    """

    def __init__(self, kit: Kit, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self.kit, self.ledger, self.clock = kit, ledger, clock
        self.metrics = Metrics()
        self.card: dict[str, Any] = {}
        self.problems: tuple[str, ...] = ()
        self.watchers: list[Watcher] = []
        self.shadow_card: dict[str, Any] = {}
        self.closing: list[Callable[[], None]] = []
        self._fleets: dict[str, Fleet] = {}
        self._guard = threading.Lock()
        self.metrics.show_kit(kit)

    def close(self) -> None:
        """End what runs beside it, and give the ledger back."""
        for end in self.closing:
            end()
        self.ledger.close()

    def replace_kit(self, kit: Kit) -> None:
        """Decide with another kit from the next cycle on; one that is being decided ends with the old one."""
        self.kit = kit
        self.metrics.show_kit(kit)

    def dispatch(self, request: DispatchRequest) -> Answered:
        """Decide a cycle, or answer it again.

        Raises:
            CycleConflict: the cycle was answered already, for another request.
            CycleRefused: its time cannot be right.
            ServiceBusy: another cycle of the fleet takes longer than a cycle may.
        """
        with self._fleet(request.fleet) as fleet:
            for _ in range(TRIES):
                try:
                    return self._answer(fleet, request)
                except LedgerMoved:
                    continue
            raise ServiceBusy(f"other processes decide fleet {request.fleet}; let one of them do it")

    def order(
        self, fleet: str, control: str, actor: str, reason: str, until_s: float, ports: Sequence[str] = ()
    ) -> Ordered:
        """Put an operator's order in force, from the next cycle on.

        It holds even where the ledger cannot take it, until this process ends.

        Raises:
            ValueError: see `make_order`.
            ServiceBusy: a cycle of the fleet takes longer than a cycle may.
        """
        order = make_order(control, actor, reason, self._now(), until_s, ports)
        with self._fleet(fleet) as known:
            recorded = True
            try:
                self.ledger.record_order(fleet, order)
            except (LedgerDown, LedgerMoved):
                recorded, known.loose = False, (*known.loose, order)
            # Also a recorded one: the next cycle reads it from the ledger, unless that fails in the meantime.
            known.memory = replace(known.memory, orders=(*known.memory.orders, order))
        return Ordered(order, recorded)

    def recall(self) -> None:
        """Tell of the fleets' last cycles before the first one comes: a loop that died is missed after a restart, too.

        Fleets without a cycle for a week are taken for ended.
        """
        now_s = self._now()
        try:
            for fleet in self.ledger.fleets()[:MOST_FLEETS]:
                newest_s = self.ledger.fleet_head(fleet, now_s).newest_s
                if newest_s is not None and now_s - newest_s < MISSED_S:
                    self.metrics.show_last(fleet, newest_s)
        except LedgerDown as down:
            self.metrics.ledger_failed(str(down))

    def standing_state(self) -> ServiceState:
        """Of the service as a whole, between cycles: the policy may be absent, or every fleet's breaker open."""
        broken = [fleet.memory.breaker.is_open for fleet in list(self._fleets.values())]
        degraded = self.kit.runner is None or (bool(broken) and all(broken))
        return ServiceState.DEGRADED if degraded else ServiceState.AUTO

    def ledger_works(self) -> bool:
        """Whether the ledger can be written now."""
        try:
            self.ledger.check()
        except (LedgerDown, LedgerMoved):
            return False
        return True

    def orders(self, fleet: str) -> tuple[Order, ...]:
        """The orders of a fleet that have not ended.

        Raises:
            LedgerDown: they cannot be read.
        """
        now = self._now()
        known = self._fleets.get(fleet)
        written = self.ledger.fleet_head(fleet, now).orders
        return (*written, *(order for order in (known.loose if known else ()) if order.until_s > now))

    @contextmanager
    def _fleet(self, name: str) -> Iterator[Fleet]:
        with self._guard:
            if len(self._fleets) >= MOST_FLEETS and name not in self._fleets:
                self._forget_one()
            known = self._fleets.pop(name, None)
            fleet = self._fleets[name] = known or Fleet()
        if not fleet.lock.acquire(timeout=self.kit.settings.deadline.answer_s):
            raise ServiceBusy(f"a cycle of fleet {name} is still being decided; send it again later")
        try:
            yield fleet
        finally:
            fleet.lock.release()

    def _forget_one(self) -> None:
        """Make room: the ledger knows all of the fleet that was asked for longest ago."""
        for name, fleet in self._fleets.items():
            if not (fleet.lock.locked() or fleet.ahead or fleet.loose):
                del self._fleets[name]
                self.metrics.forget_fleet(name)
                return
        raise ServiceBusy("too many fleets at once; ask again later")

    def _answer(self, fleet: Fleet, request: DispatchRequest) -> Answered:
        ledger_up = self._catch_up(fleet, request.fleet)
        if (told := self._told(fleet, request, ledger_up)) is not None:
            return told
        kit, now, before = self.kit, self._now(), fleet.memory
        outcome = dispatch(request, before, kit, now, ledger_up=ledger_up)
        body = answer_json(outcome.answer)
        if ledger_up:
            try:
                self._record(fleet, request, outcome, body, kit)
                for tell in self.watchers:
                    tell(request, before, kit, outcome.answer)
                return Answered(outcome.answer, body, True)
            except LedgerDown as down:
                self.metrics.ledger_failed(str(down))
            outcome = dispatch(request, fleet.memory, kit, now, ledger_up=False)
            body = answer_json(outcome.answer)
        fleet.memory, fleet.ahead = outcome.memory, True
        fleet.last = (request.start_s, outcome.answer.input_sha256, body)
        self.metrics.count(request, outcome, 0.0)
        return Answered(outcome.answer, body, False)

    def _record(self, fleet: Fleet, request: DispatchRequest, outcome: Outcome, body: bytes, kit: Kit) -> None:
        began = time.perf_counter()
        row = cycle_row(request, outcome, body, fleet.untold)
        seq = self.ledger.record_cycle(row, fleet.head, kit.settings)
        fleet.memory, fleet.ahead, fleet.last = outcome.memory, False, None
        newest_s = fleet.head.newest_s
        newest_s = request.start_s if newest_s is None else max(newest_s, request.start_s)
        fleet.head = fleet.head._replace(seq=seq, newest_s=newest_s)
        self.metrics.count(request, outcome, time.perf_counter() - began)

    def _catch_up(self, fleet: Fleet, name: str) -> bool:
        try:
            fleet.catch_up(self.ledger, name, self._now())
        except LedgerDown as down:
            self.metrics.ledger_failed(str(down))
            return False
        return True

    def _told(self, fleet: Fleet, request: DispatchRequest, ledger_up: bool) -> Answered | None:
        """The answer that this cycle got before; None: it got none."""
        if fleet.last is not None and fleet.last[0] == request.start_s:
            _refuse_other(request, fleet.last[1])
            return Answered(answer_from(read_json(fleet.last[2])), fleet.last[2], False, True)
        newest_s = fleet.head.newest_s
        if not ledger_up or newest_s is None or request.start_s > newest_s:
            return None
        row = self.ledger.cycle(fleet=request.fleet, start_s=request.start_s)
        if row is None:
            return None
        _refuse_other(request, row["input_sha256"])
        self.metrics.repeats.inc()
        return told_again(row)

    def _now(self) -> float:
        """Milliseconds are enough, and read back equal from the answer's text."""
        return round(self.clock(), 3)


def told_again(row: Row) -> Answered:
    """A cycle of the ledger as it was answered."""
    return Answered(stored_answer(row["answer"]), unsqueezed(row["answer"]), True, True)


def _refuse_other(request: DispatchRequest, answered_sha256: str) -> None:
    if request_digest(request) != answered_sha256:
        raise CycleConflict(
            f"cycle {request.cycle_id} was already answered for another request; one cycle has one request"
        )
