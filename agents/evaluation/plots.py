"""All pictures of an evaluation with their words, as files and inside the report."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..flexibility import Flexibility
from ..plots import DOTS_PER_INCH, write_png
from ..run import RunResult
from .plots_day import day_figure, flexibility_figure
from .plots_money import accounts_figure, cost_figure
from .plots_service import grid_figure, shortfall_figure
from .plots_style import ranked
from .result import OPTIMUM, REPLAYED, UNCONTROLLED, EvaluationResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = 128
"""Colours of an embedded picture of pixels."""


@dataclass(frozen=True)
class Picture:
    """A figure and what is said about it."""

    name: str  # of its file, without ending
    title: str
    caption: str
    figure: Figure
    dense: bool = False  # so much drawn that pixels take less room than lines

    def write(self, folder: Path) -> Path:
        """Write it as PNG, whole or not at all; returns the path."""
        return write_png(self.figure, folder / f"{self.name}.png")

    def embedded(self) -> str:
        """The figure as a `data:` address, the same to the last byte whenever it is drawn."""
        kind, content = ("png", _small_png(self.figure)) if self.dense else ("svg+xml", _svg(self.figure, self.name))
        return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"

    def size_px(self) -> tuple[int, int]:
        """Width and height at 96 dots per inch."""
        width, height = self.figure.get_size_inches()
        return round(96 * float(width)), round(96 * float(height))


def _svg(figure: Figure, name: str) -> bytes:
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _small_png(figure: Figure) -> bytes:
    """Pixels with a palette, a third of the size."""
    from PIL import Image

    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
    pixels = Image.open(drawn).convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    pixels.save(small, format="png", optimize=True)
    return small.getvalue()


def money_pictures(result: EvaluationResult) -> Iterator[Picture]:
    """What each controller costs, and where each dollar went."""
    arrow = " Arrows name figures beyond the edge." if any(policy.raw for policy in result.policies) else ""
    yield Picture(
        "cost",
        "Net cost and captured share by controller",
        "Left: mean net cost a day with its 95 % interval, which is wide where the days differ. Right: the share of "
        "the gap between charging at once (0) and the perfect-foresight bound (100) that is closed, on the same days, "
        f"with its 95 % interval by paired bootstrap; this is the one to compare controllers by.{arrow}",
        cost_figure(result),
    )
    yield Picture(
        "accounts",
        "Where each dollar went",
        "The accounts of the ledger, costs to the right and earnings to the left; the diamond is their sum. Raw "
        "references are left out. Energy still in the cars is what cars that stay on have stored, valued at a cheap "
        "hour's price.",
        accounts_figure(result),
    )


def service_pictures(result: EvaluationResult) -> Iterator[Picture]:
    """How drivers were served, and what the grid feels."""
    yield Picture(
        "shortfall",
        "How often energy was missing, and how much",
        "The share of days by the energy that cars left without though they could have got it, all cars together; "
        "on the right the worst single departure of all days.",
        shortfall_figure(result),
    )
    yield Picture(
        "grid",
        "Peak, peaker hours and emissions against charging at once",
        "Left: mean of the days' highest feeder import; the dashed line is charging at once. Then the energy of the "
        "cars that each controller keeps out of the evening hours that peaker plants serve, and the emissions it "
        "avoids by marginal rates, where they are known. The bound has no physical figures; its replay has.",
        grid_figure(result),
    )


def day_picture(run: RunResult) -> Picture:
    """The recorded day of one controller."""
    assert run.history is not None
    return Picture(f"day-{_file_name(run.policy)}", run.policy, "", day_figure(run.policy, run.history), True)


def flexibility_picture(run: RunResult, found: Flexibility) -> Picture:
    """What the fleet could have drawn less or more on the recorded day of one controller."""
    assert run.history is not None
    scenario = run.history.day.scenario
    drawn = flexibility_figure(run.policy, scenario, found)
    return Picture(f"flexibility-{_file_name(run.policy)}", f"Flexibility under {run.policy}", "", drawn, True)


def recorded_runs(result: EvaluationResult, recorded: Mapping[str, RunResult]) -> list[RunResult]:
    """The recorded days of projected controllers: the best one first, then charging at once, then by cost."""
    runs = [recorded[name] for name in ranked(result, raw=False) if name in recorded and name != OPTIMUM]
    runs = [run for run in runs if run.history is not None]
    best = next((run.policy for run in runs if run.policy not in (REPLAYED, UNCONTROLLED)), "")
    return sorted(runs, key=lambda run: (run.policy != best, run.policy != UNCONTROLLED))


def _file_name(policy: str) -> str:
    """The controller's name with nothing that a file system minds."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in policy)
