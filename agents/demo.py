"""`make demo`: a day of every preset under every rule, then days of one beside MPC and the optimum, with a report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..configs.load import preset_names
from .days import DayRequest, draw_days
from .evaluation.command import evaluate_and_show
from .plots import plot_day
from .policy import Policy
from .report import comparison_table, figures_by_policy, print_table
from .run import RunResult, run_days
from .simulation import Outputs, choose_policies, say

FOLDER = Path("runs/demo")
DATE = "2026-07-15"
"""A Wednesday of summer, when tariffs are steep and the depot's transformer is hot."""

PICTURED = ("uncontrolled", "cheapest_hours")
EVALUATED, EVALUATED_DAYS = "home-california", 7
NEXT = "ebbflow evaluate depot-workplace --policies cheapest_hours,mpc --out runs/depot --days 20"


def main(folder: Path = FOLDER, presets: Sequence[str] = (), evaluated_days: int = EVALUATED_DAYS) -> int:
    """Run the demo, by default on all presets; pictures and report go into `folder`. Returns the exit code.

    Args:
        folder: where to write.
        presets: of which a day is simulated.
        evaluated_days: how many days are evaluated.
    """
    console, began = Console(), time.perf_counter()
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
    say(console, f"\n{evaluated_days} days of {EVALUATED} under every rule, MPC and the optimum:")
    evaluate_and_show(Outputs(folder / "evaluation"), EVALUATED, None, days=evaluated_days)
    say(console, f"The demo took {time.perf_counter() - began:.0f} s. Type next:")
    say(console, f"  {NEXT}")
    return 0


def run_preset(name: str, policies: Sequence[Policy], tick: Callable[[str], None]) -> list[RunResult]:
    """The demo's day of a preset under every policy; `tick` is told after each."""
    drawn = draw_days(DayRequest(name, (f"period_first={DATE}", f"period_last={DATE}")))
    results = []
    for policy in policies:
        results.append(run_days(drawn.scenarios, policy, reserve=drawn.reserve, record=True))
        tick(f"{name}: {policy.name}")
    return results


if __name__ == "__main__":
    sys.exit(main())
