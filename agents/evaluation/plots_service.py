"""Pictures of what drivers and utility get: shortfalls, peak, emissions, and energy kept out of the evening peak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .plots_style import GREY, INK, colour_of, name_rows, plain, ranked, row_figure
from .result import UNCONTROLLED, EvaluationResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...envs.simulator import DayLedger

SHORTFALL_EDGES_KWH = (0.05, 0.5, 2.0, 10.0)
"""The first is what a departure may lack and still count as met (contracts 3)."""


def shortfall_figure(result: EvaluationResult) -> Figure:
    """How many of the days left how much unserved, and the worst single departure of all days."""
    from matplotlib.patches import Patch

    names = ranked(result, bound=False)
    made, (axes,) = row_figure(len(names), extra_in=0.5)
    days = [result.policy(name).ledgers for name in names]
    kwh = [[days_of[at].tallies["unserved_kwh"] for at in result.headline_days()] for days_of in days]
    edges = [-np.inf, *SHORTFALL_EDGES_KWH, np.inf]
    shares = np.array([100.0 * np.histogram(values, edges)[0] / len(values) for values in kwh])
    labels = _bin_labels()
    colours = _shades(len(labels))
    left = np.zeros(len(names))
    for part, colour in zip(shares.T, colours, strict=True):
        some = np.flatnonzero(part)  # a bar of no width would still show its edges
        axes.barh(some, part[some], left=left[some], height=0.66, color=colour, edgecolor=INK, linewidth=0.3)
        left += part
    for row, name in enumerate(names):
        worst = result.headline[name]["worst_shortfall_kwh"]
        axes.text(101.5, row, "-" if worst is None else f"{worst:,.1f} kWh", va="center", fontsize=8, color=INK)
    axes.text(101.5, -0.75, "worst car", va="bottom", fontsize=8, color=INK)
    axes.set_xlim(0.0, 116.0)
    axes.set_xticks(range(0, 101, 20))
    name_rows(axes, names)
    plain(axes, "share of days (%)")
    title = "Unserved energy of a day"
    boxes = [Patch(facecolor=c, edgecolor=INK, linewidth=0.3, label=k) for c, k in zip(colours, labels, strict=True)]
    made.legend(
        handles=boxes, loc="outside upper center", ncols=5, fontsize=8, frameon=False, title=title, title_fontsize=9
    )
    return made


def _bin_labels() -> list[str]:
    edges = [f"{edge:g}" for edge in SHORTFALL_EDGES_KWH]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"below {edges[0]} kWh", *between, f"above {edges[-1]}"]


def _shades(count: int) -> list[str]:
    """White for nothing, then darker and darker; cividis is made for all eyes."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return ["#ffffff", *(to_hex(colour) for colour in colormaps["cividis_r"](np.linspace(0.05, 1.0, count - 1)))]


def grid_figure(result: EvaluationResult) -> Figure:
    """What a utility pays for, against charging at once: peak, emissions, energy kept out of the peaker hours."""
    names = ranked(result, raw=False, bound=False)
    base = _mean(result, UNCONTROLLED)
    known = not np.isnan(base(_co2))
    panels: list[tuple[str, Callable[[str], float], float | None]] = [
        ("mean daily peak (kW)", lambda name: _mean(result, name)(_peak), base(_peak)),
        ("kept out of the\npeaker hours (kWh a day)", lambda name: base(_peaker) - _mean(result, name)(_peaker), None),
    ]
    if known:
        avoided = ("emissions avoided\n(kg CO\u2082 a day)", lambda name: base(_co2) - _mean(result, name)(_co2), None)
        panels.append(avoided)
    made, axes = row_figure(len(names), columns=len(panels), extra_in=0.1)
    for panel, (label, value, reference) in zip(axes, panels, strict=True):
        _draw_bars(panel, result, names, [value(name) for name in names], reference)
        plain(panel, label)
    name_rows(axes[0], names)
    made.suptitle("What the grid feels, against charging at once", fontsize=10.5)
    return made


def _draw_bars(
    axes: Axes, result: EvaluationResult, names: Sequence[str], values: Sequence[float], reference: float | None
) -> None:
    colours = [colour_of(result, name) for name in names]
    axes.barh(range(len(names)), values, height=0.66, color=colours)
    low, high = min(*values, 0.0), max(*values, reference or 0.0, 1e-9)
    span = high - low
    for row, value in enumerate(values):
        inside = value > 0.45 * span  # long bars hold their figure, clear of the line that marks charging at once
        at = value - 0.02 * span if inside else max(value, 0.0) + 0.02 * span
        text, side = f"{round(value, 1) + 0.0:,.1f}", "right" if inside else "left"
        axes.text(at, row, text, va="center", ha=side, fontsize=8, color="white" if inside else INK)
    axes.set_xlim(low - 0.03 * span, high + 0.25 * span)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    if reference is not None:
        axes.axvline(reference, color=GREY, linewidth=1.0, linestyle="--", zorder=0)


def _mean(result: EvaluationResult, name: str) -> Callable[[Callable[[DayLedger], float]], float]:
    """Means over the headline's days of one controller."""
    ledgers = [result.policy(name).ledgers[at] for at in result.headline_days()]
    return lambda figure: float(np.mean([figure(ledger) for ledger in ledgers]))


def _peak(ledger: DayLedger) -> float:
    return ledger.tallies["peak_kw"]


def _co2(ledger: DayLedger) -> float:
    return ledger.tallies["co2_kg"]


def _peaker(ledger: DayLedger) -> float:
    return ledger.tallies["peaker_window_kwh"]


def kept_out_of_peak_kwh(result: EvaluationResult, name: str) -> float:
    """Energy a day that a controller keeps out of the evening peak, against charging at once, kWh."""
    return _mean(result, UNCONTROLLED)(_peaker) - _mean(result, name)(_peaker)
