"""What a run was told, resolved and written down, so that it can be repeated and gone on with."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Self, TypeVar, get_type_hints

from pydantic import BaseModel, Field, Strict, create_model, model_validator

from ...configs.load import config_hash, load_model
from ...envs.world.settings import Section
from ...envs.world.sources import ScenarioFiles

PREFIX = "training."
"""`--set training.KEY=VALUE` is a setting of the algorithm, any other key one of the scenario."""

RESOLVED_BY_RUN = ("updates", "seed")
"""Settings of an algorithm that the run fills in."""

DEFAULT = "direct"
"""The algorithm of `ebbflow train`: of those that were tried, the one that saves the most in ten minutes."""

STATED_ELSEWHERE = {"overrides", "training", "algorithm", "minutes", "updates", "checkpoint_s"}
"""Of `RunSettings`, what the resolved settings say, and what changes no weight."""

Count = Annotated[int, Field(ge=1)]
Texts = Annotated[tuple[str, ...], Strict(False)]
Settings = TypeVar("Settings")


class RunSettings(Section):
    """A run, as asked for.

    Args:
        scenario: a preset's name or the path of a settings `.toml`.
        overrides: of the scenario, `dotted.key=value` each.
        files: real data in place of generated series.
        algorithm: a training preset's name, or the path of a `.toml`.
        training: the algorithm's settings that differ from the preset, `training.key=value` each.
        seed: of weights, noise and the days trained on.
        minutes: of updates, by the speed measured at the start; or `updates`: exactly so many.
        train_days: distinct days trained on.
        fleets: drawn beside the scenario (`training.distribution`), for a policy that fits others too; every update
            plays one of them or the scenario, evenly.
        specialist: these are like the scenario, mostly; else presets of all kinds with everything drawn anew.
        validation_days: on which the best network is chosen; never trained on.
        validation_overrides: more overrides, for these days alone.
        validations: how often the network is tried on them.
        checkpoint_s: seconds between checkpoints.
        device: where torch computes.
        start: weights to begin with, a run's folder or its file, of which the run keeps a copy; None: fresh ones.
    """

    scenario: str
    overrides: Texts = ()
    files: ScenarioFiles | None = None
    algorithm: str = DEFAULT
    training: Texts = ()
    seed: Annotated[int, Field(ge=0)] = 0
    minutes: Annotated[float, Field(gt=0)] | None = None
    updates: Count | None = None
    train_days: Count = 2048
    fleets: Annotated[int, Field(ge=0)] = 0
    specialist: bool = False
    validation_days: Count = 64
    validation_overrides: Texts = ()
    validations: Count = 40
    checkpoint_s: Annotated[float, Field(ge=0)] = 20.0
    device: str = "cpu"
    start: str | None = None

    @model_validator(mode="after")
    def _budget(self) -> Self:
        if (self.minutes is None) == (self.updates is None):
            raise ValueError(f"minutes is {self.minutes} and updates {self.updates}; give one of them")
        return self


def split_overrides(texts: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What `--set` says of the scenario, and what of the algorithm."""
    ours = tuple(text for text in texts if text.lstrip().startswith(PREFIX))
    return tuple(text for text in texts if text not in ours), ours


def load_training(kind: type[Settings], preset: str, overrides: Sequence[str], **resolved: Any) -> Settings:
    """An algorithm's settings from a training preset.

    Args:
        kind: the dataclass that states every setting, its default and its rule.
        preset: name or file.
        overrides: `training.key=value` each.
        resolved: what the run fills in; of `RESOLVED_BY_RUN` those that `kind` has are taken.

    Raises:
        ValueError: an unknown setting (with the nearest valid name), or a value that breaks its rule.
    """
    chosen = load_model(_model(kind), "training", preset, overrides).model_dump()["training"]
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**chosen, **{name: value for name, value in resolved.items() if name in known})


def _model(kind: Any) -> type[BaseModel]:
    """The strict model of a training preset: its algorithm, and a table of what the dataclass states."""
    types = get_type_hints(kind)
    fields: dict[str, Any] = {
        field.name: (types[field.name], field.default)
        for field in dataclasses.fields(kind)
        if field.name not in RESOLVED_BY_RUN
    }
    table = create_model(kind.__name__, __base__=Section, **fields)
    return create_model("TrainingPreset", __base__=Section, algorithm=(str, ...), training=(table, table()))


def algorithm_of(preset: str) -> str:
    """The algorithm that a training preset is for.

    Raises:
        ConfigError: no such preset, or it names none.
    """

    class Named(BaseModel):
        algorithm: str

    return load_model(Named, "training", preset).algorithm


def run_hash(settings: RunSettings, scenario: BaseModel, algorithm: object) -> str:
    """16 hexadecimal digits that differ when any resolved setting of the run differs, wherever it was stated."""
    spoken = settings.model_dump(mode="json", exclude=STATED_ELSEWHERE)
    whole = [spoken, config_hash(scenario), type(algorithm).__name__, repr(algorithm)]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]
