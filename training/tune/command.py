"""The command `ebbflow tune`; whatever is heavy is imported when it runs."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

DEFAULT_STORAGE = "sqlite:///runs/tune/studies.db"
MINUTES = 1.0


def tune(
    scenario: Annotated[str, typer.Argument(help="A preset's name or a settings file (.toml).")],
    trials: Annotated[int, typer.Option(min=1, help="Trials of the whole study, earlier ones included.")] = 30,
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=LOW..HIGH, KEY=LOW..HIGH,log or KEY=A|B|C. Repeatable; by default the chief settings.",
            show_default=False,
        ),
    ] = None,
    algorithm: Annotated[
        str | None, typer.Option("--algorithm", "-a", help="A training preset or a file of one; direct by default.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help=f"CPU minutes of a trial; {MINUTES:g} by default.", show_default=False),
    ] = None,
    updates: Annotated[int | None, typer.Option(min=1, help="Exactly so many updates a trial.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the trials' runs and of what is proposed.")] = 0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="As in `ebbflow train`. Repeatable.")] = None,
    train_days: Annotated[int, typer.Option(min=1, help="Distinct days trained on.")] = 1024,
    validation_days: Annotated[int, typer.Option(min=2, help="Days that a trial is judged on.")] = 64,
    study: Annotated[
        str | None, typer.Option(help="Name; by default scenario and algorithm.", show_default=False)
    ] = None,
    storage: Annotated[
        str, typer.Option(help="Address of the study's database; machines that name the same one share the study.")
    ] = DEFAULT_STORAGE,
    tracking: Annotated[str | None, typer.Option(help="MLflow store; see `ebbflow train`.", show_default=False)] = None,
) -> None:
    """Search settings of the training with Optuna; each trial is a short run, stopped early where it lags behind.

    A stopped study goes on where it was: type the same command again.
    """
    from rich.console import Console

    from ...agents.simulation import say
    from ..run.settings import DEFAULT, RunSettings, split_overrides
    from ..tracking.store import tracking_uri
    from .study import best_overrides, run_search, search_of

    if minutes is not None and updates is not None:
        raise ValueError("both --minutes and --updates are given; give one of them")
    overrides, training = split_overrides(set_ or ())
    settings = RunSettings(
        scenario=scenario, overrides=overrides, training=training, algorithm=algorithm or DEFAULT, seed=seed,
        updates=updates,
        minutes=None if updates else minutes or MINUTES, train_days=train_days, validation_days=validation_days,
    )  # fmt: skip
    asked = search_of(study, storage, settings, tuple(search or ()), trials=trials, tracking=tracking_uri(tracking))
    errors = Console(stderr=True)
    found = run_search(asked, lambda text: say(errors, text))
    best = best_overrides(found, asked)
    console = Console()
    if not best:
        say(console, "no trial has come to its end; ask for more --trials")
        return
    say(console, f"best of {len(found.trials)} trials: {found.best_value:.4f} $ per car and day on validation days")
    words = ["ebbflow", "train", scenario, "-a", settings.algorithm]
    say(console, shlex.join([*words, *(part for text in [*(set_ or ()), *best] for part in ("--set", text))]))
