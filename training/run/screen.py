"""What people see of a run, on stderr: a bar with the time left, and the captured share so far as a curve."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ...agents.evaluation.progress import time_left
from ...agents.simulation import say

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

T = TypeVar("T")

BLOCKS = " ▁▂▃▄▅▆▇█"
LEAST_SPAN = 5.0
"""Per cents between the lowest and the highest block, so that noise is not drawn as a mountain."""


class Screen:
    """Shows a run: live on a terminal, else a line for each validation.

    Args:
        console: where to; None: stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = console or Console(stderr=True)
        self._live = self._console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), console=self._console, transient=True, auto_refresh=False,
        )  # fmt: skip
        self._task = self._progress.add_task("training", total=None, left="")
        self._began, self._first = time.monotonic(), 0
        self._shares: dict[int, float] = {}
        self._lines: dict[int, str] = {}

    @contextmanager
    def running(self, total: int, done: int) -> Iterator[None]:
        """Show the run while the block runs."""
        from rich.live import Live

        self._began, self._first = time.monotonic(), done
        self._progress.update(self._task, total=total, completed=done)
        if not self._live:
            yield
            return
        with Live(get_renderable=self._picture, console=self._console, transient=True, refresh_per_second=4):
            yield

    def track(self, drawn: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Days or fleets, with a bar while they are drawn."""
        from rich.progress import track

        yield from track(drawn, f"drawing {what}", total, console=self._console, transient=True, disable=not self._live)

    def say(self, text: str) -> None:
        """A line that stays."""
        say(self._console, text)

    def update(self, row: Mapping[str, Any]) -> None:
        """An update was made."""
        made, total = row["update"] - self._first, self._progress.tasks[0].total
        spent = time.monotonic() - self._began
        left = time_left(spent / made * (total - row["update"])) if total and made > 0 else ""
        text = f"training, {row['usd_per_car_day']:.3f} $ per car and day" if "usd_per_car_day" in row else "training"
        self._progress.update(self._task, completed=row["update"], description=text, left=left)

    def known(self, updates: Iterable[int]) -> None:
        """Validations that were shown before the run was gone on with."""
        self._lines |= dict.fromkeys(updates, "")

    def validated(self, row: Mapping[str, Any], captured: float | None, mpc: float | None, best: bool) -> None:
        """The network was tried on the validation days, or is now known to have captured so much."""
        if captured is not None:
            self._shares[row["update"]] = captured
        line = validation_line(row, captured, mpc) + (", the best so far" if best else "")
        new = row["update"] not in self._lines
        self._lines[row["update"]] = line
        if new and not self._live:
            self.say(line)

    def _picture(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        latest = next(reversed(self._lines.values()), "")
        curve = sparkline(list(self._shares.values()), max(10, min(60, self._console.width - 40)))
        title = f"captured  {curve}" if curve else "captured  (the optimum is being computed)"
        return Group(self._progress, Text(title, no_wrap=True), Text(latest, no_wrap=True))


def sparkline(values: list[float], width: int) -> str:
    """The last `width` values as blocks between their lowest and highest, which are written beside them."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = max(high - low, LEAST_SPAN)
    blocks = "".join(BLOCKS[round((value - low) / span * (len(BLOCKS) - 1))] for value in shown)
    return f"{low:.1f} % {blocks} {high:.1f} %"


def validation_line(row: Mapping[str, Any], captured: float | None, mpc: float | None) -> str:
    """A validation in words."""
    parts = [f"update {row['update']}", f"{row['cpu_s']:.0f} CPU s"]
    parts.append(f"validation {row['usd_per_car_day']:.3f} $ per car and day")
    if captured is not None:
        against = "" if mpc is None else f" (mpc {mpc:.1f})"
        parts.append(f"captured {captured:.1f} %{against}")
    met = row["figures"].get("departures_met_percent")
    if met is not None:
        parts.append(f"departures met {met:.1f} %")
    return ", ".join(parts)
