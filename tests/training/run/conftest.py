"""A training of seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebbflow.training.run import references
from ebbflow.training.run.settings import RunSettings


def small_settings(**changes: object) -> RunSettings:
    """Three Texan homes, a few updates of four worlds."""
    told: dict[str, object] = {
        "scenario": "home-texas", "overrides": ("ports=3", "interval_minutes=60"), "updates": 4,
        "algorithm": "pathwise", "training": ("training.worlds=4",), "train_days": 12, "validation_days": 3,
        "validations": 2,
    }  # fmt: skip
    return RunSettings(**(told | changes))


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """References that all runs share."""
    return tmp_path_factory.mktemp("references")


@pytest.fixture(autouse=True)
def _elsewhere(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs and stores are made where the process is."""
    monkeypatch.setattr(references, "FOLDER", kept)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
