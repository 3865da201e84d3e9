"""Packed days of drawn fleets.

Days are not kept on disk: reading one back takes as long as drawing it, 3 to 7 ms for 25 ports.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...envs.safety.projection import Reserve
from ...envs.world.bank import Bank, pack
from ...envs.world.build import build_scenario
from ...envs.world.scenario import Scenario
from ...envs.world.settings import ScenarioSettings
from .fleets import Distribution, draw_fleet

FOLDER = Path("runs/fleets")
"""Where drawn tariffs and markets are written."""


@dataclass(frozen=True)
class Fleet:
    """A fleet to train on."""

    settings: ScenarioSettings
    bank: Bank
    reserve: Reserve  # what its projection keeps back


def drawn_fleets(
    distribution: Distribution, *, seed: int, fleets: int, days: int, folder: Path = FOLDER
) -> Iterator[Fleet]:
    """Fleets of a seed in the order of their numbers, each drawn when it is asked for.

    Args:
        distribution: what they are drawn from.
        seed: of fleets and days; a second run gives the same.
        fleets: how many.
        days: of each, of the split `train`; no two fleets share one.
        folder: where drawn tariffs and markets are written; the fleets' settings name these files.

    Raises:
        ValueError: fewer than one fleet or day, or an unknown preset or override.
    """
    if fleets < 1 or days < 1:
        raise ValueError(f"{fleets} fleets of {days} days; give at least one of each")

    def fill(number: int) -> Fleet:
        settings = draw_fleet(distribution, seed, number, folder.absolute())
        scenarios = fleet_days(settings, seed, number * days, days)
        kept_back = settings.reserve
        reserve = Reserve(kept_back.headroom_factor, kept_back.expected_arrivals_factor)
        return Fleet(settings, pack(scenarios, "float32"), reserve)

    return map(fill, range(fleets))


def fleet_days(settings: ScenarioSettings, seed: int, first: int, days: int) -> list[Scenario]:
    """Days of a drawn fleet to train on.

    Args:
        settings: of the fleet.
        seed: of the days.
        first: number of the first one; fleet `n` of those that have `days` each begins with `n * days`.
        days: how many, one after the other.
    """
    return [build_scenario(settings, seed=seed, day=day, split="train") for day in range(first, first + days)]
