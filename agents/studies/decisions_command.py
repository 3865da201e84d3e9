"""`ebbflow bench decide`: runs the measurements of `decisions` and shows them beside their bars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ...envs.bench import machine
from ..days import DayRequest, draw_days
from ..mpc import Mpc
from ..policy import find_policy, pinned
from ..report import write_text
from .decisions import Live, live, lock_step_us

LIVE_BARS_MS = {25: 5.0, 1_000: 15.0, 10_000: 80.0}
COST_BAR = 500.0
"""MPC's CPU time per decided fleet over the policy's, at the preset's 25 cars."""


def parse_sizes(text: str) -> list[int]:
    """Numbers of ports.

    Raises:
        ValueError: something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--sizes {text}: write numbers of ports separated by commas, e.g. 25,1000,10000")
    return [int(part) for part in parts]


def bench_decide(scenario: str, policy: str, sizes: Sequence[int], days: int, seed: int, json_: Path | None) -> None:
    """Measure, show, and write the JSON where one is wanted."""
    asked = find_policy(policy, scenario=scenario)
    drawn = draw_days(DayRequest(scenario, seed=seed, days=days))
    steps = drawn.scenarios[0].n_steps
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("deciding", total=(len(sizes) + 2) * steps)

        def tick() -> None:
            progress.advance(bar)

        singles = [live(scenario, ports, asked, seed, tick) for ports in sizes]
        cost_us = {one.name: lock_step_us(drawn, one, tick) for one in (asked, Mpc())}
    ratio = cost_us["mpc"] / cost_us[asked.name]
    report = {
        "machine": machine(threads=1),
        "scenario": scenario,
        "policy": pinned(asked, policy).rpartition("#")[2],
        "seed": seed,
        "days": days,
        "live": [one._asdict() | {"bar_ms_p50": LIVE_BARS_MS.get(one.ports)} for one in singles],
        "lock_step_cpu_us_per_fleet": cost_us,
        "mpc_over_policy": ratio,
        "bar_mpc_over_policy": COST_BAR,
    }
    if json_ is not None:
        write_text(json.dumps(report, indent=2) + "\n", json_)
    _show(asked.name, singles, cost_us, ratio, scenario, days)


def _show(
    name: str, singles: Sequence[Live], cost_us: dict[str, float], ratio: float, scenario: str, days: int
) -> None:
    console = Console()
    table = Table(title=f"{name}, one fleet at a time, without compiler, {scenario}: ms")
    for heading in ("ports", "p50", "bar", "p99", "CPU\np50", "policy\np50", "projection\np50", "first"):
        table.add_column(heading, justify="right")
    for one in singles:
        bar = LIVE_BARS_MS.get(one.ports)
        values = (one.total_ms_p99, one.cpu_ms_p50, one.policy_ms_p50, one.projection_ms_p50, one.first_ms)
        row: list[Any] = [f"{one.ports:,}", f"{one.total_ms_p50:.2f}", "" if bar is None else f"{bar:g}"]
        table.add_row(*row, *(f"{value:.2f}" for value in values))
    console.print(table)
    costs = ", ".join(f"{policy} {cost:,.1f}" for policy, cost in cost_us.items())
    console.print(f"CPU microseconds per decided fleet, {days} days in lock-step: {costs}", highlight=False)
    console.print(f"mpc costs {ratio:,.0f} times as much (bar {COST_BAR:g})", highlight=False)
