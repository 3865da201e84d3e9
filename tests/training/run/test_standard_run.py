"""Runs of stable-baselines3's algorithms: what they keep, how they go on, and how they end."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from ebbflow.agents.evaluation import EvaluationResult
from ebbflow.agents.evaluation import evaluate as evaluation
from ebbflow.training.run.folder import RunFolder
from ebbflow.training.run.learners import Tick
from ebbflow.training.run.recording import Recording
from ebbflow.training.run.session import RunStoppedError
from ebbflow.training.run.work import train_and_tell
from ebbflow.training.standard.learner import StandardLearner
from ebbflow.training.tracking.store import tracking_uri
from ebbflow.training.weights import WeightsError, load_network

from .conftest import small_settings

NOTHING = Recording(None, bundle=False)
SMALL = {
    "ppo-mlp": (), "ppo-three-way": (), "ppo-fleet": (),
    "sac": ("training.warm_up=100", "training.gradient_steps=1", "training.batch_size=16", "training.buffer_size=400"),
}  # fmt: skip


def settings(preset: str, **changes: Any) -> Any:
    told = ("training.worlds=2", "training.hidden=8", *SMALL[preset])
    return small_settings(**({"algorithm": preset, "training": told, "updates": 3, "validations": 1} | changes))


def parameters(folder: RunFolder) -> torch.Tensor:
    kept = folder.checkpoint()
    assert kept is not None
    return torch.cat([value.flatten().float() for value in kept["learner"]["parameters"]["policy"].values()])


@pytest.mark.parametrize("preset", ["ppo-three-way", "ppo-fleet", "sac"])
def test_an_interrupted_run_goes_on_to_the_same_weights(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RunFolder(train_and_tell(settings(preset), NOTHING, Path("whole")))
    report = StandardLearner.report

    def stopping(learner: StandardLearner, seconds: float) -> Tick:
        if learner.done == 2:
            signal.raise_signal(signal.SIGINT)
        return report(learner, seconds)

    with monkeypatch.context() as patch:
        patch.setattr(StandardLearner, "report", stopping)
        with pytest.raises(KeyboardInterrupt):
            train_and_tell(settings(preset), NOTHING, Path("run"))
    folder = RunFolder(Path("run"))
    assert (folder.state()["status"], folder.state()["update"]) == ("interrupted", 2)
    train_and_tell(None, None, folder.path)
    assert folder.state()["status"] == "finished"
    assert torch.equal(parameters(folder), parameters(whole))
    assert (folder.path / "best.zip").is_file() == (preset != "ppo-fleet")
    assert folder.state()["best"] == whole.state()["best"]
    if preset != "ppo-fleet":
        with pytest.raises(WeightsError, match=r"holds best\.zip, a policy that is no set network"):
            load_network(folder.path)


def test_weights_that_explode_keep_the_last_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    report = StandardLearner.report

    def poisoned(learner: StandardLearner, seconds: float) -> Tick:
        if learner.done == 2:
            learner._model.lr_schedule = lambda left: 1e30
        return report(learner, seconds)

    monkeypatch.setattr(StandardLearner, "report", poisoned)
    words = r"(?s)update 3: weights or answers .* no finite numbers; .*of update 2, is kept; .*--resume run"
    with pytest.raises(RunStoppedError, match=words) as told:
        train_and_tell(settings("ppo-mlp", checkpoint_s=0), NOTHING, Path("run"))
    assert isinstance(told.value.__cause__, FloatingPointError)
    assert bool(torch.isfinite(parameters(RunFolder(Path("run")))).all())


def test_weights_that_explode_while_updates_are_timed_begin_no_run() -> None:
    asked = settings("ppo-mlp", updates=None, minutes=1.0)
    asked = asked.model_copy(update={"training": (*asked.training, "training.learning_rate=1e30")})
    with pytest.raises(RunStoppedError, match=r"(?s)no finite numbers.*no run was begun") as told:
        train_and_tell(asked, NOTHING, Path("run"))
    assert isinstance(told.value.__cause__, FloatingPointError)  # by which a search knows that only the trial is bad
    assert not Path("run").exists()


def test_the_zip_is_evaluated_kept_and_not_registered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    def evaluate(scenario: str, policies: list[str], **more: Any) -> EvaluationResult:
        asked.append(policies)
        return evaluation(scenario, ["cheapest_hours", policies[-1]], **(more | {"workers": 1, "progress": False}))

    monkeypatch.setattr("ebbflow.agents.evaluation.report.write_report", lambda *given: [])
    monkeypatch.setattr("ebbflow.agents.evaluation.evaluate", evaluate)
    uri = tracking_uri(None)
    recording = Recording(uri, model="ebbflow-home-texas", test_days=2)
    run = RunFolder(train_and_tell(settings("ppo-three-way", updates=1), recording, Path("run")))
    assert {"mpc", "learned=run/best.zip"} < set(asked[0])
    last = " ".join(capsys.readouterr().err.split())[-400:]
    assert "no set network, and only those become bundles, so nothing is registered" in last
    assert "ebbflow evaluate home-texas --policies learned=run/best.zip --set ports=3" in last
    client = MlflowClient(uri)
    assert "best.zip" in {file.path for file in client.list_artifacts(run.state()["run_id"])}
    metrics = client.get_run(run.state()["run_id"]).data.metrics
    assert metrics["test/replaced_requests"] == 0.0
    assert not client.search_registered_models()
