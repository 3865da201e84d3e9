"""What all pictures of an evaluation have in common: colours for all eyes, rows of controllers, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .result import OPTIMUM, REPLAYED, UNCONTROLLED, EvaluationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, https://jfly.uni-koeln.de/color/: told apart by all eyes.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
GREY, INK = "#767676", "#222222"

WIDTH_IN = 7.2
ROW_IN, FRAME_IN = 0.3, 1.25
"""Height of a controller's row, and of title, axis and legend together."""


def ranked(result: EvaluationResult, *, raw: bool = True, bound: bool = True) -> list[str]:
    """The controllers by net cost, the cheapest first.

    Args:
        result: whose controllers.
        raw: with the references that ran without projection.
        bound: with `optimum`, which has dollars but no physical figures.
    """
    names = [p.name for p in result.policies if (raw or not p.raw) and (bound or p.name != OPTIMUM)]
    return sorted(names, key=lambda name: result.headline[name]["net_cost_usd"] or 0.0)


def colour_of(result: EvaluationResult, name: str) -> str:
    """Grey for charging at once, green for the optimum, vermilion for what ran raw, blue for every other."""
    if name == UNCONTROLLED:
        return GREY
    if name in (OPTIMUM, REPLAYED):
        return GREEN
    return VERMILION if result.policy(name).raw else BLUE


def row_figure(rows: int, columns: int = 1, extra_in: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A figure with a row per controller and so many panels side by side; the rows are named on the left."""
    from matplotlib.figure import Figure

    made = Figure((WIDTH_IN, FRAME_IN + extra_in + ROW_IN * rows), layout="constrained")
    panels = made.subplots(1, columns, sharey=True, squeeze=False)[0]
    return made, list(panels)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Write the controllers on the left, the first on top."""
    shown = [f"{name} (bound)" if name == OPTIMUM else name for name in names]
    axes.set_yticks(range(len(names)), shown, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)


def plain(axes: Axes, label: str) -> None:
    """A quiet frame with the quantity and unit under it."""
    axes.set_xlabel(label, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
