"""The command `ebbflow bench curve`: how fast the ways to train learn, on the same days and machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer


def curve(
    scenario: Annotated[str, typer.Argument(help="Scenario preset, or the path of a settings file.")],
    json_: Annotated[Path, typer.Option("--json", help="Where the curves are kept; an interrupted one goes on.")],
    presets: Annotated[str, typer.Option(help="Training presets, separated by commas.")] = "direct,ppo-three-way",
    minutes: Annotated[float, typer.Option(min=0.01, help="CPU minutes of updates for each curve.")] = 10.0,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    days: Annotated[int, typer.Option(min=1, help="Validation days.")] = 64,
    train_days: Annotated[int, typer.Option(min=1, help="Distinct days trained on.")] = 1024,
    quality: Annotated[
        float, typer.Option(help="Captured share, in %, that a curve is to reach and stay above.")
    ] = 78.0,
    device: Annotated[str, typer.Option(help="Where torch computes: cpu or cuda.")] = "cpu",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="dotted.key=value; training.KEY=VALUE for the training preset.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw all curves of the file here.", show_default=False)] = None,
) -> None:
    """Draw learning curves: captured share on validation days over CPU seconds."""
    from rich.console import Console

    from ..run.settings import RunSettings, split_overrides
    from .curve import draw_curve
    from .curve_plot import draw_plot

    console = Console(stderr=True)
    ours, theirs = split_overrides(set_ or ())
    for preset in _names(presets):
        for seed in _names(seeds):
            if not seed.isdecimal():
                raise ValueError(f"seed {seed!r} is no whole number; write for example --seeds 0,1")
            asked = RunSettings(
                scenario=scenario, overrides=ours, training=theirs, algorithm=preset, seed=int(seed), minutes=minutes,
                train_days=train_days, validation_days=days, device=device,
            )  # fmt: skip
            report = draw_curve(asked, json_, lambda text: console.print(text, highlight=False))
    _show(report, quality)
    if plot is not None:
        draw_plot(report, plot)


def time_to_quality(points: Sequence[Mapping[str, Any]], percent: float) -> float | None:
    """CPU seconds from which on a curve stays above a captured share; None where it never does."""
    below = [at for at, p in enumerate(points) if p["captured_percent"] is None or p["captured_percent"] < percent]
    first = below[-1] + 1 if below else 0
    return float(points[first]["cpu_s"]) if first < len(points) else None


def _show(report: Mapping[str, Any], quality: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{report['scenario']}, {report['validation_days']} validation days")
    for heading in ("training/seed", "start, %", "end, %", "CPU s", f"above {quality:g} %\nfrom CPU s on"):
        table.add_column(heading, justify="left" if heading == "training/seed" else "right")
    for name, curve in report["curves"].items():
        first, last = curve["points"][0], curve["points"][-1]
        shares = ["-" if p["captured_percent"] is None else f"{p['captured_percent']:.1f}" for p in (first, last)]
        since = time_to_quality(curve["points"], quality)
        table.add_row(name, *shares, f"{last['cpu_s']:.0f}", "-" if since is None else f"{since:.0f}")
    Console().print(table)


def _names(text: str) -> list[str]:
    """Names separated by commas.

    Raises:
        ValueError: there is none.
    """
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise ValueError(f"{text!r} names nothing; separate names by commas")
    return names
