"""`ebbflow bench serve`."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from ..http.arrow import MEDIA
from .measure import JSON, Case, Figures, as_row, measure


def cases(cycles: int, million: bool) -> list[Case]:
    """What is measured."""
    chosen = [Case(cars, binding, JSON, cycles) for cars in (100, 10_000) for binding in (False, True)]
    chosen.append(Case(10_000, False, MEDIA, cycles))
    return [*chosen, *([Case(1_000_000, False, MEDIA, 3, warm_up=0)] if million else [])]


def bench_serve(cycles: int, million: bool, bundle: str | None, out: Path | None) -> None:
    """Measure every case and show the table as it grows; it says which hours the cycles cover."""
    console, found = Console(highlight=False), []
    starts, idle = [], []
    for case in cases(cycles, million):
        with console.status(f"{case.name}: {case.cycles} cycles ..."):
            figures, start_s, idle_mib = measure(case, bundle)
        starts.append(start_s)
        idle.append(idle_mib)
        found.append(figures)
        wall = f"p50 {figures.ms_p50:g} ms, p99 {figures.ms_p99:g} ms"
        cpu = f"{figures.server_cpu_ms:g} ms of CPU a cycle, {figures.server_cpu_ms_worst:g} at {figures.worst_at}"
        console.print(f"{case.name}: {wall}, {cpu}", soft_wrap=True)
    console.print(_table(found))
    hours = f"{cycles} cycles of 15 minutes are {found[0].hours}, night after night; power is dear until 21:00"
    console.print(hours, soft_wrap=True)
    console.print(f"process ready after {max(starts):.2f} s at worst, idle {max(idle):.0f} MiB resident at most")
    if out is not None:
        told = {"machine": machine(), "policy": bundle or "rules", "start_s": max(starts), "idle_mib": max(idle)}
        out.write_bytes(orjson.dumps(told | {"cases": [as_row(one) for one in found]}, option=orjson.OPT_INDENT_2))


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}


def _table(found: list[Figures]) -> Table:
    table = Table(
        "cars", "limits", "body", "cycles", "p50 ms", "p90 ms", "p99 ms", "worst ms", "cpu ms", "sent MB", "peak MiB"
    )
    for one in found:
        numbers = (one.ms_p50, one.ms_p90, one.ms_p99, one.ms_worst, one.server_cpu_ms)
        size = f"{one.request_bytes / 1e6:.2f}"
        row = [f"{one.cars:,}", one.limits, one.media, str(one.cycles), *(f"{x:,.1f}" for x in numbers), size]
        table.add_row(*row, f"{one.server_peak_mib:,.0f}")
    return table
