"""The picture of learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...agents.evaluation.plots_style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, WIDTH_IN

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
LEAST_PERCENT = 0.0
"""Below charging at once the curves leave the picture."""


def draw_plot(report: dict[str, Any], path: Path) -> None:
    """Draw all curves of a report, CPU seconds on a logarithmic axis, one colour per training preset.

    Args:
        report: what `curve.draw_curve` gives.
        path: of the picture; the ending says which format.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    made = Figure((WIDTH_IN, 4.2), layout="constrained")
    axes = made.subplots()
    names = list(dict.fromkeys(name.partition("/")[0] for name in report["curves"]))
    for name, curve in report["curves"].items():
        preset = name.partition("/")[0]
        shown = [p for p in curve["points"] if p["captured_percent"] is not None and p["cpu_s"] > 0]
        label = None if preset in axes.get_legend_handles_labels()[1] else preset
        axes.plot(
            [p["cpu_s"] for p in shown], [p["captured_percent"] for p in shown], label=label,
            color=COLOURS[names.index(preset) % len(COLOURS)], linewidth=1.4, alpha=0.9,
        )  # fmt: skip
    for name, share in report["references"].items():
        if share is not None:
            axes.axhline(share, color=GREY, linewidth=1.0, linestyle="--", label=f"{name}, {share:.1f} %")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=LEAST_PERCENT, top=100.0)
    axes.set_xlabel("CPU seconds of training, one core", fontsize=9)
    axes.set_ylabel("captured share on validation days, %", fontsize=9)
    axes.set_title(f"{report['scenario']}, {report['validation_days']} validation days", fontsize=10)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="lower right", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    made.savefig(path, dpi=150)
