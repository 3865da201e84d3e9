"""What `ebbflow evaluate` does around `evaluate`: progress, tables, files, and what to do after Ctrl-C."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console

from ..report import print_table, write_text
from ..simulation import Outputs, say
from .outputs import remarks, summary_table, warnings
from .result import EvaluationResult
from .runs import evaluate


def evaluate_and_show(outputs: Outputs, scenario: str, policies: list[str] | None, **arguments: Any) -> None:
    """Evaluate with progress on stderr, then write and show what came out.

    Args:
        outputs: the folder, and where the JSON document goes.
        scenario: see `evaluate`.
        policies: see `evaluate`.
        arguments: the others of `evaluate`.
    """
    errors, began = Console(stderr=True), time.perf_counter()
    try:
        result = evaluate(scenario, policies, **arguments, out=outputs.folder, progress=True)
    except KeyboardInterrupt:
        say(errors, f"stopped; finished tasks are kept in {outputs.folder}, and the same command goes on from there")
        raise
    for line in warnings(result):
        say(errors, line)
    if outputs.json == "-":
        print(result.to_json())
        return
    if outputs.json:
        write_text(result.to_json() + "\n", Path(outputs.json))
    _show(result, outputs, time.perf_counter() - began)


def _show(result: EvaluationResult, outputs: Outputs, took_s: float) -> None:
    console = Console()
    days = f"{len(result.headline_days())} days, split {result.split}"
    say(console, f"{result.scenario}, {result.ports} ports, {days}, seed {result.request.seed}")
    print_table(console, summary_table("policy", result.headline))
    if result.emergency and result.split != "emergency":
        say(console, f"{len(result.emergency_days())} days with an import price above 1 $/kWh, not in the above:")
        print_table(console, summary_table("policy", result.emergency))
    for line in remarks(result):
        say(console, line)
    for path in (outputs.folder, outputs.json):
        if path is not None:
            say(console, f"wrote {path}")
    if outputs.folder is not None:
        say(console, f"report: {outputs.folder / 'report.html'}")
    say(console, f"took {took_s:.0f} s")
