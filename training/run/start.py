"""From what the user typed, or from a folder, to a run that can be driven."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...agents.days import DrawnDays
from ...agents.evaluation.plan import Plan
from ...configs.dump import to_toml
from ...configs.messages import ConfigError, describe
from ...envs.world.settings import ScenarioSettings
from ..tracking.facts import facts
from .days import training_days, validation_plan
from .device import check_device
from .folder import RunFolder
from .learners import Learner, Make, make_learner, updates_in
from .program import program_digest
from .screen import Screen
from .settings import RunSettings, run_hash


@dataclass(frozen=True)
class Prepared:
    """A run that is ready: everything drawn, checked and resolved."""

    folder: RunFolder
    settings: RunSettings
    learner: Learner
    days: DrawnDays
    plan: Plan
    scenario: ScenarioSettings
    run_hash: str
    told: dict[str, Any]  # as `run.json` holds it


def begin(settings: RunSettings, folder: RunFolder, screen: Screen, more: Mapping[str, Any]) -> Prepared:
    """Prepare a new run in a folder that has none; `run.json` is not written before all of it can be had.

    Args:
        settings: of the run.
        folder: where it is to be.
        screen: what people see.
        more: plain values to keep in `run.json` beside those of the run itself.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: what the folder should hold cannot be written.
        ValueError: an unknown name, a setting that breaks its rule, a device that is not there, or a run in the folder.
    """
    folder.refuse_old()
    check_device(settings.device)
    if settings.start is not None:
        folder.take_start(Path(settings.start))
    days, plan = _days(settings, screen), validation_plan(settings)
    make = _maker(settings, days, folder, screen)
    updates = settings.updates
    if settings.minutes is not None:
        screen.say("timing a few updates")
        updates = updates_in(settings.minutes, make)
        screen.say(f"{updates} updates take about {settings.minutes:g} minutes of CPU time")
    learner = make(updates or 1)
    hashed = _hash(settings, days, learner)
    told: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "updates": learner.total,
        "algorithm_settings": asdict(learner.settings),
        "run_hash": hashed,
        "code": program_digest(),
        "facts": facts(),
        **more,
    }
    folder.begin(told, to_toml(_scenario(days)))
    return Prepared(folder, settings, learner, days, plan, _scenario(days), hashed, told)


def go_on(folder: RunFolder, screen: Screen) -> Prepared:
    """Prepare a run that was begun before, from what its folder says.

    Raises:
        ConfigError: there is none, or it cannot be read.
        ValueError: its device is not there.
    """
    told = folder.told()
    try:
        # For JSON, strict means what it should: see `configs.load`.
        settings = RunSettings.model_validate_json(json.dumps(told["settings"]))
    except ValidationError as error:
        raise ConfigError(describe(error, RunSettings, str(folder.path), ())) from None
    check_device(settings.device)
    if told["code"] != program_digest():
        screen.say(
            "the program, or a package that it computes with, has changed since this run was begun: its weights will "
            "not be those of an unbroken run"
        )
    days, plan = _days(settings, screen), validation_plan(settings)
    learner = _maker(settings, days, folder, screen)(told["updates"])
    return Prepared(folder, settings, learner, days, plan, _scenario(days), _hash(settings, days, learner), told)


def _days(settings: RunSettings, screen: Screen) -> DrawnDays:
    return training_days(settings, lambda days: screen.track(days, settings.train_days, "days"))


def _maker(settings: RunSettings, days: DrawnDays, folder: RunFolder, screen: Screen) -> Make:
    """The maker of the learner, which begins with the weights that the run's own folder keeps."""
    own = folder.start
    settings = settings if own is None else settings.model_copy(update={"start": str(own)})
    return make_learner(settings, days, lambda fleets: screen.track(fleets, settings.fleets, "fleets"))


def _hash(settings: RunSettings, days: DrawnDays, learner: Learner) -> str:
    return run_hash(settings, _scenario(days), learner.settings)


def _scenario(days: DrawnDays) -> ScenarioSettings:
    if days.settings is None:
        raise ValueError(f"{days.name} is a saved day; name a preset or a settings file to train on")
    return days.settings


def describe_start(prepared: Prepared, done: int) -> str:
    """What is about to happen, in a line."""
    s, first = prepared.settings, prepared.days.scenarios[0]
    what = f"{prepared.scenario.name}, {first.n_ports} ports, {s.algorithm}, seed {s.seed}"
    way = f"going on after update {done} of" if done else "making"
    days = f"{len(prepared.days.scenarios)} days"
    return f"{what}: {way} {prepared.learner.total} updates on {days}, in {prepared.folder.path}"
