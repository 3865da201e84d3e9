"""What a loop tells people: a line a cycle, each problem once, or JSON lines for machines."""

from __future__ import annotations

import sys
from datetime import datetime, tzinfo
from typing import Any, TextIO

from ...envs.simulator import DayLedger
from ..messages.canonical import canonical_json
from ..messages.vocabulary import DecisionReason
from .cycle import CycleReport, PriceNote
from .watch import Cause

MOST_REFUSED = 5


class Teller:
    """Writes reports as they come.

    Args:
        zone: of the times.
        as_json: a JSON document a line, on stdout.
        dry_run: what would be sent is listed car by car.
        out, errors: where to.
    """

    def __init__(
        self, zone: tzinfo, *, as_json: bool = False, dry_run: bool = False, out: TextIO | None = None,
        errors: TextIO | None = None,
    ) -> None:  # fmt: skip
        self._zone, self._json, self._dry_run = zone, as_json, dry_run
        self._out, self._errors = out or sys.stdout, errors or sys.stderr
        self._told: tuple[str, ...] = ()
        self._priced: tuple[str, float | None] = ("", None)
        self.answered, self.all_answered = True, True

    def __call__(self, made: CycleReport) -> None:
        """Tell of a cycle."""
        self.answered = made.answer is not None
        self.all_answered &= self.answered
        if self._json:
            self._say(canonical_json(report_document(made, self._zone)).decode())
            return
        if made.prices is not None and (whose := made.prices[:2]) != self._priced:
            self._say(price_line(made.prices, self._zone))
            self._priced = whose
        self._say(cycle_line(made, self._zone))
        if self._dry_run and made.answer is not None:
            for line in car_lines(made):
                self._say(line)
        problems = (*made.problems, *_refusals(made))
        for problem in problems:
            if problem not in self._told:  # what was said in the last cycle still holds
                print(f"  {problem}", file=self._errors, flush=True)
        self._told = problems

    def note(self, text: str) -> None:
        """Tell something that holds for all cycles."""
        print(text, file=self._errors, flush=True)

    def end(self, last_s: float | None) -> None:
        """Tell when what was sent ends by itself; None: nothing was."""
        if last_s is not None and not self._json:
            self._say(f"stopped; the last lease ends at {datetime.fromtimestamp(last_s, self._zone):%H:%M:%S%z}")

    def settled(self, fleet: str, ledger: DayLedger) -> None:
        """Tell what a simulated day has cost."""
        usd, tallies = ledger.usd, ledger.tallies
        if self._json:
            self._say(canonical_json({"fleet": fleet, "ledger": usd, "tallies": tallies}).decode())
            return
        met = f"{tallies['met_stays']:.0f} of {tallies['served_stays']:.0f} departures met"
        figures = f"unserved {tallies['unserved_kwh']:.2f} kWh, overload {tallies['overload_kwh']:.2f} kWh"
        self._say(f"{fleet}: net cost {usd['net_cost_usd']:.2f} $, {met}, {figures}")

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def cycle_line(made: CycleReport, zone: tzinfo) -> str:
    """A cycle in one line."""
    at = datetime.fromtimestamp(made.start_s, zone)
    head = f"{at:%Y-%m-%d %H:%M:%S%z}"
    if made.answer is None:
        return f"{head}  no set-points"
    totals = made.answer.totals
    cars = sum(totals.by_source.values())
    parts = [
        f"{made.answer.state.word:11}",
        f"{cars:6d} cars",
        f"import {totals.import_kw:9.1f} kW",
        f"export {totals.export_kw:8.1f} kW",
        f"sent {made.sent} ({made.new} new)",
    ]
    if made.refused:
        parts.append(f"{len(made.refused)} refused")
    if made.cause is not Cause.SCHEDULE:
        parts.append(made.cause)
    return f"{head}  {'  '.join(parts)}"


def price_line(prices: PriceNote, zone: tzinfo) -> str:
    """The prices of a cycle in one line."""
    published = "" if prices.published_s is None else f", published {_at(prices.published_s, zone)}"
    return f"prices: {prices.source}{published}, known until {_at(prices.known_until_s, zone)}"


def _at(second: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(second, zone):%Y-%m-%d %H:%M%z}"


def car_lines(made: CycleReport) -> list[str]:
    """A line for each car that is told something, with the reason in words."""
    from ..people.words import OPERATORS

    assert made.answer is not None
    table = report_columns(made)
    rows = zip(*(table[name] for name in ("id", "mode", "setpoint_kw", "reason")), strict=True)
    shown = ((*row, OPERATORS[DecisionReason[why.upper()]]) for *row, why in rows if why != "empty")
    return [
        f"    {name:24} {mode:8} {'' if power != power else f'{power:8.2f} kW':11}  {why}"
        for name, mode, power, why in shown
    ]


def report_columns(made: CycleReport) -> dict[str, Any]:
    """The set-points of a cycle in words."""
    from ..messages.answer import decisions_document

    assert made.answer is not None
    columns = decisions_document(made.answer.decisions)
    columns["setpoint_kw"] = columns["setpoint_kw"].tolist()
    return columns


def report_document(made: CycleReport, zone: tzinfo) -> dict[str, Any]:
    """A cycle for machines."""
    answer = made.answer
    return {
        "cycle_start": datetime.fromtimestamp(made.start_s, zone).isoformat(),
        "cause": made.cause.name.lower(),
        "cycle_id": None if answer is None else answer.cycle_id,
        "state": None if answer is None else answer.state.word,
        "prices": None if made.prices is None else _price_document(made.prices, zone),
        "totals": None if answer is None else answer.totals._asdict(),
        "setpoints": None if answer is None else report_columns(made),
        "sent": made.sent,
        "new": made.new,
        "refused": dict(made.refused),
        "problems": list(made.problems),
    }


def _price_document(prices: PriceNote, zone: tzinfo) -> dict[str, Any]:
    published_s = prices.published_s
    return {
        "source": prices.source,
        "published_at": None if published_s is None else datetime.fromtimestamp(published_s, zone).isoformat(),
        "known_until": datetime.fromtimestamp(prices.known_until_s, zone).isoformat(),
    }


def _refusals(made: CycleReport) -> tuple[str, ...]:
    told = [f"{port}: {why}" for port, why in list(made.refused.items())[:MOST_REFUSED]]
    rest = len(made.refused) - len(told)
    return (*told, f"and {rest} more refused") if rest > 0 else tuple(told)
