"""MLflow's model registry: bundles by scenario, with `challenger` the last one and `champion` what may be served."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...agents.bundle import load_bundle
from ...configs.load import unknown_name
from .flavour import active_run, log_onnx
from .store import asking, connect, tracking_uri
from .tracker import TrackingError

if TYPE_CHECKING:
    from ...agents.days import DayRequest
    from ...envs.world.sources import ScenarioFiles
    from .mlflow_tracker import MlflowTracker

CHAMPION, CHALLENGER = "champion", "challenger"
PREFIX = "ebbflow-"
ARTIFACT = "bundle"
"""Folder of a run's artifacts that holds its bundle."""

CACHE = Path("runs/bundles")
"""Bundles of the registry, by digest."""


@dataclass(frozen=True)
class Version:
    """A registered bundle.

    Args:
        name: of the registered model.
        number: of the version.
        run_id: of the run that it comes from.
        digest: of the bundle.
        days: what it was trained on, as `days_of` reads it.
    """

    name: str
    number: str
    run_id: str
    digest: str
    days: str

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"


def model_name(scenario: str) -> str:
    """The registered model of a scenario."""
    return f"{PREFIX}{Path(scenario).stem if scenario.endswith('.toml') else scenario}"


def register(tracker: MlflowTracker, folder: Path, name: str, trained_on: DayRequest) -> Version:
    """Keep a bundle with its run and in MLflow's ONNX flavour, and register it as the challenger.

    Raises:
        ConfigError: the folder holds no bundle.
        TrackingError: the store does not answer.
    """
    bundle, client = load_bundle(folder), connect(tracker.uri)
    asking(tracker.uri, client.log_artifacts, tracker.run_id, str(folder), ARTIFACT)
    _make_model(tracker.uri, name)
    tags = {"digest": bundle.digest, "days": json.dumps(_plain(trained_on))}
    with active_run(tracker.uri, tracker.run_id):
        logged = asking(tracker.uri, log_onnx, bundle)
        made = asking(
            tracker.uri, client.create_model_version, name, logged.model_uri, tracker.run_id, tags=tags,
            model_id=logged.model_id,
        )  # fmt: skip
    asking(tracker.uri, client.set_registered_model_alias, name, CHALLENGER, made.version)
    return _version(made)


def _make_model(uri: str, name: str) -> None:
    """Make the registered model where it is missing."""
    from mlflow.exceptions import MlflowException

    try:
        connect(uri).create_registered_model(name, description="Charging policies of ebbflow; see `ebbflow promote`.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise TrackingError(f"{name} cannot be registered: {error}") from error


def find(uri: str, name: str, alias: str) -> Version | None:
    """The version that has the alias; None where none has.

    Raises:
        TrackingError: the store does not answer, or has no such model.
    """
    from mlflow.exceptions import MlflowException

    client = connect(uri)
    names = registered(uri)
    if name not in names:
        raise TrackingError(f"{unknown_name('registered model', name, names)}; `ebbflow train` registers one")
    try:
        return _version(client.get_model_version_by_alias(name, alias))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise TrackingError(str(error)) from error


def registered(uri: str) -> list[str]:
    """Names of all registered models of ours.

    Raises:
        TrackingError: the store does not answer.
    """
    found = asking(uri, connect(uri).search_registered_models, filter_string=f"name LIKE '{PREFIX}%'")
    return sorted(model.name for model in found)


def fetch(uri: str, version: Version, cache: Path = CACHE) -> Path:
    """The folder of a version's bundle on this machine, verified against the digest that it was registered with.

    Raises:
        ConfigError: what was downloaded is not what was registered.
        TrackingError: the store does not answer.
    """
    target = cache / version.digest[:16]
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as beside:
            asking(uri, connect(uri).download_artifacts, version.run_id, ARTIFACT, beside)
            load_bundle(Path(beside) / ARTIFACT, version.digest)
            (Path(beside) / ARTIFACT).replace(target)
    load_bundle(target, version.digest)
    return target


def served(name: str, uri: str | None = None) -> Path:
    """The bundle that `learned` stands for: the model's champion, or its challenger where there is none.

    Args:
        name: of the registered model; see `model_name`.
        uri: of the store; None: see `store.tracking_uri`.

    Raises:
        TrackingError: the store does not answer, or has neither.
    """
    where = tracking_uri(uri)
    if where is None:
        raise TrackingError("no tracking store is named; set MLFLOW_TRACKING_URI, or give the path of a bundle")
    for alias in (CHAMPION, CHALLENGER):
        if version := find(where, name, alias):
            return fetch(where, version)
    raise TrackingError(f"{name} has neither {CHAMPION} nor {CHALLENGER}; `ebbflow train` registers one")


def crown(uri: str, version: Version) -> None:
    """Give a version the alias `champion`.

    Raises:
        TrackingError: the store does not answer.
    """
    asking(uri, connect(uri).set_registered_model_alias, version.name, CHAMPION, version.number)


def days_of(version: Version) -> DayRequest:
    """What a version was trained on; seed, split and days are the caller's to choose."""
    from ...agents.days import DayRequest
    from ...envs.world.sources import ScenarioFiles

    values = json.loads(version.days)
    files = ScenarioFiles.from_json(values["files"]) if values["files"] else None
    return DayRequest(values["scenario"], tuple(values["overrides"]), files=files)


def _plain(days: DayRequest) -> dict[str, Any]:
    """As JSON, with paths that hold from any folder."""
    scenario = str(Path(days.scenario).resolve()) if days.scenario.endswith(".toml") else days.scenario
    return {"scenario": scenario, "overrides": days.overrides, "files": _absolute(days.files) if days.files else None}


def _absolute(files: ScenarioFiles) -> dict[str, Any]:
    found = {name: [str(Path(path).resolve()) for path in paths] for name, paths in files.paths().items()}
    return files.given() | {name: paths if name == "emissions" else paths[0] for name, paths in found.items()}


def _version(found: Any) -> Version:
    tags: Mapping[str, str] = found.tags
    return Version(found.name, str(found.version), found.run_id, tags.get("digest", ""), tags.get("days", "{}"))
