"""The scenario-days that a command asks for: of a preset or settings file, with real files, or saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..envs.safety.projection import Reserve
from ..envs.world.scenario import Scenario
from ..envs.world.sources import ScenarioFiles

if TYPE_CHECKING:
    from ..envs.world.settings import ScenarioSettings

SAVED = ".npz"


@dataclass(frozen=True)
class DayRequest:
    """Which days to draw.

    Args:
        scenario: a preset's name, the path of a settings `.toml`, or a day saved as `.npz`.
        overrides: `dotted.key=value` each.
        seed: of the days' random streams.
        first_day: number of the first day; day `d` depends on seed, split and `d` alone.
        days: how many, one after the other.
        split: `train`, `validation` or `test`, which never share a day.
        files: real data in place of generated series.
    """

    scenario: str
    overrides: tuple[str, ...] = ()
    seed: int = 0
    first_day: int = 0
    days: int = 1
    split: str = "test"
    files: ScenarioFiles | None = None


@dataclass(frozen=True)
class DrawnDays:
    """Days ready to be run, and what the projection keeps back on them."""

    scenarios: tuple[Scenario, ...]
    reserve: Reserve | None  # None: the projection's default
    settings: ScenarioSettings | None  # None: a saved day

    @property
    def name(self) -> str:
        """The scenario's name."""
        return self.scenarios[0].name


Track = Callable[[Iterable[Scenario]], Iterable[Scenario]]


def draw_days(request: DayRequest, track: Track = iter) -> DrawnDays:
    """Draw the days; `track` may wrap them to show progress.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown preset, setting or split, a file that is not what it should be, or a saved day
            together with what only a preset can obey.
    """
    if request.scenario.endswith(SAVED):
        return _saved_day(request)
    from ..envs.world.build import build_scenario, load_settings

    # Who gives a file of emissions wants them counted, also where the preset has none.
    wanted = ("emissions.enabled=true",) if request.files and request.files.emissions else ()
    settings = load_settings(request.scenario, (*wanted, *request.overrides))
    numbers = range(request.first_day, request.first_day + request.days)
    drawn = (
        build_scenario(settings, seed=request.seed, day=day, split=request.split, files=request.files)
        for day in numbers
    )
    kept_back = settings.reserve
    reserve = Reserve(kept_back.headroom_factor, kept_back.expected_arrivals_factor)
    return DrawnDays(tuple(track(drawn)), reserve, settings)


def _saved_day(request: DayRequest) -> DrawnDays:
    if request.overrides or request.files or request.days != 1:
        raise ValueError(
            f"{request.scenario} is one saved day, which is played as it is; "
            "leave out --set, --days and the files, or name a preset"
        )
    if not Path(request.scenario).exists():
        raise ValueError(f"{request.scenario}: no such file; save one with `ebbflow scenarios save`")
    return DrawnDays((Scenario.load(request.scenario),), None, None)


def provenance(scenarios: Iterable[Scenario]) -> dict[str, list[str]]:
    """What is known of the days' origin: each key with its distinct values, in the order of the days."""
    merged: dict[str, list[str]] = {}
    for scenario in scenarios:
        for key, value in scenario.provenance.items():
            values = merged.setdefault(key, [])
            if value not in values:
                values.append(value)
    return merged
