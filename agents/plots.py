"""Pictures of runs, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .run import RunResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH = 130


def plot_day(result: RunResult, path: str | Path) -> Path:
    """Draw a run's recorded day: power stacked by car, the room under the limits, prices, states of charge.

    Args:
        result: of `run_days(..., record=True)`.
        path: where the PNG goes; its folder is made.

    Raises:
        ValueError: the run was not recorded.
    """
    if result.history is None:
        raise ValueError(f"the run of {result.policy!r} has no history; run it with record=True")
    from ..envs.gym.render import figure

    record = result.history.day
    picture = figure(record)
    scenario = record.scenario
    cost = result.ledgers[0].net_cost_usd
    picture.suptitle(
        f"{scenario.name} under {result.policy}, {scenario.start:%A %d %B %Y}: net cost {cost:,.2f} $",
        fontsize=12,
    )
    return write_png(picture, Path(path))


def write_png(picture: Figure, target: Path) -> Path:
    """Save a figure as PNG under a temporary name first, so that no half picture is left behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    try:
        picture.savefig(partial, format="png", dpi=DOTS_PER_INCH)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target
