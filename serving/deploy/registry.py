"""MLflow's model registry, read once by `ebbflow deploy`: the only place of the service that imports MLflow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from ...configs.messages import ConfigError
from ...configs.mlflow_store import SETTING, SQLITE, mind_manners, quieten, store_uri, without_password

SCHEME = "models:/"
ARTIFACT = "bundle"
"""Folder of a run's artifacts that holds its bundle, as `ebbflow train` registers it."""

MISSING = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's words for a model, version or alias that is not there."""


class Fetched(NamedTuple):
    """A bundle as it was downloaded, not yet trusted."""

    name: str
    version: str
    sha256: str  # that it was registered with
    folder: Path


class Wanted(NamedTuple):
    """A version of a registered model; one of `alias` and `number` is empty."""

    name: str
    alias: str
    number: str


def parse_source(source: str) -> Wanted:
    """Read `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        ConfigError: it is neither.
    """
    match = re.fullmatch(rf"{SCHEME}([^/@\s]+)(?:@([A-Za-z0-9_-]+)|/(\d+))", source)
    if match is None:
        raise ConfigError(f"{source!r} names no version; write {SCHEME}NAME@ALIAS or {SCHEME}NAME/VERSION")
    return Wanted(match[1], match[2] or "", match[3] or "")


def fetch(source: str, into: Path, uri: str | None = None) -> Fetched:
    """Download a registered bundle.

    Args:
        source: see `parse_source`.
        into: an empty folder.
        uri: of the store; None: of the environment, else the sqlite file of this folder.

    Raises:
        ModuleNotFoundError: mlflow is not installed.
        ConfigError: the store does not answer, has no such version, or it was not registered by `ebbflow train`.
    """
    wanted, where = parse_source(source), store_uri(uri)
    _check_store(where)
    mind_manners()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    quieten()
    try:
        client = MlflowClient(where, where)
        found: Any = (
            client.get_model_version_by_alias(wanted.name, wanted.alias)
            if wanted.alias
            else client.get_model_version(wanted.name, wanted.number)
        )
        digest = found.tags.get("digest", "")
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise ConfigError(f"{source}: registered without a digest; `ebbflow train` registers with one")
        folder = Path(client.download_artifacts(found.run_id, ARTIFACT, str(into)))
    except (MlflowException, OSError) as error:
        raise ConfigError(_why(source, wanted, where, error)) from None
    return Fetched(found.name, str(found.version), digest, folder)


def _why(source: str, wanted: Wanted, uri: str, error: Any) -> str:
    """What went wrong in words, and what to do where a champion is missing."""
    code = getattr(error, "error_code", "")
    if code not in MISSING:
        return f"{source}: {_shown(uri)} does not answer as it should: {_shown(str(error), uri)}"
    crown = f"; `ebbflow promote {wanted.name}` makes a challenger champion" if wanted.alias == "champion" else ""
    return f"{source}: not in {_shown(uri)}: {_shown(str(error), uri).rstrip('.')}{crown}"


def _check_store(uri: str) -> None:
    """Asking a sqlite store that is not there would make one."""
    path = uri.removeprefix(SQLITE)
    if path != uri and not Path(path).is_file():
        raise ConfigError(f"{path}: no such tracking store; name one by --tracking or {SETTING}")


def _shown(text: str, uri: str | None = None) -> str:
    """One line of it, without the store's password; the text is the address where none is given."""
    return without_password(text, uri or text).splitlines()[0][:300]
