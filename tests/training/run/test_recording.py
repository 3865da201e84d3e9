"""What a run leaves in MLflow, whole, interrupted and gone on with."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ebbflow.agents.days import DayRequest
from ebbflow.configs.cli import main as ebbflow
from ebbflow.training.pathwise import PathwiseTrainer
from ebbflow.training.run import recording
from ebbflow.training.run.folder import RunFolder
from ebbflow.training.run.recording import Recording, recording_of
from ebbflow.training.run.work import train_and_tell
from ebbflow.training.tracking.mlflow_tracker import MlflowTracker
from ebbflow.training.tracking.registry import Version
from ebbflow.training.tracking.store import tracking_uri

from .conftest import small_settings

AWAY = "http://127.0.0.1:9"


def interrupted_run(uri: str | None, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run in `run` that was stopped behind its second update."""
    update = PathwiseTrainer.update

    def stopping(trainer: PathwiseTrainer) -> Any:
        made = update(trainer)
        if made.number == 2:
            signal.raise_signal(signal.SIGINT)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(PathwiseTrainer, "update", stopping)
        with pytest.raises(KeyboardInterrupt):
            train_and_tell(small_settings(), Recording(uri, bundle=False), Path("run"))
    return RunFolder(Path("run"))


def test_an_interrupted_run_is_one_run_in_mlflow_with_every_point_once(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = tracking_uri(None)
    folder = interrupted_run(uri, monkeypatch)
    client, run_id = MlflowClient(uri), folder.state()["run_id"]
    broken = client.get_run(run_id)
    assert (broken.info.status, broken.data.tags["ended"]) == ("KILLED", "interrupted")
    train_and_tell(None, None, folder.path)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert len(client.search_runs([run.info.experiment_id])) == 1
    assert [point.step for point in client.get_metric_history(run_id, "train/usd_per_car_day")] == [1, 2, 3, 4]
    accounts = [client.get_metric_history(run_id, f"train/{name}")[-1].value for name in ACCOUNTS]
    assert sum(accounts) == pytest.approx(
        client.get_metric_history(run_id, "train/usd_per_car_day")[-1].value, abs=1e-4
    )
    assert [point.step for point in client.get_metric_history(run_id, "validation/acted_percent")] == [0, 2, 4]
    assert {point.step for point in client.get_metric_history(run_id, "validation/captured_percent")} == {0, 2, 4}
    told = run.data.params | run.data.tags
    for name in ("config_hash", "training.learning_rate", "seed", "command", "version.torch", "resolved", "scenario"):
        assert told[name]
    assert {file.path for file in client.list_artifacts(run_id)} >= {"settings.toml", "validations.json"}


ACCOUNTS = (
    "energy_import_usd", "export_revenue_usd", "demand_charge_usd", "fixed_usd", "programme_usd", "wear_usd",
    "unserved_usd", "early_leave_usd", "overload_usd", "carbon_usd", "end_value_usd",
)  # fmt: skip


def test_a_server_that_is_not_there_is_told_of_before_anything_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert ebbflow(["train", "home-texas", "--updates", "1", "--tracking", AWAY]) == 2
    assert "http://127.0.0.1:9 cannot be used" in capsys.readouterr().err
    assert not list(Path("runs").glob("train/*"))


def test_a_server_that_goes_away_costs_the_record_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise ConnectionResetError("gone away")

    update, uri = PathwiseTrainer.update, tracking_uri(None)
    with monkeypatch.context() as patch:

        def cutting(trainer: PathwiseTrainer) -> Any:
            patch.setattr(MlflowClient, "log_batch", gone)
            return update(trainer)

        patch.setattr(PathwiseTrainer, "update", cutting)
        train_and_tell(small_settings(), Recording(uri, bundle=False), Path("run"))
    shown = capsys.readouterr().err
    assert "gone away" in shown
    assert "send what it lacks, once it answers: ebbflow train --resume run" in shown
    state = RunFolder(Path("run")).state()
    assert state["status"] == "finished"
    train_and_tell(None, None, Path("run"))
    client = MlflowClient(uri)
    for name, steps in (("train/usd_per_car_day", {1, 2, 3, 4}), ("validation/captured_percent", {0, 2, 4})):
        assert {point.step for point in client.get_metric_history(state["run_id"], name)} == steps
    assert RunFolder(Path("run")).state()["record_lacks"] is False


@pytest.fixture
def stranded(monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that was stopped behind its second update, and whose server is away since."""
    folder = interrupted_run(tracking_uri(None), monkeypatch)
    folder.retell(recording={**folder.told()["recording"], "tracking": AWAY})
    return folder


def test_a_run_goes_on_without_its_server(stranded: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert ebbflow(["train", "--resume", "run"]) == 2
    assert "go on without it: ebbflow train --resume run --tracking none" in capsys.readouterr().err
    assert stranded.state()["update"] == 2
    assert ebbflow(["train", "--resume", "run", "--tracking", "none"]) == 0
    assert (stranded.state()["status"], stranded.state()["record_lacks"]) == ("finished", False)
    assert stranded.told()["recording"]["tracking"] is None
    assert ebbflow(["train", "--resume", "run"]) == 0
    assert "nothing is left to do" in capsys.readouterr().err


def test_another_store_is_told_all_of_a_run(stranded: RunFolder) -> None:
    old = stranded.state()["run_id"]
    assert ebbflow(["train", "--resume", "run", "--tracking", "sqlite:///other.db"]) == 0
    uri, run_id = tracking_uri("sqlite:///other.db"), stranded.state()["run_id"]
    assert stranded.told()["recording"]["tracking"] == uri
    assert run_id != old
    points = MlflowClient(uri).get_metric_history(run_id, "train/usd_per_car_day")
    assert [point.step for point in points] == [1, 2, 3, 4]
    shares = MlflowClient(uri).get_metric_history(run_id, "validation/captured_percent")
    assert {point.step for point in shares} == {0, 2, 4}


def test_a_run_is_registered_once_in_a_store(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that lacked something is sent again; the alias may be another run's by then."""
    made: list[str] = []

    def register(tracker: MlflowTracker, folder: Path, name: str, days: DayRequest) -> Version:
        made.append(tracker.uri)
        return Version(name, str(len(made)), tracker.run_id, "", "{}")

    monkeypatch.setattr(recording, "register", register)
    monkeypatch.setattr(recording, "_export", lambda folder: None)
    uri = tracking_uri(None)
    wanted = Recording(uri, "ebbflow-mine", test_days=0)
    folder = RunFolder(train_and_tell(small_settings(updates=1, validations=1), wanted, Path("run")))
    assert folder.state()["registered"] == {"store": uri, "model": "ebbflow-mine", "version": "1"}
    folder.write_state(record_lacks=True)
    train_and_tell(None, None, folder.path)
    assert made == [uri]
    assert "it is registered already, as ebbflow-mine version 1" in capsys.readouterr().err
    train_and_tell(None, None, folder.path, store="sqlite:///other.db")
    assert made == [uri, tracking_uri("sqlite:///other.db")]


def test_what_is_recorded_by_default() -> None:
    assert recording_of("home-texas", "none") == Recording(None)
    usual = recording_of("home-texas")
    assert (usual.model, usual.bundle) == ("ebbflow-home-texas", True)
    assert recording_of("home-texas", register=False).model == ""
    assert recording_of("home-texas", bundle=False).model == ""
    with pytest.raises(ValueError, match="--register needs"):
        recording_of("home-texas", bundle=False, register=True)
