"""The work of `ebbflow simulate`: choose policies, run them with progress, write and show what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from .days import DayRequest, DrawnDays, draw_days, provenance
from .plots import plot_day
from .policy import Policy, find_policy
from .report import (
    comparison_table,
    days_csv,
    document,
    figures_by_policy,
    ledger_table,
    print_table,
    to_json,
    write_text,
)
from .rules import RULES, Uncontrolled
from .rules.raw import raw_references
from .run import RunResult, run_days

LEDGER_COLUMNS = 3
"""Up to so many policies the whole ledger is shown, side by side; of more, the chief figures."""


@dataclass(frozen=True)
class Outputs:
    """Where results go.

    Args:
        folder: for plots, `days.csv` and `settings.toml`; None: none of them.
        json: path of the JSON document, `-` for stdout and nothing else there; None: none.

    Raises:
        ValueError: the folder is a file, or the file a folder.
    """

    folder: Path | None = None
    json: str | None = None

    def __post_init__(self) -> None:
        if self.folder is not None and self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"--out {self.folder} is a file; name a folder")
        if self.json not in (None, "-") and Path(str(self.json)).is_dir():
            raise ValueError(f"--json {self.json} is a folder; name a file, or - for stdout")


def choose_policies(names: Sequence[str], everything: bool, seed: int, scenario: str | None = None) -> list[Policy]:
    """The policies asked for, each once; `uncontrolled` where none is.

    Raises:
        ValueError: unknown name, with the nearest valid one, or two policies that call themselves the same.
    """
    references = raw_references(seed)
    wanted = [*names, *([*RULES, *references] if everything else [])] or ["uncontrolled"]
    chosen = [find_policy(name, references, scenario) for name in dict.fromkeys(wanted)]
    called = [policy.name for policy in chosen]
    twice = next((name for name in called if called.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two of the policies asked for have the name {twice!r}; give each its own")
    return chosen


def simulate_days(request: DayRequest, policies: Sequence[Policy], backend: str, outputs: Outputs) -> None:
    """Draw, run, write and show; nothing is written before every run has ended."""
    drawn, results = run_request(request, policies, backend, record=outputs.folder is not None)
    _warn_of_failures(results)
    asked = [r for r in results if r.policy in {p.name for p in policies}]
    written = write_folder(outputs.folder, drawn, asked, results) if outputs.folder else []
    if outputs.json:
        values = document(request, drawn, results, [r.policy for r in asked])
        if outputs.json == "-":
            print(to_json(values))
            return
        written.append(write_text(to_json(values) + "\n", Path(outputs.json)))
    _show(drawn, results, [r.policy for r in asked], written)


def run_request(
    request: DayRequest, policies: Sequence[Policy], backend: str = "auto", record: bool = True
) -> tuple[DrawnDays, list[RunResult]]:
    """Draw the days and run every policy on them, with progress on stderr; `uncontrolled` always runs too."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    alone = any(policy.name == "uncontrolled" for policy in policies)
    line_up = list(policies) if alone else [Uncontrolled(), *policies]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        drawn = draw_days(request, lambda days: progress.track(days, request.days, description="drawing days"))
        task = progress.add_task("simulating", total=len(line_up))
        for policy in line_up:
            progress.update(task, description=f"simulating {policy.name}")
            results.append(run_days(drawn.scenarios, policy, backend=backend, reserve=drawn.reserve, record=record))
            progress.advance(task)
    return drawn, results


def write_folder(
    folder: Path, drawn: DrawnDays, asked: Sequence[RunResult], results: Sequence[RunResult]
) -> list[Path]:
    """A picture per policy of the first day, `days.csv` and the resolved settings; returns the paths."""
    from ..configs.dump import to_toml

    written = [plot_day(run, folder / f"{drawn.name}-{run.policy}.png") for run in asked]
    written.append(write_text(days_csv(drawn, results), folder / f"{drawn.name}-days.csv"))
    if drawn.settings is not None:
        written.append(write_text(to_toml(drawn.settings), folder / f"{drawn.name}-settings.toml"))
    return written


def _show(drawn: DrawnDays, results: Sequence[RunResult], asked: Sequence[str], written: Sequence[Path]) -> None:
    console = Console()
    by_policy = {name: f for name, f in figures_by_policy(results).items() if name in asked}
    first, last = drawn.scenarios[0].start, drawn.scenarios[-1].start
    span = f"{first:%a %d %b %Y}" + (f" and {len(drawn.scenarios) - 1} more days" if first != last else "")
    say(console, f"{drawn.name}, {drawn.scenarios[0].n_ports} ports, {span}")
    few = len(by_policy) <= LEDGER_COLUMNS
    table = ledger_table(by_policy, drawn.name) if few else comparison_table({drawn.name: by_policy})
    print_table(console, table)
    for key, values in provenance(drawn.scenarios).items():
        more = f" (and {len(values) - 1} more)" if len(values) > 1 else ""
        say(console, f"{key}: {values[0]}{more}")
    for path in written:
        say(console, f"wrote {path}")


def _warn_of_failures(results: Sequence[RunResult]) -> None:
    for run in results:
        if run.replaced_requests:
            why = run.failure or f"{run.policy} asked for powers that are no finite number"
            text = f"warning: the rules stood in for {run.replaced_requests} requests of {run.policy}: {why}"
            say(Console(stderr=True), text)


def say(console: Console, text: str) -> None:
    """Print a line as it is: unwrapped, so that a path can be copied whole."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
