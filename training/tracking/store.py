"""Which MLflow store is meant, and whether it can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...configs.mlflow_store import SETTING, SQLITE, mind_manners, quieten, store_uri, without_password
from .tracker import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOWHERE = "none"
ARTIFACTS = "mlruns"
"""Folder beside a sqlite file in which its artifacts lie."""


def tracking_uri(asked: str | None) -> str | None:
    """The store's address: as asked for, else of the environment, else sqlite in this folder; None: `none`."""
    uri = store_uri(asked)
    if uri == NOWHERE:
        return None
    if uri.startswith(SQLITE):  # an address of its own, wherever the process goes
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).resolve()}"
    return uri


@lru_cache(maxsize=4)
def connect(uri: str) -> MlflowClient:
    """A client of the store, which has answered.

    Raises:
        ModuleNotFoundError: mlflow is not installed.
        TrackingError: the store cannot be reached, or is none.
    """
    mind_manners()
    from mlflow import MlflowClient

    quieten()
    with _alone(uri):
        client: MlflowClient = asking(uri, MlflowClient, uri, uri)
        asking(uri, client.search_experiments, max_results=1)
    return client


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Nobody else makes the tables of a sqlite file meanwhile: runs that begin at once would trip over each other."""
    if not uri.startswith(SQLITE):
        yield
        return
    from filelock import FileLock

    path = Path(uri.removeprefix(SQLITE))
    asking(uri, path.parent.mkdir, parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    asking(uri, lock.acquire)
    try:
        yield
    finally:
        lock.release()


def asking(uri: str, ask: Any, *arguments: Any, **named: Any) -> Any:
    """What the store answers to a call.

    Raises:
        TrackingError: it does not.
    """
    import requests
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return ask(*arguments, **named)
    except (MlflowException, SQLAlchemyError, requests.RequestException, OSError) as error:
        why = without_password(str(error).partition("\n")[0].partition(" (Caused by")[0], uri)
        raise TrackingError(
            f"tracking store {without_password(uri, uri)} cannot be used: {why[:300]}; start it, name another by "
            f"--tracking or {SETTING}, or record nothing with --tracking {NOWHERE}"
        ) from error


def experiment_id(client: MlflowClient, uri: str, name: str) -> str:
    """The experiment of that name, made where it is missing.

    Raises:
        TrackingError: the store does not answer.
    """
    found = asking(uri, client.get_experiment_by_name, name)
    if found is not None:
        return str(found.experiment_id)
    # By default the artifacts of a sqlite store would go wherever the process happens to be.
    place = Path(uri.removeprefix(SQLITE)).parent / ARTIFACTS / name if uri.startswith(SQLITE) else None
    return str(asking(uri, client.create_experiment, name, artifact_location=place.as_uri() if place else None))


def ui_command(uri: str) -> str:
    """What to type, or where to look, to see the store."""
    shown = without_password(uri, uri)
    return shown if uri.startswith("http") else f"mlflow ui --backend-store-uri {shown}"
