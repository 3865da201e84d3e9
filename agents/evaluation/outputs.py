"""What an evaluation leaves behind: files, each whole or not at all, and the tables on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..figures import Figures
from ..report import NOT_KNOWN, show, write_text
from .recording import Recorded
from .result import OPTIMUM, REPLAYED, REPLAYED_COST, EvaluationResult

if TYPE_CHECKING:
    from rich.table import Table

DAYS_FILE, SETTINGS_FILE, JSON_FILE = "days.csv", "settings.toml", "evaluation.json"

COLUMNS = {
    "net_cost_usd": "net cost\n$",
    "captured_percent": "captured\n% (95 % interval)",
    "saved_percent": "saved\n%",
    "departures_met_percent": "met\n%",
    "unserved_kwh": "unserved\nkWh",
    "peak_kw": "peak\nkW",
    "driver_earnings_usd": "earned\n$",
}
"""Columns of the table that compares controllers."""


def write_outputs(result: EvaluationResult, folder: Path, recorded: Recorded) -> list[Path]:
    """Write the days, the resolved settings, the JSON document and the report; returns their paths.

    What an earlier evaluation wrote into the folder and this one did not is taken away, so that nothing there
    contradicts the report.

    Args:
        result: of the evaluation.
        folder: is made where it is missing.
        recorded: days with their histories, for pictures and event reports.
    """
    from ...configs.dump import to_toml
    from .report import EVENTS_FILE, FLEXIBILITY_FILE, PLOTS, write_report

    table = result.to_pandas().to_csv(index=False, lineterminator="\n")
    written = [write_text(table, folder / DAYS_FILE)]
    if result.settings is not None:
        written.append(write_text(to_toml(result.settings), folder / SETTINGS_FILE))
    written.append(write_text(result.to_json() + "\n", folder / JSON_FILE))
    written += write_report(result, folder, recorded.shown, recorded.events)
    tables = (folder / name for name in (SETTINGS_FILE, FLEXIBILITY_FILE, EVENTS_FILE))
    pictures = (path for kind in ("day", "flexibility") for path in (folder / PLOTS).glob(f"{kind}-*.png"))
    for path in {*tables, *pictures}.difference(written):
        path.unlink(missing_ok=True)
    return written


def summary_table(title: str, by_policy: Mapping[str, Figures]) -> Table:
    """The chief figures, with a row per controller."""
    from rich.box import SIMPLE
    from rich.table import Table

    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(f"[bold]{title}[/bold]", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, values in by_policy.items():
        table.add_row(name, *(_cell(values, figure) for figure in COLUMNS), style="bold" if name == OPTIMUM else "")
    return table


def _cell(values: Figures, figure: str) -> str:
    text = show(values[figure], figure)
    low, high = values.get(f"{figure}_low"), values.get(f"{figure}_high")
    if figure != "captured_percent" or text == NOT_KNOWN or low is None or high is None:
        return text
    return f"{text} ({show(low, figure)} to {show(high, figure)})"


def remarks(result: EvaluationResult) -> list[str]:
    """What the tables do not say: the gap of the bound, who loses where, who failed."""
    lines = [f"{name}: {note}" for name, note in result.notes.items()]
    bound, replayed = (result.headline[OPTIMUM][figure] for figure in ("net_cost_usd", REPLAYED_COST))
    if bound is not None and replayed is not None:
        lines.append(f"gap between the bound and its replay: {replayed - bound:.2f} $")
    return [*lines, *_behind(result)]


def _behind(result: EvaluationResult) -> list[str]:
    """On how many days `mpc` costs more than each other controller."""
    if "mpc" not in result.names:
        return []
    lines = []
    for policy in result.policies:
        if policy.raw or policy.name in ("mpc", OPTIMUM, REPLAYED):
            continue
        if days := result.dearer_days("mpc", policy.name):
            numbers = ", ".join(str(day.number) for day in days[:10]) + (", ..." if len(days) > 10 else "")
            lines.append(f"mpc costs more than {policy.name} on {len(days)} of {len(result.days)} days: {numbers}")
    return lines


def warnings(result: EvaluationResult) -> list[str]:
    """Controllers that failed or were cut off, in words."""
    lines = []
    for policy in result.policies:
        if policy.replaced_requests and policy.name != OPTIMUM:
            why = policy.failure or "it asked for powers that are no finite number"
            lines.append(f"warning: the rules stood in for {policy.replaced_requests} requests of {policy.name}: {why}")
        if policy.fallbacks:
            lines.append(f"{policy.name} reached its limit and fell back in {policy.fallbacks} decisions")
    return lines
