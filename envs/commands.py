"""The commands `ebbflow scenarios ...` and `ebbflow prices fit`; what is heavy is imported when they run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

scenarios = typer.Typer(help="List, show and save scenarios.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="A preset's name or a settings file (.toml).", show_default=False)]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override a setting: dotted.key=value. Repeatable.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@scenarios.command("list")
def list_(json_: JsonOption = False) -> None:
    """List the scenario presets."""
    from rich.console import Console
    from rich.table import Table

    from ..configs.load import preset_names
    from .world.build import load_settings

    presets = [load_settings(name) for name in preset_names("scenarios")]
    if json_:
        print(json.dumps([{"name": p.name, "description": p.description, "ports": p.ports} for p in presets]))
        return
    table = Table()
    for heading in ("scenario", "ports", "meters", "minutes", "what it is"):
        table.add_column(heading, overflow="fold")
    for p in presets:
        table.add_row(p.name, str(p.ports), str(p.n_sites), str(p.interval_minutes), p.description)
    Console().print(table)


@scenarios.command()
def show(name: NameArgument, set_: SetOption = None, json_: JsonOption = False) -> None:
    """Print every setting of a scenario, defaults included, as TOML that can be saved and changed."""
    from ..configs.dump import to_json, to_toml
    from .world.build import load_settings

    settings = load_settings(name, set_ or ())
    print(to_json(settings) if json_ else to_toml(settings), end="\n" if json_ else "")


@scenarios.command()
def save(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="Where the day goes, an .npz file.", show_default=False)],
    day: Annotated[int, typer.Option(min=0, help="Number of the day.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the days.")] = 0,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    set_: SetOption = None,
) -> None:
    """Draw one day of a scenario and keep it for ever: `ebbflow simulate FILE` replays it."""
    from rich.console import Console

    from .world.build import build_scenario, load_settings

    if file.suffix != ".npz":
        raise ValueError(f"{file}: a day is saved as .npz; name it {file.with_suffix('.npz')}")
    drawn = build_scenario(load_settings(name, set_ or ()), seed=seed, day=day, split=split)
    file.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(file)
    text = f"wrote {file}: {drawn.name}, {drawn.start:%a %d %b %Y}, {len(drawn.stays)} stays"
    Console(soft_wrap=True).print(text, markup=False, highlight=False)


def fit_prices(
    day_ahead: Annotated[str, typer.Argument(help="Day-ahead prices (gridstatus or ERCOT format).")],
    real_time: Annotated[
        str | None, typer.Argument(help="Real-time prices of the same place and days.", show_default=False)
    ] = None,
    location: Annotated[str | None, typer.Option(help="Settlement point, where a file holds several.")] = None,
    timezone: Annotated[str, typer.Option(help="Zone of the local day.")] = "America/Los_Angeles",
    least: Annotated[float | None, typer.Option(help="Leave out prices below it, $/kWh.")] = None,
    scale: Annotated[float, typer.Option(min=1e-4, help="About a usual price, $/kWh.")] = 0.02,
    scarce: Annotated[float, typer.Option(min=0.01, help="A day with a price above it is scarce, $/kWh.")] = 1.0,
    json_: JsonOption = False,
) -> None:
    """Fit the price generator to files and print its parameters as a market preset has them."""
    from .world.calendar import time_zone
    from .world.files import read_prices
    from .world.fit_files import fit_files

    zone = time_zone(timezone)
    first = read_prices(day_ahead, location=location)
    second = read_prices(real_time, location=location) if real_time is not None else None
    fitted = fit_files(first, second, zone, least_usd_per_kwh=least, scale_usd_per_kwh=scale, scarce_usd_per_kwh=scarce)
    print(json.dumps(fitted, indent=2) if json_ else _toml(fitted))


def _toml(tables: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, values in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)
