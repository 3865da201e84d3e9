"""Runs in MLflow: every point arrives, ends are named, and a store that is away costs nothing but its record."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ebbflow.configs.mlflow_store import SETTING
from ebbflow.training.tracking.facts import facts
from ebbflow.training.tracking.mlflow_tracker import BATCH, MlflowTracker
from ebbflow.training.tracking.store import tracking_uri, ui_command
from ebbflow.training.tracking.tracker import TrackingError

NOBODY = "http://127.0.0.1:9"


def test_points_parameters_and_files_arrive(uri: str, tmp_path: Path) -> None:
    tracker = MlflowTracker(uri, "points", "one", system=False)
    tracker.parameters({f"setting.{number}": number for number in range(130)})
    for step in range(2 * BATCH):
        tracker.log(step, {"train/cost": step / 2, "train/none": None, "train/nan": math.nan})
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "a.txt").write_text("a")
    tracker.artifact(tmp_path / "plots", "evaluation")
    tracker.tag({"dirty": True})
    tracker.close("finished")
    client = MlflowClient(uri)
    run = client.get_run(tracker.run_id)
    assert tracker.trouble == ""
    assert run.info.status == "FINISHED"
    assert len(run.data.params) == 130
    assert run.data.tags["dirty"] == "True"
    assert [point.value for point in client.get_metric_history(tracker.run_id, "train/cost")][-1] == BATCH - 0.5
    assert len(client.get_metric_history(tracker.run_id, "train/cost")) == 2 * BATCH
    assert set(run.data.metrics) == {"train/cost"}
    assert [file.path for file in client.list_artifacts(tracker.run_id, "evaluation")] == ["evaluation/a.txt"]


def test_an_interrupted_run_is_marked_so_and_goes_on_as_itself(uri: str) -> None:
    first = MlflowTracker(uri, "broken", "one", system=False)
    first.log(1, {"a": 1.0})
    first.close("interrupted")
    client = MlflowClient(uri)
    assert client.get_run(first.run_id).info.status == "KILLED"
    second = MlflowTracker(uri, "broken", "one", run_id=first.run_id, system=False)
    assert client.get_run(first.run_id).info.status == "RUNNING"
    second.log(2, {"a": 2.0})
    second.close("finished")
    assert [point.step for point in client.get_metric_history(first.run_id, "a")] == [1, 2]
    assert client.get_run(first.run_id).info.status == "FINISHED"


def test_the_machines_load_is_recorded(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebbflow.training.tracking.mlflow_tracker.SYSTEM_S", 0.2)
    tracker = MlflowTracker(uri, "system", "one")
    time.sleep(1.0)
    tracker.close("finished")
    assert any(name.startswith("system/cpu") for name in MlflowClient(uri).get_run(tracker.run_id).data.metrics)


def test_logging_does_not_wait_for_the_store(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebbflow.training.tracking.mlflow_tracker.SEND_S", 0.01)
    tracker = MlflowTracker(uri, "speed", "one", system=False)
    asked, answers, send = threading.Event(), threading.Event(), tracker._client.log_batch

    def stuck(*arguments: Any, **named: Any) -> None:
        asked.set()
        assert answers.wait(60)
        send(*arguments, **named)

    monkeypatch.setattr(tracker._client, "log_batch", stuck)
    tracker.log(0, {"a": 0.0})
    assert asked.wait(60)
    for step in range(1, 1000):  # would not end while the store is stuck, if it were asked here
        tracker.log(step, {"a": float(step)})
    answers.set()
    tracker.close("finished")
    assert tracker.trouble == ""
    assert len(MlflowClient(uri).get_metric_history(tracker.run_id, "a")) == 1000


def test_a_server_that_is_not_there_is_told_of_at_the_start() -> None:
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9 cannot be used.*--tracking none"):
        MlflowTracker(NOBODY, "any", "one")


def test_a_store_that_fails_underway_only_loses_its_record(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = MlflowTracker(uri, "away", "one", system=False)

    def gone(*_: object, **__: object) -> None:
        raise ConnectionResetError("gone away")

    with monkeypatch.context() as patch:
        patch.setattr(tracker._client, "log_batch", gone)
        tracker.log(1, {"a": 1.0})
        tracker.close("finished")
    assert "gone away" in tracker.trouble


def test_the_store_is_asked_for_in_this_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(SETTING, raising=False)
    assert tracking_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv(SETTING, NOBODY)
    assert tracking_uri(None) == NOBODY
    assert tracking_uri("none") is None
    assert ui_command("sqlite:////a/b.db") == "mlflow ui --backend-store-uri sqlite:////a/b.db"


def test_stores_that_are_made_at_once_do_not_trip_over_each_other(tmp_path: Path) -> None:
    ask = "import sys; from ebbflow.training.tracking.store import connect; connect(sys.argv[1])"
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    at_once = [subprocess.Popen([sys.executable, "-c", ask, uri]) for _ in range(3)]
    assert [process.wait(300) for process in at_once] == [0, 0, 0]


def test_a_password_is_not_shown() -> None:
    with pytest.raises(TrackingError) as refused:
        MlflowTracker("http://me:secret@127.0.0.1:9", "any", "one")
    assert "secret" not in str(refused.value)


def test_facts_name_program_and_command() -> None:
    known = facts()
    assert known["versions"]["ebbflow"]
    assert known["command"]
    assert known["commit"] is None or len(known["commit"]) == 40
