"""Runs from the first update to the last, broken off in every way, and gone on with."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ebbflow.configs.cli import main as ebbflow
from ebbflow.training.pathwise import PathwiseTrainer
from ebbflow.training.run import references, session
from ebbflow.training.run.folder import RunFolder
from ebbflow.training.run.recording import Recording
from ebbflow.training.run.session import RunStoppedError
from ebbflow.training.run.settings import RunSettings
from ebbflow.training.run.work import train_and_tell
from ebbflow.training.weights import load_network

from .conftest import small_settings

NOTHING = Recording(None, bundle=False)
COMMAND = [
    "train", "home-texas", "-a", "pathwise", "--set", "ports=3", "--set", "interval_minutes=60",
    "--set", "training.worlds=4", "--train-days", "12", "--validation-days", "3", "--tracking", "none", "--no-bundle",
]  # fmt: skip


def train(out: Path | str, settings: RunSettings | None = None, recording: Recording = NOTHING) -> RunFolder:
    return RunFolder(train_and_tell(settings, recording, Path(out)))


def go_on(out: Path | str) -> RunFolder:
    return RunFolder(train_and_tell(None, None, Path(out)))


def weights(folder: RunFolder) -> torch.Tensor:
    kept = folder.checkpoint()
    assert kept is not None
    return torch.cat([value.flatten() for value in kept["learner"]["network"].values()])


@pytest.fixture(scope="module")
def unbroken(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "FOLDER", kept)
        return train(tmp_path_factory.mktemp("unbroken") / "run", small_settings())


def test_a_run_leaves_its_curve_its_validations_and_its_best_network(unbroken: RunFolder) -> None:
    assert [row["update"] for row in unbroken.curve(4)] == [1, 2, 3, 4]
    table = json.loads((unbroken.path / "validations.json").read_text())
    assert [row["update"] for row in table["validations"]] == [0, 2, 4]
    assert table["captured_percent"]["mpc"] <= 100.0
    assert all(row["captured_percent"] <= 100.0 for row in table["validations"])
    cheapest = min(table["validations"], key=lambda row: row["net_cost_usd"])
    assert table["best"]["update"] == cheapest["update"]
    assert load_network(unbroken.path).facts["net_cost_usd"] == cheapest["net_cost_usd"]
    assert unbroken.state()["status"] == "finished"


def test_dollars_of_a_validation_are_their_accounts(unbroken: RunFolder) -> None:
    row = json.loads((unbroken.path / "validations.json").read_text())["validations"][-1]
    accounts = sum(x for name, x in row["figures"].items() if name.endswith("_usd") and name != "net_cost_usd")
    assert accounts == pytest.approx(row["usd_per_car_day"], abs=1e-9)
    assert 0.0 <= row["acted_percent"] <= 100.0
    assert row["replaced_requests"] == 0


class Stop:
    """Interrupts the training behind an update, as Ctrl-C would."""

    def __init__(self, behind: int, number: int = signal.SIGINT) -> None:
        self.behind, self.number, self.update = behind, number, PathwiseTrainer.update

    def __call__(self, trainer: PathwiseTrainer) -> Any:
        made = self.update(trainer)
        if made.number == self.behind:
            signal.raise_signal(self.number)
        return made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_saved_and_goes_on_to_the_same_weights(
    number: int, unbroken: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = Stop(3, number)
    with monkeypatch.context() as patch:
        patch.setattr(PathwiseTrainer, "update", lambda trainer: stop(trainer))
        with pytest.raises(KeyboardInterrupt):
            train("run", small_settings())
    assert "go on with: ebbflow train --resume run" in capsys.readouterr().err
    assert RunFolder(Path("run")).state() | {"status": "interrupted", "update": 3} == RunFolder(Path("run")).state()
    again = go_on("run")
    assert torch.equal(weights(again), weights(unbroken))
    assert [row["update"] for row in again.curve(4)] == [1, 2, 3, 4]
    assert load_network(again.path).facts == load_network(unbroken.path).facts
    assert again.state()["status"] == "finished"


def test_a_finished_run_has_nothing_left_to_do(unbroken: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    before = (unbroken.path / "checkpoint.pt").read_bytes()
    go_on(unbroken.path)
    assert "nothing is left to do" in capsys.readouterr().err
    assert (unbroken.path / "checkpoint.pt").read_bytes() == before


def test_a_killed_run_goes_on_to_the_same_weights() -> None:
    """`kill -9` of the real command, behind a checkpoint that lies some updates back."""
    whole = train("whole", small_settings(updates=12))
    command = [sys.executable, "-m", "ebbflow.configs.cli", *COMMAND, "--updates", "12", "--checkpoint-seconds", "0.3"]
    with subprocess.Popen([*command, "--out", "killed"], stderr=subprocess.DEVNULL) as process:
        folder = RunFolder(Path("killed"))
        while folder.state().get("update", 0) < 3:
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.02)
        process.kill()
    assert folder.state()["update"] < 12
    assert folder.state()["status"] == "running"
    assert ebbflow(["train", "--resume", "killed"]) == 0
    assert torch.equal(weights(folder), weights(whole))


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    update = PathwiseTrainer.update

    def poisoned(trainer: PathwiseTrainer) -> Any:
        if trainer.done == 3:
            with torch.no_grad():
                next(trainer.network.parameters()).fill_(float("nan"))
        return update(trainer)

    monkeypatch.setattr(PathwiseTrainer, "update", poisoned)
    words = r"(?s)update 4: loss nan.*the last good checkpoint, of update 3, is kept.*--resume run"
    with pytest.raises(RunStoppedError, match=words):
        train("run", small_settings(checkpoint_s=0))
    folder = RunFolder(Path("run"))
    assert folder.state()["status"] == "failed"
    assert bool(torch.isfinite(weights(folder)).all())


def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(
    unbroken: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses to let a file grow: what a full disk does, to this process alone."""
    save, most = session.Session._save, resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(run: session.Session) -> None:
        if run._done == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most[1]))
        save(run)

    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(session.Session, "_save", full)
            words = r"(?s)checkpoint\.pt cannot be written: File too large; free space.*of update 1, is kept"
            with pytest.raises(RunStoppedError, match=words):
                train("run", small_settings(checkpoint_s=0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        signal.signal(signal.SIGXFSZ, ignored)
    assert torch.equal(weights(go_on("run")), weights(unbroken))


def test_changed_settings_behind_a_run_are_refused() -> None:
    train("run", small_settings(updates=1, validations=1))
    file = Path("run/run.json")
    told = json.loads(file.read_text())
    told["settings"]["training"] = ["training.worlds=5"]
    file.write_text(json.dumps(told))
    (Path("run") / "state.json").unlink()
    with pytest.raises(RunStoppedError, match="settings behind this run have changed"):
        go_on("run")


def test_a_run_can_begin_with_the_weights_of_another(unbroken: RunFolder) -> None:
    first = load_network(unbroken.path).network
    begun = train("next", small_settings(start=str(unbroken.path), updates=1))
    rows = json.loads((begun.path / "validations.json").read_text())["validations"]
    assert rows[0]["net_cost_usd"] == load_network(unbroken.path).facts["net_cost_usd"]
    assert first.sizes == load_network(begun.path).network.sizes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train"], "no scenario is given"),
        (["train", "home-texs"], "did you mean 'home-texas'"),
        (["train", "home-texas", "--minutes", "1", "--updates", "2"], "give one of them"),
        (["train", "home-texas", "-a", "pathwise", "--set", "training.world=2"], "did you mean 'training.worlds'"),
        (["train", "--resume", "nowhere"], "no run was begun here"),
        (["train", "home-texas", "--resume", "nowhere"], "leave out all but --resume nowhere"),
        (["train", "home-texas", "--algorithm", "magic"], "unknown training preset 'magic'"),
        (["train", "home-texas", "--start", "nowhere"], "no such file"),
        (["train", "home-texas", "--tracking", "none", "--register"], "--register needs a tracking store"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--train-days", "4", "--validation-days", "2", "--tracking", "none"]
    wanted = arguments if "--resume" in arguments or "--register" in arguments else [*arguments, *small]
    assert ebbflow(wanted) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown
    assert not list(Path("runs").glob("train/*"))


def test_a_folder_with_a_run_is_not_written_over(unbroken: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert ebbflow([*COMMAND, "--updates", "2", "--out", str(unbroken.path)]) == 2
    assert f"go on with it by --resume {unbroken.path}" in capsys.readouterr().err


def test_two_processes_do_not_train_in_one_folder() -> None:
    folder = RunFolder(Path("run"))
    with folder.locked(), pytest.raises(ValueError, match="another process trains here"), folder.locked():
        pass
