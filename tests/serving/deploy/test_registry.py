"""A bundle that training registered is what is deployed, and nothing else is."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

pytest.importorskip("mlflow", reason="mlflow is not installed; pip install ebbflow[train]")

from mlflow import MlflowClient

from ebbflow.agents.bundle import load_bundle
from ebbflow.agents.days import DayRequest
from ebbflow.configs.messages import ConfigError
from ebbflow.serving.bench.measure import free_port
from ebbflow.serving.deploy.place import deploy
from ebbflow.training.tracking.mlflow_tracker import MlflowTracker
from ebbflow.training.tracking.registry import crown, find, register
from ebbflow.training.tracking.store import connect, tracking_uri

from .conftest import MakeBundle

HOMES = DayRequest("home-texas", ("ports=3", "interval_minutes=60"))
NAME = "ebbflow-home-texas"


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    address = tracking_uri(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")
    assert address is not None
    connect(address)
    return address


def test_the_champion_of_the_registry_is_deployed_by_its_alias(
    tmp_path: Path, uri: str, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    versions = {name: metadata.version(name) for name in ("onnx", "onnxruntime", "numpy")}
    tracker = MlflowTracker(uri, "bundles", "one", system=False)
    made = bundle("one", 0.25, versions=versions)
    try:
        version = register(tracker, made, NAME, HOMES)
    finally:
        tracker.close("finished")
    folder = tmp_path / "deployment"
    with pytest.raises(ConfigError, match=r"@champion: not in sqlite.*`ebbflow promote ebbflow-home-texas` makes"):
        deploy(f"models:/{NAME}@champion", folder, tracking=uri)
    for unknown in (f"models:/{NAME}/9", f"models:/{NAME}@nobody", "models:/nobody/1"):
        with pytest.raises(ConfigError, match=r"not in sqlite(?!.*promote)"):
            deploy(unknown, folder, tracking=uri)
    crown(uri, version)
    said: list[str] = []
    slot = deploy(f"models:/{NAME}@champion", folder, tracking=uri, say=said.append).champion
    assert slot is not None
    assert (slot.name, slot.version, slot.sha256) == (NAME, version.number, load_bundle(made).digest)
    assert load_bundle(folder / slot.place, slot.sha256).model == load_bundle(made).model
    assert deploy(f"models:/{NAME}/{version.number}", folder, tracking=uri).champion.sha256 == slot.sha256  # type: ignore[union-attr]
    assert find(uri, NAME, "champion") == version


def test_a_store_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    gone = f"http://me:secret@127.0.0.1:{free_port()}"
    with pytest.raises(ConfigError, match="does not answer as it should") as refused:
        deploy(f"models:/{NAME}@champion", tmp_path / "deployment", tracking=gone)
    assert "secret" not in str(refused.value)


def test_what_was_not_registered_with_its_digest_is_refused(
    tmp_path: Path, uri: str, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    client = MlflowClient(uri, uri)
    experiment = client.create_experiment("by hand", artifact_location=(tmp_path / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    client.log_artifacts(run, str(bundle("two", 0.5)), "bundle")
    client.create_registered_model("by-hand")
    for digest, why in (({}, "registered without a digest"), ({"digest": "0" * 64}, "was asked for")):
        version = client.create_model_version("by-hand", "x", run, tags=digest).version
        with pytest.raises(ConfigError, match=why):
            deploy(f"models:/by-hand/{version}", tmp_path / "deployment", tracking=uri)
    assert not (tmp_path / "deployment" / "deployment.json").exists()
    assert not list((tmp_path / "deployment" / "bundles").iterdir())
