"""The commands `ebbflow simulate` and `ebbflow evaluate`; whatever is heavy is imported when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REAL_FILES = "Real files in place of generated series"

ScenarioArgument = Annotated[
    str,
    typer.Argument(help="A preset's name, a settings file (.toml) or a saved day (.npz).", show_default=False),
]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--policy", "-p", help="A rule, a raw reference, package.module:Class, or NAME=PATH. Repeatable."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every rule and every raw reference.")]
DaysOption = Annotated[int, typer.Option(min=1, help="How many days.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the days.")]
DayOption = Annotated[int, typer.Option("--day", min=0, help="Number of the first day.")]
SplitOption = Annotated[str, typer.Option(help="train, validation or test.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: dotted.key=value. Repeatable.")]
SessionsOption = Annotated[
    str | None,
    typer.Option(help="Charging sessions (ACN or Norwegian home format).", rich_help_panel=REAL_FILES),
]
PricesOption = Annotated[
    str | None,
    typer.Option(help="Wholesale prices (gridstatus or ERCOT format).", rich_help_panel=REAL_FILES),
]
ExportPricesOption = Annotated[
    str | None, typer.Option(help="What an exported kWh earns, same formats.", rich_help_panel=REAL_FILES)
]
EmissionsOption = Annotated[
    list[str] | None,
    typer.Option(help="Marginal emissions with issued forecasts. Repeatable.", rich_help_panel=REAL_FILES),
]
LoadOption = Annotated[str | None, typer.Option(help="Base load of the sites.", rich_help_panel=REAL_FILES)]
LocationOption = Annotated[
    str | None,
    typer.Option(help="Settlement point, where a price file holds several.", rich_help_panel=REAL_FILES),
]
MarketOption = Annotated[
    str | None, typer.Option(help="Market, where a price file holds several.", rich_help_panel=REAL_FILES)
]
PartOption = Annotated[
    str,
    typer.Option(
        help="Which part of the dates of sessions and prices: all, train (the first 70 %), validation (15), test (15). "
        "Training sees train alone.",
        rich_help_panel=REAL_FILES,
    ),
]
BackendOption = Annotated[str, typer.Option(help="auto, numba or numpy.")]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder for plots, days.csv and settings.toml; runs/simulate by default.")
]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", help="Write the result as JSON to a file, or - for stdout and nothing else."),
]

PoliciesOption = Annotated[
    str | None,
    typer.Option(
        "--policies",
        help="Names, separated by commas: rules, mpc, learned (from the registry), raw references, "
        "package.module:Class, NAME=PATH of a bundle or a stable-baselines3 zip; or all. By default every rule and "
        "mpc. uncontrolled and optimum are always there.",
        show_default=False,
    ),
]
ManyDaysOption = Annotated[
    int | None,
    typer.Option("--days", min=1, help="How many days; by default 200, or every date of a price file."),
]
EvaluationSplitOption = Annotated[
    str,
    typer.Option("--split", help="clean; misreport: drivers say wrong things; emergency: days above 1 $/kWh alone."),
]
EngineOption = Annotated[str, typer.Option(help="processes, or ray for a cluster (an extra).")]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes; by default as many as cores.", show_default=False)
]
EvaluationOutOption = Annotated[
    Path, typer.Option(help="Folder for report, days.csv and finished tasks, from which a stopped run goes on.")
]

DEFAULT_OUT = Path("runs/simulate")
DEFAULT_EVALUATION_OUT = Path("runs/evaluate")


def simulate(
    scenario: ScenarioArgument,
    policy: PolicyOption = None,
    all_: AllOption = False,
    days: DaysOption = 1,
    seed: SeedOption = 0,
    day: DayOption = 0,
    split: SplitOption = "test",
    set_: SetOption = None,
    sessions: SessionsOption = None,
    prices: PricesOption = None,
    export_prices: ExportPricesOption = None,
    emissions: EmissionsOption = None,
    load: LoadOption = None,
    location: LocationOption = None,
    market: MarketOption = None,
    part: PartOption = "all",
    backend: BackendOption = "auto",
    out: OutOption = None,
    json_: JsonOption = None,
) -> None:
    """Simulate days of a fleet under one policy or several: ledger, plot, JSON."""
    from ..envs.world.sources import ScenarioFiles
    from .days import DayRequest
    from .simulation import Outputs, choose_policies, simulate_days

    files = ScenarioFiles(sessions, prices, export_prices, tuple(emissions or ()), load, location, market, part)
    request = DayRequest(scenario, tuple(set_ or ()), seed, day, days, split, files)
    folder = out or (None if json_ == "-" else DEFAULT_OUT)
    simulate_days(request, choose_policies(policy or (), all_, seed, scenario), backend, Outputs(folder, json_))


def evaluate(
    scenario: ScenarioArgument,
    policies: PoliciesOption = None,
    days: ManyDaysOption = None,
    seed: SeedOption = 0,
    day: DayOption = 0,
    split: EvaluationSplitOption = "clean",
    engine: EngineOption = "processes",
    workers: WorkersOption = None,
    set_: SetOption = None,
    sessions: SessionsOption = None,
    prices: PricesOption = None,
    export_prices: ExportPricesOption = None,
    emissions: EmissionsOption = None,
    load: LoadOption = None,
    location: LocationOption = None,
    market: MarketOption = None,
    part: PartOption = "all",
    backend: BackendOption = "auto",
    out: EvaluationOutOption = DEFAULT_EVALUATION_OUT,
    json_: JsonOption = None,
) -> None:
    """Evaluate controllers on the same days, beside charging at once and the perfect-foresight optimum.

    A stopped run goes on where it was: type the same command again.
    """
    from ..envs.world.sources import ScenarioFiles
    from .evaluation.command import evaluate_and_show
    from .simulation import Outputs

    names = None if policies is None else [name.strip() for name in policies.split(",") if name.strip()]
    files = ScenarioFiles(sessions, prices, export_prices, tuple(emissions or ()), load, location, market, part)
    evaluate_and_show(
        Outputs(out, json_),
        scenario,
        names,
        days=days,
        seed=seed,
        first_day=day,
        split=split,
        overrides=tuple(set_ or ()),
        files=files if files else None,
        engine=engine,
        workers=workers,
        backend=backend,
    )


def guarantee(
    days: Annotated[int, typer.Option(min=1, help="Days of each row.")] = 500,
    rows: Annotated[str, typer.Option(help="Rows of the study, separated by commas.")] = "a,b,c,d,e",
    json_: Annotated[
        Path | None,
        typer.Option("--json", help="Write the figures to this file; an interrupted run goes on from it."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw the days.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the days.")] = 0,
) -> None:
    """Measure the departure guarantee on shared limits against perfect foresight."""
    from .studies.command import parse_rows, run_study, show

    show(run_study(parse_rows(rows), days, seed, workers, json_))


def decide(
    scenario: Annotated[str, typer.Argument(help="Scenario preset, or the path of a settings file.")] = (
        "home-california"
    ),
    policy: Annotated[
        str, typer.Option("--policy", "-p", help="learned (from the registry), NAME=PATH of a bundle, or a rule.")
    ] = "learned",
    sizes: Annotated[str, typer.Option(help="Numbers of ports, separated by commas.")] = "25,1000,10000",
    days: Annotated[int, typer.Option(min=1, help="Days decided in lock-step, by MPC too.")] = 200,
    seed: SeedOption = 0,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
) -> None:
    """Measure what a decision costs: live, without a compiler, and in lock-step against MPC."""
    from .studies.decisions_command import bench_decide, parse_sizes

    bench_decide(scenario, policy, parse_sizes(sizes), days, seed, json_)
