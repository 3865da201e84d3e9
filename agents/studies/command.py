"""What `ebbflow bench guarantee` does: rows in turn, each kept as soon as it is measured, then a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ...envs.bench import machine
from .guarantee import ALL, PRESETS, ROWS, Row, Tick, run_row

ROW_NAMES = ("a", "b", "c", "d", "e")
SHOWN_BANDS = ("up to .98", "above 1", ALL)


def parse_rows(text: str) -> tuple[str, ...]:
    """Names of rows, separated by commas.

    Raises:
        ValueError: no such row.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in names:
        if name not in ROW_NAMES:
            raise ValueError(f"row {name!r} is not one of {', '.join(ROW_NAMES)}; write for example --rows a,b")
    if not names:
        raise ValueError(f"no row was asked for; choose of {', '.join(ROW_NAMES)}")
    return names


def run_study(rows: Sequence[str], days: int, seed: int, workers: int, path: Path | None) -> dict[str, Any]:
    """Measure `rows`; with a path, an interrupted run goes on where it was, and the report is written there."""
    terms = {"days": days, "seed": seed}
    partial = None if path is None else path.with_name(path.name + ".part")
    if partial is not None:
        partial.parent.mkdir(parents=True, exist_ok=True)
    done = _kept(partial, terms)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        for name in rows:
            if name not in done:
                done[name] = run_row(name, days, seed, workers, _ticker(progress))
                _keep(partial, terms, done)
    report = {
        "machine": machine(workers),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **terms,
        "rows": {name: done[name] for name in rows},
    }
    if path is not None and partial is not None:
        partial.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
        partial.replace(path)
    return report


def show(report: dict[str, Any]) -> None:
    """Print the tables and what missed a bar."""
    console = Console()
    for name, row in report["rows"].items():
        console.print(_preset_table(row) if name == "d" else _table(name, row))
        if name == "d":
            console.print(_curve_table(row))
        verdict = "all bars met" if row["meets_bars"] else "; ".join(row["missed"])
        console.print(f"({name}) {verdict}", style="green" if row["meets_bars"] else "red", highlight=False)


def _ticker(progress: Progress) -> Tick:
    def tick(stage: str, parts: int) -> None:
        if stage:
            for task in progress.task_ids:
                progress.remove_task(task)
            progress.add_task(stage, total=parts)
        else:
            progress.advance(progress.task_ids[-1])

    return tick


def _kept(partial: Path | None, terms: dict[str, int]) -> dict[str, Row]:
    """Rows of an interrupted run under the same terms."""
    if partial is None or not partial.exists():
        return {}
    kept = json.loads(partial.read_text())
    return dict(kept["rows"]) if {key: kept.get(key) for key in terms} == terms else {}


def _keep(partial: Path | None, terms: dict[str, int], done: dict[str, Row]) -> None:
    if partial is not None:
        partial.write_text(json.dumps({**terms, "rows": done}, allow_nan=False))


def _table(name: str, row: Row) -> Table:
    bars = "; ".join(f"{bar.band}: {bar.figure} ≤ {bar.most:g}" for bar in ROWS[name].bars)
    table = Table(title=f"({name}) {row['title']}; bars in %: {bars}")
    table.add_column("controller")
    for band in SHOWN_BANDS:
        table.add_column(f"φ {band}\nmean / p95 / max %", justify="right")
    for who, figures in row["controllers"].items():
        table.add_row(who, *(_triple(figures[band]) for band in SHOWN_BANDS))
    return table


def _preset_table(row: Row) -> Table:
    table = Table(title=f"(d) {row['title']}")
    table.add_column("controller")
    for preset in PRESETS:
        tight = row["presets"][preset]["tightness"]
        spread = "" if tight["median"] is None else f"\nφ median {tight['median']:.2f}, p95 {tight['p95']:.2f}"
        table.add_column(f"{preset}{spread}\nmean / p95 / max %", justify="right")
    for who in row["presets"][PRESETS[0]]["controllers"]:
        table.add_row(who, *(_triple(row["presets"][preset]["controllers"][who]) for preset in PRESETS))
    return table


def _curve_table(row: Row) -> Table:
    table = Table(title="(d) days of drawn tightness, always pause: excess over the clairvoyant least shortfall")
    for heading in ("headroom", "expected arrivals", "mean / p95 / max %", "postponement left"):
        table.add_column(heading, justify="right")
    for point in row["curve"]:
        names = ("headroom_factor", "expected_arrivals_factor")
        margins = ("charge at once", "") if "charge at once" in point else tuple(f"{point[n]:g}" for n in names)
        left = f"{point['postponement_left_percent']:.0f} %"
        table.add_row(*margins, _triple(point["excess_percent"]), left)
    return table


def _triple(figures: dict[str, Any]) -> str:
    if not figures["days"]:
        return "no day"
    return f"{figures['mean']:.4f} / {figures['p95']:.4f} / {figures['max']:.4f}"
