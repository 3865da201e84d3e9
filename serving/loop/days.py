"""Simulated days under dispatch: the loop as it is, over a simulated fleet and its own clock."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace

import numpy as np

from ...agents.days import DayRequest, DrawnDays, draw_days
from ...envs.world.scenario import Scenario
from ..ports.simulated import SimulatedPort
from .clock import SimulatedClock
from .deciders import Decider
from .loop import Loop
from .options import Options, check
from .report import Teller
from .schedule import Schedule
from .start import SIMULATED, last_resort, make_decider, stopped_by_signals

NO_LETTERS = r"[^A-Za-z0-9._-]"


def dispatch_days(options: Options, request: DayRequest) -> bool:
    """Play the days one after the other, each a fleet of its own; returns whether every cycle was answered.

    Raises:
        ConfigError: an option cannot be.
        KeyboardInterrupt: it was stopped by Ctrl-C, after the cycle that had begun.
    """
    check(options)
    drawn = draw_days(request)
    clock = SimulatedClock(drawn.scenarios[0].start.timestamp())
    reserve, whole = reserve_settings(drawn), True
    last = last_resort(options, SIMULATED, reserve)
    with closing(make_decider(options, clock, SIMULATED, reserve)) as decider:
        for number, day in enumerate(drawn.scenarios, request.first_day):
            base = options.fleet or re.sub(NO_LETTERS, "-", drawn.name)
            name = f"{base}.{request.split}{request.seed}.{number}"
            loop, teller = _play(replace(options, fleet=name), day, decider, last, clock)
            whole &= teller.all_answered
            if loop.stopping:
                break
    return whole


def reserve_settings(drawn: DrawnDays) -> tuple[str, ...]:
    """What the projection keeps back on these days, as settings of a service."""
    kept = drawn.reserve
    if kept is None:
        return ()
    return (
        f"reserve.headroom_factor={kept.headroom_factor}",
        f"reserve.expected_arrivals_factor={kept.expected_arrivals_factor}",
    )


def _play(
    options: Options, day: Scenario, decider: Decider, last: Decider | None, clock: SimulatedClock
) -> tuple[Loop, Teller]:
    port = SimulatedPort(day)
    clock.set(port.start_s)
    zone = day.start.tzinfo
    assert zone is not None, "a scenario's start has a time zone"
    schedule = Schedule(port.interval_s, zone)
    teller = Teller(schedule.zone, as_json=options.as_json, dry_run=options.dry_run)
    fleet = options.fleet or ""
    loop = Loop(fleet, port, decider, schedule, clock, last_resort=last, dry_run=options.dry_run, report=teller)
    with stopped_by_signals(loop, clock):
        loop.run(min(options.cycles or port.steps, port.steps))
    if options.cycles is None and not options.dry_run and not loop.stopping:
        port.advance(np.inf)
        teller.settled(fleet, port.ledger())
    return loop, teller
