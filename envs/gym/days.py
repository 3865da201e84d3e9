"""Where an environment's days come from: drawn afresh at each reset, or a bank drawn beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..safety.projection import Reserve
from ..world.bank import Bank, pack
from ..world.scenario import Scenario
from ..world.settings import ScenarioSettings

if TYPE_CHECKING:
    from ..world.sources import ScenarioFiles

Source = str | Path | ScenarioSettings | Scenario | Sequence[Scenario] | Bank
"""A preset's name, a settings file, a saved day (`.npz`), settings, a day, several, or a packed bank."""

FRESH_DAYS = 2**31
"""Fresh days are numbered from 0 up to this; so many that none comes twice by chance in a usual run."""


class Days(Protocol):
    """Days by number."""

    @property
    def reserve(self) -> Reserve | None:
        """What the preset's projection keeps back; None where the days come without settings."""
        ...

    @property
    def n_ports(self) -> int:
        """Ports of the fleet, the same on every day."""
        ...

    @property
    def n_days(self) -> int:
        """Days there are; a reset draws one of `0 .. n_days - 1`."""
        ...

    def locate(self, day: int) -> tuple[Bank, int]:
        """The bank that holds `day`, and the day's place in it."""
        ...


@dataclass(frozen=True)
class StoredDays:
    """Days of a bank that was drawn beforehand."""

    bank: Bank
    reserve: Reserve | None = None

    @property
    def n_ports(self) -> int:
        return self.bank.first.n_ports

    @property
    def n_days(self) -> int:
        return self.bank.n_days

    def locate(self, day: int) -> tuple[Bank, int]:
        _check_day(day, self.n_days)
        return self.bank, day


@dataclass(frozen=True)
class FreshDays:
    """Days of a preset, each drawn whole when it is asked for."""

    settings: ScenarioSettings
    scenario_seed: int
    split: str
    dtype: str
    files: ScenarioFiles | None = None
    n_days: int = FRESH_DAYS

    @property
    def reserve(self) -> Reserve:
        return _reserve(self.settings)

    @property
    def n_ports(self) -> int:
        return self.settings.ports

    def locate(self, day: int) -> tuple[Bank, int]:
        from ..world.build import build_scenario

        _check_day(day, self.n_days)
        drawn = build_scenario(self.settings, seed=self.scenario_seed, day=day, split=self.split, files=self.files)
        return pack([drawn], self.dtype), 0

    def stored(self, count: int) -> StoredDays:
        """Days `0 .. count - 1`, drawn now."""
        from ..world.build import build_bank_days

        if count < 1:
            raise ValueError(f"{count} days asked for; a bank needs at least 1")
        drawn = build_bank_days(self.settings, self.scenario_seed, range(count), self.split, self.files)
        return StoredDays(pack(list(drawn), self.dtype), self.reserve)


def open_days(
    scenario: Source,
    overrides: Sequence[str] = (),
    *,
    scenario_seed: int = 0,
    split: str = "train",
    bank_days: int | None = None,
    files: ScenarioFiles | None = None,
    dtype: str = "float64",
) -> Days:
    """The days of `scenario`.

    Args:
        scenario: see `Source`.
        overrides: `dotted.key=value` each, for a preset or a settings file.
        scenario_seed: the seed of the preset's days.
        split: `train`, `validation` or `test`, which never share a day.
        bank_days: draw days `0 .. bank_days - 1` now, None: each at its reset.
        files: real sessions, prices, emissions or load instead of drawn ones.
        dtype: precision of the world's arrays.

    Raises:
        ValueError: unknown preset, key, split or file, or arguments that say nothing about stored days.
    """
    if isinstance(scenario, str | Path) and str(scenario).endswith(".npz"):
        scenario = Scenario.load(scenario)
    if isinstance(scenario, str | Path | ScenarioSettings):
        settings = _settings(scenario, overrides)
        fresh = FreshDays(settings, scenario_seed, split, dtype, files)
        return fresh if bank_days is None else fresh.stored(bank_days)
    if overrides or bank_days is not None or files is not None:
        raise ValueError(
            f"overrides {list(overrides)}, bank_days {bank_days} and files {files} belong to a preset or a "
            "settings file; days that are given whole are played as they are"
        )
    if isinstance(scenario, Bank):
        return StoredDays(scenario)
    return StoredDays(pack([scenario] if isinstance(scenario, Scenario) else scenario, dtype))


def draw_day(days: Days, rng: np.random.Generator) -> int:
    """The number of a day drawn from `rng`."""
    return int(rng.integers(days.n_days))


def reset_option(options: dict[str, Any] | None, name: str = "day", also: Sequence[str] = ()) -> Any:
    """The reset option `name`, None where it is not given.

    Raises:
        ValueError: an option that the reset does not know.
    """
    known = [name, *also]
    for unknown in sorted(set(options or ()) - set(known)):
        raise ValueError(f"reset option {unknown!r} is unknown; use {' or '.join(map(repr, known))}")
    return (options or {}).get(name)


def _settings(source: str | Path | ScenarioSettings, overrides: Sequence[str]) -> ScenarioSettings:
    from ..world.build import load_settings

    if not isinstance(source, ScenarioSettings):
        return load_settings(str(source), overrides)
    if overrides:
        raise ValueError(f"overrides {list(overrides)} come with settings; change the settings instead")
    return source


def _reserve(settings: ScenarioSettings) -> Reserve:
    chosen = settings.reserve
    return Reserve(chosen.headroom_factor, chosen.expected_arrivals_factor)


def _check_day(day: int, n_days: int) -> None:
    if not 0 <= day < n_days:
        raise ValueError(f"day {day} asked of {n_days} days; they are numbered from 0 to {n_days - 1}")
