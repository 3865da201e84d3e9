"""The command `ebbflow train`; whatever is heavy is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...agents.commands import (
    EmissionsOption,
    ExportPricesOption,
    LoadOption,
    LocationOption,
    MarketOption,
    PricesOption,
    SessionsOption,
)

BUDGET = "How long, and on what"
RECORD = "Where it is recorded"
MINUTES = 10.0

ScenarioArgument = Annotated[
    str | None,
    typer.Argument(help="A preset's name or a settings file (.toml); none with --resume.", show_default=False),
]
AlgorithmOption = Annotated[
    str | None, typer.Option("--algorithm", "-a", help="A training preset or a file of one; direct by default.")
]
MinutesOption = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help=f"CPU minutes of updates, turned into their number by timing a few; {MINUTES:g} by default.",
        rich_help_panel=BUDGET,
        show_default=False,
    ),
]
UpdatesOption = Annotated[
    int | None,
    typer.Option(min=1, help="Exactly so many updates, in place of --minutes.", rich_help_panel=BUDGET),
]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Seed of weights, noise and days; 0 by default.")]
SettingOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="dotted.key=value of the scenario, training.KEY=VALUE of the algorithm. Repeatable."),
]
ValidationSetOption = Annotated[
    list[str] | None,
    typer.Option("--validation-set", help="As --set, for the validation days alone.", rich_help_panel=BUDGET),
]
TrainDaysOption = Annotated[
    int | None, typer.Option(min=1, help="Distinct days trained on; 2048 by default.", rich_help_panel=BUDGET)
]
FleetsOption = Annotated[
    int | None,
    typer.Option(
        min=0, help="Fleets of all sizes and kinds to train on beside the scenario; none by default.",
        rich_help_panel=BUDGET, show_default=False,
    ),
]  # fmt: skip
SpecialistOption = Annotated[
    bool | None,
    typer.Option(
        "--specialist/--general", help="Those fleets are like the scenario, mostly; or like any; any by default.",
        rich_help_panel=BUDGET, show_default=False,
    ),
]  # fmt: skip
ValidationDaysOption = Annotated[
    int | None,
    typer.Option(min=2, help="Days on which the best network is chosen; 64 by default.", rich_help_panel=BUDGET),
]
StartOption = Annotated[
    Path | None, typer.Option(help="Begin with the weights of this run, or of a file.", show_default=False)
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder of the run; a new one below runs/train by default.", show_default=False)
]
TrackingOption = Annotated[
    str | None,
    typer.Option(
        help="MLflow store: sqlite:///FILE, http://..., or none. By default MLFLOW_TRACKING_URI, else "
        "sqlite:///mlflow.db. With --resume: another store for the run, or none, from then on.",
        rich_help_panel=RECORD,
        show_default=False,
    ),
]
RegisterOption = Annotated[
    bool | None,
    typer.Option(
        "--register/--no-register", help="Make the best network the registered challenger; yes where there is a store.",
        rich_help_panel=RECORD, show_default=False,
    ),
]  # fmt: skip
TestDaysOption = Annotated[
    int | None,
    typer.Option(min=0, help="Unseen days of the evaluation at the end; 20 by default.", rich_help_panel=RECORD),
]
BundleOption = Annotated[
    bool | None,
    typer.Option(
        "--bundle/--no-bundle", help="Write the bundle at the end and do what needs it; yes by default.",
        rich_help_panel=RECORD, show_default=False,
    ),
]  # fmt: skip
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        help="Go on with the run in this folder, as it was begun; beside it only --tracking is taken.",
        show_default=False,
    ),
]
CheckpointOption = Annotated[
    float | None, typer.Option("--checkpoint-seconds", min=0, help="Seconds between checkpoints; 20 by default.")
]
DeviceOption = Annotated[str | None, typer.Option(help="Where torch computes: cpu by default, cuda.")]


def train(
    scenario: ScenarioArgument = None,
    algorithm: AlgorithmOption = None,
    minutes: MinutesOption = None,
    updates: UpdatesOption = None,
    seed: SeedOption = None,
    set_: SettingOption = None,
    train_days: TrainDaysOption = None,
    fleets: FleetsOption = None,
    specialist: SpecialistOption = None,
    validation_days: ValidationDaysOption = None,
    validation_set: ValidationSetOption = None,
    start: StartOption = None,
    sessions: SessionsOption = None,
    prices: PricesOption = None,
    export_prices: ExportPricesOption = None,
    emissions: EmissionsOption = None,
    load: LoadOption = None,
    location: LocationOption = None,
    market: MarketOption = None,
    device: DeviceOption = None,
    checkpoint_seconds: CheckpointOption = None,
    tracking: TrackingOption = None,
    register: RegisterOption = None,
    test_days: TestDaysOption = None,
    bundle: BundleOption = None,
    out: OutOption = None,
    resume: ResumeOption = None,
) -> None:
    """Train a policy, with the best network chosen on validation days.

    Ctrl-C saves, and `--resume FOLDER` goes on to the very weights of an unbroken run (on a CPU).
    """
    files: dict[str, Any] = {
        "sessions": sessions, "prices": prices, "export_prices": export_prices, "emissions": tuple(emissions or ()),
        "load": load, "location": location, "market": market,
    }  # fmt: skip
    asked: dict[str, Any] = {
        "algorithm": algorithm, "minutes": minutes, "updates": updates, "seed": seed, "train_days": train_days,
        "fleets": fleets, "specialist": specialist,
        "validation_days": validation_days, "validation_overrides": tuple(validation_set or ()), "device": device,
        "start": None if start is None else str(start), "checkpoint_s": checkpoint_seconds,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None and value != ()}
    recorded: dict[str, Any] = {"tracking": tracking, "register": register, "test_days": test_days, "bundle": bundle}
    said = any(value is not None for name, value in recorded.items() if name != "tracking")
    _check(scenario, resume, given, out, bool(set_) or any(files.values()) or said)
    from .work import train_and_tell

    if resume is not None:
        train_and_tell(None, None, resume, store=tracking)
        return
    from ...envs.world.sources import ScenarioFiles
    from .recording import recording_of
    from .settings import RunSettings, split_overrides

    overrides, training = split_overrides(set_ or ())
    if minutes is None and updates is None:
        given["minutes"] = MINUTES
    chosen = ScenarioFiles(**files)
    settings = RunSettings(
        scenario=str(scenario), overrides=overrides, training=training, files=chosen if chosen else None, **given
    )
    train_and_tell(settings, recording_of(settings.scenario, **recorded), out)


def _check(scenario: str | None, resume: Path | None, given: dict[str, Any], out: Path | None, more: bool) -> None:
    """Refuse what contradicts itself."""
    if resume is None:
        if scenario is None:
            raise ValueError("no scenario is given; name one (`ebbflow scenarios list`), or --resume a run's folder")
        if "minutes" in given and "updates" in given:
            raise ValueError("both --minutes and --updates are given; give one of them")
        if "specialist" in given and not given.get("fleets"):
            kind = "--specialist" if given["specialist"] else "--general"
            raise ValueError(
                f"{kind} says what drawn fleets are like, and none are drawn; add --fleets, or leave it out"
            )
        return
    if scenario or given or more or out:
        raise ValueError(
            f"a run is gone on with as it was begun; leave out all but --resume {resume}, and --tracking if the run is "
            "to be recorded elsewhere from now on"
        )
