"""How far an evaluation is and how long it will take, on stderr."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class TimeLeft:
    """Estimates what is left from the CPU time of finished tasks: those of one controller take alike, of two do not.

    Args:
        waiting: the controller of each task still to be done.
        workers: tasks done at once.
    """

    def __init__(self, waiting: Iterable[str], workers: int) -> None:
        self._waiting: dict[str, int] = defaultdict(int)
        for name in waiting:
            self._waiting[name] += 1
        self._workers = workers
        self._spent: dict[str, list[float]] = defaultdict(list)

    def done(self, name: str, cpu_s: float) -> None:
        """A task of a controller was finished."""
        self._waiting[name] -= 1
        self._spent[name].append(cpu_s)

    def seconds(self) -> float | None:
        """What is left, in seconds; None before the first task. A controller not yet seen is taken as the mean."""
        means = {name: sum(spent) / len(spent) for name, spent in self._spent.items()}
        if not means:
            return None
        usual = sum(means.values()) / len(means)
        return sum(count * means.get(name, usual) for name, count in self._waiting.items()) / self._workers


class Bar:
    """A progress bar, or nothing where none is wanted."""

    def __init__(self, total: int, left: TimeLeft, shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("tasks"),
            TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
        )  # fmt: skip
        self._left = left
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown)
        self._task = self._progress.add_task("evaluating", total=total, left="")

    @contextmanager
    def running(self) -> Iterator[Bar]:
        """Show the bar while the block runs."""
        with self._progress:
            yield self

    def done(self, name: str, cpu_s: float) -> None:
        """A task was finished."""
        self._left.done(name, cpu_s)
        self._progress.update(self._task, advance=1, left=time_left(self._left.seconds()))

    def say(self, text: str) -> None:
        """What is being done now."""
        self._progress.update(self._task, description=text, left="")


def time_left(seconds: float | None) -> str:
    """A duration for people, without more digits than an estimate has."""
    if seconds is None:
        return ""
    return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"
