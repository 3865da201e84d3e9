"""The command `ebbflow bench train`: how many days a second each way to train learns from here, on CPU or GPU."""

from __future__ import annotations

import json
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from .run.learners import Learner
    from .run.settings import RunSettings

PRESETS = "direct,pathwise,ppo-ports"


class Speed(NamedTuple):
    """Of one way to train, medians over its updates but the first, which compiles."""

    preset: str
    days_per_update: int
    update_s: float
    update_cpu_s: float
    days_per_s: float
    steps_per_s: float  # of a fleet's time steps, learning included


def train(
    scenario: Annotated[str, typer.Argument(help="A preset's name or a settings file (.toml).")] = "home-texas",
    presets: Annotated[str, typer.Option(help="Training presets, separated by commas.")] = PRESETS,
    updates: Annotated[int, typer.Option(min=2, help="Updates timed, the first one left out.")] = 6,
    days: Annotated[int, typer.Option(min=1, help="Distinct days trained on.")] = 256,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="dotted.key=value; training.KEY=VALUE for the training preset.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where torch computes: cpu or cuda.")] = "cpu",
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file too.", show_default=False)
    ] = None,
) -> None:
    """Measure how many days a second a training plays and learns from; `bench curve` measures how well it learns."""
    from rich.console import Console
    from rich.progress import track

    from ..agents.report import write_text
    from ..envs.bench import machine
    from .run.settings import RunSettings, split_overrides

    ours, theirs = split_overrides(set_ or ())
    names = [name.strip() for name in presets.split(",") if name.strip()]
    asked = [
        RunSettings(
            scenario=scenario, overrides=ours, training=theirs, algorithm=name, updates=updates, train_days=days,
            device=device,
        )
        for name in names
    ]  # fmt: skip
    errors = Console(stderr=True)
    measured = [measure(one) for one in track(asked, "timing", console=errors, transient=True)]
    report = {"machine": machine(1), "scenario": scenario, "device": device, "speeds": [s._asdict() for s in measured]}
    if json_ is not None:
        write_text(json.dumps(report, indent=2) + "\n", json_)
    _show(measured, scenario, device)


def measure(settings: RunSettings) -> Speed:
    """Time the updates of a training.

    Raises:
        ValueError: unknown scenario, preset or setting.
    """
    from .run.days import training_days
    from .run.learners import Tick, make_learner

    days = training_days(settings)
    assert settings.updates is not None
    learner = make_learner(settings, days)(settings.updates)
    ends, cpu_s = [time.perf_counter()], []

    def after(tick: Tick) -> None:
        ends.append(time.perf_counter())
        cpu_s.append(tick.seconds)

    learner.run(after)
    took = statistics.median(end - begin for begin, end in pairwise(ends[1:]))
    played = _days_in_update(learner)
    return Speed(
        preset=settings.algorithm,
        days_per_update=played,
        update_s=took,
        update_cpu_s=statistics.median(cpu_s[1:]),
        days_per_s=played / took,
        steps_per_s=played * days.scenarios[0].n_steps / took,
    )


def _days_in_update(learner: Learner) -> int:
    from .direct import DirectSettings

    told = learner.settings
    return int(told.candidates * told.days if isinstance(told, DirectSettings) else told.worlds)


def _show(measured: list[Speed], scenario: str, device: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{scenario}, torch on {device}")
    for heading in ("training", "days an\nupdate", "update, s", "CPU s", "days/s", "steps/s"):
        table.add_column(heading, justify="left" if heading == "training" else "right")
    for one in measured:
        row: list[Any] = [one.preset, f"{one.days_per_update:,}", f"{one.update_s:.3f}", f"{one.update_cpu_s:.3f}"]
        table.add_row(*row, f"{one.days_per_s:,.0f}", f"{one.steps_per_s:,.0f}")
    Console().print(table)
