"""Where an MLflow store is, and the manners of whoever asks it: the learner that writes there, the service that reads.

MLflow itself is imported by those two alone.
"""

from __future__ import annotations

import logging
import os
from urllib.parse import urlsplit

SETTING, _DEFAULT_URI = "MLFLOW_TRACKING_URI", "sqlite:///mlflow.db"
SQLITE = "sqlite:///"

_HABITS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Unless the user says otherwise: a server that does not answer must not hold up anybody for minutes."""


def store_uri(asked: str | None) -> str:
    """The store's address: as asked for, else of the environment, else sqlite in this folder."""
    return asked or os.environ.get(SETTING) or _DEFAULT_URI


def mind_manners() -> None:
    """Ask briefly; to be called before MLflow is imported."""
    for name, value in _HABITS.items():
        os.environ.setdefault(name, value)


def quieten() -> None:
    """MLflow and Alembic tell of every table that they make."""
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)


def without_password(text: str, uri: str) -> str:
    """The text without the password that the store's address holds."""
    password = urlsplit(uri).password
    return text.replace(f":{password}@", ":***@") if password else text
