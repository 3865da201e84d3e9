"""What a run tells its user: tables, one JSON document, and files that are written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..configs.explain import writing
from ..envs.ledger import Account
from .days import DayRequest, DrawnDays, provenance
from .figures import Figures, figures
from .run import RunResult

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NOT_KNOWN = "-"

COMPARED = {
    "net_cost_usd": "net\ncost $",
    "energy_import_usd": "import\n$",
    "export_revenue_usd": "export\n$",
    "demand_charge_usd": "demand\n$",
    "unserved_kwh": "unserved\nkWh",
    "departures_met_percent": "met\n%",
    "peak_kw": "peak\nkW",
}
"""Columns of the table that compares policies; narrow, so that it fits 80 characters."""


def figures_by_policy(results: Sequence[RunResult]) -> dict[str, Figures]:
    """Figures of each run; what drivers earn needs `uncontrolled` among them."""
    base = next((r.ledgers for r in results if r.policy == "uncontrolled"), None)
    return {r.policy: figures(r.ledgers, r.n_ports, base) for r in results}


def document(
    request: DayRequest, drawn: DrawnDays, results: Sequence[RunResult], shown: Sequence[str]
) -> dict[str, Any]:
    """The run as plain JSON values; all that a clock or a machine moves is under `machine` and `timings`.

    Args:
        request: what was asked for.
        drawn: the days.
        results: the runs, `uncontrolled` among them.
        shown: names of the policies that the document holds.
    """
    from ..configs.load import config_hash

    first = drawn.scenarios[0]
    return {
        "scenario": drawn.name,
        "days": len(drawn.scenarios),
        "first_day": request.first_day,
        "seed": request.seed,
        "split": request.split,
        "dates": [s.start.date().isoformat() for s in drawn.scenarios],
        "ports": first.n_ports,
        "interval_minutes": first.interval_minutes,
        "config_hash": config_hash(drawn.settings) if drawn.settings else None,
        "files": request.files.given() if request.files else {},
        "provenance": provenance(drawn.scenarios),
        "machine": machine(),
        "timings": {r.policy: {"run_s": r.wall_s} for r in results if r.policy in shown},
        "policies": {name: f for name, f in figures_by_policy(results).items() if name in shown},
    }


def machine() -> dict[str, Any]:
    """Where the run was made."""
    return {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def ledger_table(by_policy: Mapping[str, Figures], scenario: str) -> Table:
    """Every figure, a row each, with a column per policy."""
    table = _table(f"[bold]{scenario}[/bold]", list(by_policy))
    names = next(iter(by_policy.values()))
    accounts = ["net_cost_usd", *(account.name.lower() for account in Account)]
    for figure in names:
        cells = [show(f[figure], figure) for f in by_policy.values()]
        style = "bold" if figure == "net_cost_usd" else ""
        table.add_row(figure, *cells, style=style, end_section=figure in (accounts[0], accounts[-1]))
    return table


def comparison_table(by_scenario: Mapping[str, Mapping[str, Figures]]) -> Table:
    """The chief figures, with a row per policy and a section per scenario."""
    table = _table("policy", list(COMPARED.values()))
    for scenario, by_policy in by_scenario.items():
        table.add_row(f"[bold]{scenario}[/bold]")
        for name, values in by_policy.items():
            cells = (show(values[figure], figure) for figure in COMPARED)
            table.add_row(f" {name}", *cells, end_section=name == list(by_policy)[-1])
    return table


def _table(first: str, columns: Sequence[str]) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def print_table(console: Console, table: Table) -> None:
    """Print a table whole: on a narrow screen its lines wrap, but no figure is cut."""
    console.width = max(console.width, console.measure(table, options=console.options.update(width=500)).maximum)
    console.print(table)


def show(value: float | None, figure: str) -> str:
    """A figure for people: counts whole, per cents and kW with one decimal, the rest with two."""
    if value is None:
        return NOT_KNOWN
    digits = 0 if figure == "stays" else 1 if figure.endswith(("_percent", "_kw")) else 2
    return f"{round(value, digits) + 0.0:.{digits}f}"


def days_csv(drawn: DrawnDays, results: Sequence[RunResult]) -> str:
    """A row per day and policy, as CSV with a head."""
    base = next((r.ledgers for r in results if r.policy == "uncontrolled"), None)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for run in results:
        for day, (scenario, ledger) in enumerate(zip(drawn.scenarios, run.ledgers, strict=True)):
            row = figures([ledger], run.n_ports, None if base is None else [base[day]])
            if buffer.tell() == 0:
                writer.writerow(["date", "policy", *row])
            values = ("" if value is None else repr(value) for value in row.values())
            writer.writerow([scenario.start.date().isoformat(), run.policy, *values])
    return buffer.getvalue()


def to_json(values: Mapping[str, Any]) -> str:
    """JSON that any reader takes: missing is null, never NaN."""
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)


def write_text(text: str, target: Path) -> Path:
    """Write a file under a temporary name first, so that no half file is left behind.

    Raises:
        OSError: it cannot be written; names the file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    try:
        with writing(target):
            partial.write_text(text, encoding="utf-8")
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target
