"""Loops over simulated days."""

from __future__ import annotations

from typing import Any

from ebbflow.agents.days import DayRequest, DrawnDays, draw_days
from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.loop.clock import SimulatedClock
from ebbflow.serving.loop.cycle import CycleReport
from ebbflow.serving.loop.deciders import Decider, InProcess
from ebbflow.serving.loop.loop import Loop
from ebbflow.serving.loop.schedule import Schedule
from ebbflow.serving.ports.simulated import SimulatedPort

SMALL = ("ports=12", "fleet.v2g_share=0.6", "feeder.import_limit_kw_per_port=4")


def small_day(scenario: str = "home-california", *overrides: str, day: int = 190) -> DrawnDays:
    """A day of twelve ports behind a feeder that binds."""
    return draw_days(DayRequest(scenario, overrides or SMALL, first_day=day))


def kit_of(drawn: DrawnDays, policy: Any = None, settings: str = "simulated", *overrides: str) -> Any:
    """What a service of that day decides with."""
    kept = drawn.reserve
    reserve = () if kept is None else (
        f"reserve.headroom_factor={kept.headroom_factor}",
        f"reserve.expected_arrivals_factor={kept.expected_arrivals_factor}",
    )  # fmt: skip
    runner = None if policy is None else InlineRunner(policy)
    return make_kit(load_serving(settings, (*reserve, *overrides)), runner)


def simulated_loop(
    drawn: DrawnDays, policy: Any = None, **changes: Any
) -> tuple[Loop, SimulatedPort, list[CycleReport]]:
    """A loop over the first of the days, its port, and where its reports will stand."""
    day = drawn.scenarios[0]
    reports: list[CycleReport] = []
    port = changes.pop("port", None) or SimulatedPort(day)
    decider: Decider = changes.pop("decider", None) or InProcess(kit_of(drawn, policy))
    clock = changes.pop("clock", None) or SimulatedClock(day.start.timestamp())
    schedule = Schedule(day.interval_minutes * 60, day.start.tzinfo)  # type: ignore[arg-type]
    loop = Loop("sim", port, decider, schedule, clock, report=reports.append, **changes)
    return loop, port, reports
