"""What a bundle says about itself."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...configs.messages import ConfigError, describe

SCHEMA_VERSION = 1
"""Of manifest and graph inputs; a reader refuses what is newer than itself."""

Range = tuple[float, float]
Figure = float | None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Parity(_Part):
    """How near the graph came to the network that it was made from.

    Args:
        tolerance: greatest difference of an action that was let pass.
        worst: greatest difference seen, by kind of observation.
        observations: fleets that were compared, by kind.
    """

    tolerance: Annotated[float, Field(gt=0, le=0.1)]
    worst: dict[str, float]
    observations: dict[str, int]

    @model_validator(mode="after")
    def _met(self) -> Parity:
        worst = max(self.worst.values(), default=math.inf)
        if not worst <= self.tolerance:
            raise ValueError(
                f"the worst difference is {worst:g}, above the tolerance {self.tolerance:g}; export it again"
            )
        return self


class Manifest(_Part):
    """What is known of a bundle's policy.

    Args:
        schema_version: of the bundle.
        observation_hash: of the observation that it was trained on.
        trained_on: names of the scenarios, and of those behind fleets that were drawn beside them.
        run_id: of the training run.
        settings_hash: of the run's resolved settings.
        versions: of program and packages that made it.
        parity: of graph and network.
        training_ranges: 0.1 and 99.9 % quantiles of each number of the observation, in training, by field; of several
            fleets the least and the greatest.
        evaluation: figures by scenario, empty where it was not evaluated.
    """

    schema_version: int = SCHEMA_VERSION
    observation_hash: str
    trained_on: tuple[str, ...] = ()
    run_id: str = ""
    settings_hash: str = ""
    versions: dict[str, str]
    parity: Parity
    training_ranges: dict[str, Range]
    evaluation: dict[str, dict[str, Figure]] = {}

    def to_json(self) -> str:
        """The manifest as text that `read_manifest` takes."""
        return self.model_dump_json(indent=2) + "\n"


def read_manifest(text: bytes, source: str) -> Manifest:
    """The manifest in `text`.

    Args:
        text: JSON.
        source: what to call it in messages.

    Raises:
        ConfigError: it is no manifest, or one of a newer schema.
    """
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: no JSON ({error}); export the policy again") from None
    version = values.get("schema_version") if isinstance(values, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigError(
            f"{source}: written in schema {version}, but this program reads up to {SCHEMA_VERSION}; install a newer one"
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(describe(error, Manifest, source, ())) from None
