"""Answers to what people ask, from the ledger: a fleet's last cycle, the plan that follows from it, and its past."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from ..core.challenger import CanaryRunner
from ..core.cycle import Kit
from ..core.memory import Memory
from ..core.runners import BundleRunner, Runner
from ..ledger.again import memory_before
from ..ledger.documents import StoredCycle, stored_cycle
from ..ledger.store import Ledger
from ..ledger.story import refuse_too_much
from .drivers import driver_lines
from .events import event_reports
from .limits import head_of, limit_document, plan_document
from .plan import PLAN_H, Plan, plan_of
from .story import story

WHOLE = ("request", "answer", "record", "memory_before")

EVENT_CYCLES = 2500
"""Cycles that a report of events looks through: a week of five minutes, and a little more."""

EVERY_H = 3.0
"""Between the steps of a plan for which flexibility is told."""

KEPT_PLANS = 8


class NothingKnown(LookupError):
    """The ledger holds nothing of this fleet, port or time."""


class TooLarge(ValueError):
    """A plan that would take longer than an answer may."""


class Asked(NamedTuple):
    """A cycle of the ledger, with what was remembered before it."""

    cycle: StoredCycle
    memory: Memory


class Desk:
    """Whoever is asked.

    Args:
        ledger: where the cycles stand.
        kit: what the service decides with, now.
        most_cars: of a fleet that a plan is made for; None: any.
        most_read: cycles times ports that a report or a story looks through; None: any.
    """

    def __init__(
        self, ledger: Ledger, kit: Callable[[], Kit], most_cars: int | None = None, most_read: int | None = None
    ) -> None:
        self._ledger, self._kit, self._most_cars, self._most_read = ledger, kit, most_cars, most_read
        self._plans: dict[tuple[int, str, bool], Plan] = {}
        self._one_at_a_time = threading.Lock()

    def fleets(self) -> list[str]:
        """The fleets that the ledger knows."""
        return self._ledger.fleets()

    def cycles(
        self, fleet: str, from_s: float | None = None, until_s: float | None = None, limit: int = 1
    ) -> Iterator[StoredCycle]:
        """Cycles of a fleet, the latest first."""
        rows = self._ledger.cycles(fleet, from_s=from_s, until_s=until_s, limit=limit, columns=WHOLE)
        return (stored_cycle(row) for row in rows)

    def some_cycles(
        self, fleet: str, from_s: float | None = None, until_s: float | None = None, limit: int = 1
    ) -> Iterator[StoredCycle]:
        """As `cycles`, where they are not too much for one answer.

        Raises:
            TooMuch: they are.
        """
        if self._most_read is not None:
            refuse_too_much(self._ledger, self._most_read, fleet, from_s, until_s, limit)
        return self.cycles(fleet, from_s, until_s, limit)

    def last(self, fleet: str) -> Asked:
        """The last cycle of a fleet.

        Raises:
            NothingKnown: there is none.
        """
        cycle = next(self.cycles(fleet), None)
        if cycle is None:
            raise NothingKnown("the ledger holds no cycle of this fleet")
        return Asked(cycle, memory_before(self._ledger, cycle))

    def plan(self, fleet: str, flexible: bool = False) -> tuple[Plan, Asked]:
        """The day that follows from the last cycle; made once a cycle.

        Raises:
            NothingKnown: there is no cycle.
            TooLarge: the fleet has more ports than a plan is made for.
        """
        asked = self.last(fleet)
        request, kit = asked.cycle.request, planning_kit(self._kit())
        if self._most_cars is not None and request.n_ports > self._most_cars:
            raise TooLarge(
                f"the fleet has {request.n_ports} ports, and a plan is made here for up to {self._most_cars}; use the "
                "command line: ebbflow ask"
            )
        by = kit.runner.model.sha256 if kit.runner is not None else ""
        with self._one_at_a_time:
            for key in ((asked.cycle.seq, by, True), (asked.cycle.seq, by, flexible)):
                if key in self._plans:
                    return self._plans[key], asked
            every = max(1, request.steps(EVERY_H))
            at = range(0, request.steps(PLAN_H), every) if flexible else ()
            made = plan_of(request, asked.memory, kit, at)
            self._plans = dict([*self._plans.items()][1 - KEPT_PLANS :]) | {(asked.cycle.seq, by, flexible): made}
        return made, asked

    def drivers(self, fleet: str, ports: Collection[str] | None = None) -> dict[str, Any]:
        """A sentence for each driver.

        Raises:
            NothingKnown, TooLarge: see `plan`.
        """
        plan, asked = self.plan(fleet)
        lines = [asdict(line) for line in driver_lines(plan, asked.cycle.answer, ports)]
        for line in lines:
            line["departs_at"] = line["departs_at"] and line["departs_at"].isoformat()
        return {**head_of(plan), "drivers": lines}

    def load(self, fleet: str) -> dict[str, Any]:
        """The planned load with its flexibility.

        Raises:
            NothingKnown, TooLarge: see `plan`.
        """
        return plan_document(self.plan(fleet, flexible=True)[0])

    def limits(self, fleet: str) -> dict[str, Any]:
        """Limits and planned load of every meter and feeder.

        Raises:
            NothingKnown, TooLarge: see `plan`.
        """
        return limit_document(self.plan(fleet)[0])

    def events(self, fleet: str, from_s: float | None = None, until_s: float | None = None) -> dict[str, Any]:
        """What was delivered in each event between two times, Unix seconds; by default in all that is kept.

        Raises:
            TooMuch: there are too many cycles of too many ports between them.
        """
        told = self.some_cycles(fleet, from_s, until_s, EVENT_CYCLES)
        return {"fleet": fleet, "events": [report.document() for report in event_reports(told)]}

    def story(self, fleet: str, port: str, limit: int = 24) -> dict[str, Any]:
        """What happened to a port or car in the last cycles, the latest first.

        Raises:
            TooMuch: the cycles have too many ports.
        """
        return {"fleet": fleet, "port": port, "story": story(self.some_cycles(fleet, limit=limit), port)}


def planning_kit(kit: Kit) -> Kit:
    """A kit whose runner may be asked beside the service; where it may not, plans go by the rules."""
    return kit if kit.runner is None or _shareable(kit.runner) else replace(kit, runner=None)


def _shareable(runner: Runner) -> bool:
    """Whether several threads may ask it: a graph keeps nothing, a process of its own does."""
    parts: Sequence[Runner] = runner.parts if isinstance(runner, CanaryRunner) else (runner,)
    return all(isinstance(part, BundleRunner) for part in parts)
