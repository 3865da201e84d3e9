"""The first part of `make demo`: a day of every preset under every rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..configs.load import preset_names
from .days import DayRequest, draw_days
from .plots import plot_day
from .policy import Policy
from .report import comparison_table, figures_by_policy, print_table
from .run import RunResult, run_days
from .simulation import choose_policies, say

DATE = "2026-07-15"
"""A Wednesday of summer, when tariffs are steep and the depot's transformer is hot."""

PICTURED = ("uncontrolled", "cheapest_hours")


def show_presets(console: Console, folder: Path, presets: Sequence[str] = ()) -> None:
    """A day of the presets, by default of all, under every rule: a table, and pictures in `folder`."""
    names = list(presets) or preset_names("scenarios")
    policies = choose_policies((), True, seed=0)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=len(names) * len(policies))

        def tick(text: str) -> None:
            progress.update(task, advance=1, description=text)

        runs = {name: run_preset(name, policies, tick) for name in names}
    say(console, f"One day, {DATE}, of each preset under every rule:")
    print_table(console, comparison_table({name: figures_by_policy(run) for name, run in runs.items()}))
    say(console, "The last three of each section run without projection, to show that neglect never pays.")
    for name, results in runs.items():
        for run in results:
            if run.policy in PICTURED:
                say(console, f"picture: {plot_day(run, folder / f'{name}-{run.policy}.png')}")


def run_preset(name: str, policies: Sequence[Policy], tick: Callable[[str], None]) -> list[RunResult]:
    """The demo's day of a preset under every policy; `tick` is told after each."""
    drawn = draw_days(DayRequest(name, (f"period_first={DATE}", f"period_last={DATE}")))
    results = []
    for policy in policies:
        results.append(run_days(drawn.scenarios, policy, reserve=drawn.reserve, record=True))
        tick(f"{name}: {policy.name}")
    return results
