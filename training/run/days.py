"""The days of a run: many to train on, and others on which the best network is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ...agents.days import SAVED, DayRequest, DrawnDays, Track, draw_days
from ...agents.evaluation.plan import Plan, make_plan
from ...envs.safety.projection import Reserve
from ...envs.world.bank import Bank, pack
from ...envs.world.parts import TEST, TRAIN, VALIDATION
from .settings import RunSettings

if TYPE_CHECKING:
    from ..distribution import Distribution, Fleet

VALIDATION_SEED = 0
"""Every run of a scenario is judged on the same validation days, whatever its own seed."""

FLEET_DAYS = 64
"""Of each drawn fleet; their variety is that of the fleets."""

TIME_GRID = ("interval_minutes", "days", "lookahead_hours")

REFERENCES = ("mpc",)
"""Beside charging at once and the optimum, which are always there."""


def training_days(settings: RunSettings, track: Track = iter) -> DrawnDays:
    """The days trained on: `train_days` of the run's own seed, drawn now; of real files from the first part of them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown scenario or setting, or a saved day, which is too little to train on.
    """
    if settings.scenario.endswith(SAVED):
        raise ValueError(f"{settings.scenario} is one saved day; name a preset or a settings file to train on")
    return draw_days(replace(_request(settings, TRAIN), seed=settings.seed, days=settings.train_days), track)


class TrainingBanks(NamedTuple):
    """Fleets to train on, the scenario's own first."""

    banks: tuple[Bank, ...]
    reserves: tuple[Reserve | None, ...]  # what the projection keeps back on each


TrackFleets = Callable[[Iterable["Fleet"]], Iterable["Fleet"]]


def training_banks(settings: RunSettings, days: DrawnDays, track: TrackFleets = iter) -> TrainingBanks:
    """The days packed, and so many fleets beside them as the run wants.

    Args:
        settings: of the run.
        days: of `training_days`.
        track: may wrap the fleets to show progress.

    Raises:
        ValueError: fleets beside real data, of which there are no others.
    """
    own = pack(days.scenarios, "float32")
    if not settings.fleets:
        return TrainingBanks((own,), (days.reserve,))
    if settings.files:
        raise ValueError(f"fleets is {settings.fleets}, but drawn fleets have no real data; leave the files out")
    from ..distribution import drawn_fleets

    beside = fleets_beside(settings.scenario, settings.overrides, settings.specialist)
    drawn = drawn_fleets(beside, seed=settings.seed, fleets=settings.fleets, days=FLEET_DAYS)
    fleets = tuple(track(drawn))
    return TrainingBanks((own, *(fleet.bank for fleet in fleets)), (days.reserve, *(fleet.reserve for fleet in fleets)))


def fleets_beside(scenario: str, overrides: tuple[str, ...], alike: bool) -> Distribution:
    """What the fleets beside a scenario are drawn from.

    Args:
        scenario: a preset's name or the path of a settings `.toml`.
        overrides: of the scenario, `dotted.key=value` each.
        alike: they are like the scenario, mostly; else presets of all kinds.
    """
    from ..distribution import Distribution, specialist

    if alike:
        return specialist(scenario, overrides)
    # All overrides but those of the time grid may not fit other presets.
    return Distribution(overrides=tuple(text for text in overrides if text.split("=")[0].strip() in TIME_GRID))


def validation_plan(settings: RunSettings) -> Plan:
    """An evaluation of the references on the validation days, which no training ever sees.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: unknown scenario or setting.
    """
    from ...envs.world.build import load_settings

    request = _request(settings, VALIDATION)
    request = replace(request, overrides=(*request.overrides, *settings.validation_overrides))
    said = load_settings(request.scenario, request.overrides).behaviour.misreport
    split = "clean" if said == "off" else "misreport"
    return make_plan(request, settings.validation_days, split, REFERENCES)


def final_request(settings: RunSettings) -> DayRequest:
    """The days on which the result is evaluated, and held against a champion; of real files the last part."""
    return _request(settings, TEST)


def _request(settings: RunSettings, part: str) -> DayRequest:
    files = settings.files and replace(settings.files, part=part)
    return DayRequest(settings.scenario, settings.overrides, VALIDATION_SEED, split=part, files=files)
