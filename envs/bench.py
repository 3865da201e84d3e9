"""The command `ebbflow bench simulate`: how fast the simulator runs here (terms in contracts 9)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

PRESETS = ("depot-workplace", "home-california")
"""The preset of the figures, and the one that is printed beside it."""

BARS = {"gym_b1": 10_000.0, "batch_1024": 2.5e6, "batch_1024_obs": 1e6, "batch_1024_obs_congested": 0.6e6}
"""Environment steps per second that two quiet cores are to reach."""

PPO_BAR_S = 40.0
IMPORT_BAR_S = 0.5


def simulate(
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file too.", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Distinct days in the bank, drawn beforehand.")] = 4096,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each figure; the median counts.")] = 15,
    worlds: Annotated[int, typer.Option(min=1, help="Worlds of a batch.")] = 1024,
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0: one for each usable core.")] = 0,
    dtype: Annotated[str, typer.Option(help="Precision: float32, as in training, or float64.")] = "float32",
    ppo: Annotated[bool, typer.Option("--ppo", help="Time 100,000 steps of PPO as well.")] = False,
) -> None:
    """Measure how many environment steps a second the simulator makes."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from .gym.fleet import usable_cores
    from .gym.measure import Plan, measure_import_s, measure_ppo_s, measure_preset

    plan = Plan(days, runs, worlds, threads or usable_cores(), dtype)
    console = Console(stderr=True)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as progress:
        measured = {preset: measure_preset(preset, plan, progress) for preset in PRESETS}
        results = measured[PRESETS[0]] | {"import_envs_s": measure_import_s(runs)}
        if ppo:
            results["ppo_100k_s"] = measure_ppo_s(PRESETS[0], progress)
    report = {
        "machine": machine(plan.threads),
        "terms": {"preset": PRESETS[0], "days": days, "runs": runs, "worlds": worlds, "dtype": dtype},
        "results": results,
        "beside": {preset: measured[preset] for preset in PRESETS[1:]},
    }
    if json_ is not None:
        _write(json_, report)
    out = Console()
    out.print(_table(report))
    out.print(_about(report["machine"]), highlight=False, soft_wrap=True)


def machine(threads: int) -> dict[str, Any]:
    """The machine and the versions that the figures belong to."""
    import platform
    from importlib.metadata import version

    from .gym.fleet import usable_cores

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "threads": threads,
        "threading_layer": "Python threads over Numba loops that release the GIL",
        "load_average_1_min": load,
    }


def _processor() -> str:
    import platform

    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def _table(report: dict[str, Any]) -> Table:
    from rich.table import Table

    results, beside = report["results"], report["beside"]
    table = Table(title=f"{report['terms']['worlds']} worlds, medians of {report['terms']['runs']} runs")
    for heading in ("figure", PRESETS[0], "bar", *beside):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    for name, value in results.items():
        others = [_number(name, figures[name]) if name in figures else "" for figures in beside.values()]
        table.add_row(name, _number(name, value), _bar(name), *others)
    return table


def _number(name: str, value: float) -> str:
    return f"{value:.3f} s" if name.endswith("_s") and not name.endswith("per_s") else f"{value:,.0f}"


def _bar(name: str) -> str:
    seconds = {"import_envs_s": IMPORT_BAR_S, "ppo_100k_s": PPO_BAR_S}
    if name in seconds:
        return f"< {seconds[name]:g} s"
    return f"≥ {BARS[name]:,.0f}" if name in BARS else ""


def _about(machine_: dict[str, Any]) -> str:
    load = machine_["load_average_1_min"]
    busy = "" if load is None else f", load average {load:.1f}"
    return (
        f"{machine_['processor']}, {machine_['cores']} cores{busy}; {machine_['threads']} threads: "
        f"{machine_['threading_layer']}; Python {machine_['python']}, NumPy {machine_['numpy']}, "
        f"Numba {machine_['numba']}. Figures without a unit are environment steps per second, "
        "scenario_days_per_s days."
    )


def _write(path: Path, report: dict[str, Any]) -> None:
    """Whole or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(report, indent=2) + "\n")
    partial.replace(path)
