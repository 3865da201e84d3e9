"""Runs from the first update to the last, broken off in every way, and gone on with."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from ebbflow.agents.evaluation import keys
from ebbflow.configs.cli import main as ebbflow
from ebbflow.training.pathwise import PathwiseTrainer
from ebbflow.training.policy import SetNetwork
from ebbflow.training.run import program, references, session, start
from ebbflow.training.run.folder import RunFolder
from ebbflow.training.run.recording import Recording
from ebbflow.training.run.session import RunStoppedError
from ebbflow.training.run.settings import RunSettings
from ebbflow.training.run.work import train_and_tell
from ebbflow.training.weights import load_network, save_network

from .conftest import small_settings

NOTHING = Recording(None, bundle=False)
SMALL = {"pathwise": ("training.worlds=4",), "direct": ("training.candidates=4", "training.days=16")}


def command(algorithm: str) -> list[str]:
    """What `small_settings` says, typed."""
    told = ("ports=3", "interval_minutes=60", *SMALL[algorithm])
    return [
        "train", "home-texas", "-a", algorithm, *(word for text in told for word in ("--set", text)),
        "--train-days", "12", "--validation-days", "3", "--tracking", "none", "--no-bundle",
    ]  # fmt: skip


COMMAND = command("pathwise")


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


@pytest.mark.parametrize(("algorithm", "updates", "checkpoint_s"), [("pathwise", 12, "0.3"), ("direct", 60, "0.05")])
def test_a_killed_run_goes_on_to_the_same_weights(algorithm: str, updates: int, checkpoint_s: str) -> None:
    """`kill -9` of the real command, behind a checkpoint that may lie some updates back."""
    whole = train("whole", small_settings(updates=updates, algorithm=algorithm, training=SMALL[algorithm]))
    budget = ["--updates", str(updates), "--checkpoint-seconds", checkpoint_s, "--out", "killed"]
    typed = [sys.executable, "-m", "ebbflow.configs.cli", *command(algorithm), *budget]
    with subprocess.Popen(typed, stderr=subprocess.DEVNULL) as process:
        folder = RunFolder(Path("killed"))
        while folder.state().get("update", 0) < 3:
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.02)
        process.kill()
    assert folder.state()["update"] < updates
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


def test_a_disk_that_is_full_from_the_start_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin, most = RunFolder.begin, resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(folder: RunFolder, told: Any, scenario_toml: str) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, most[1]))
        begin(folder, told, scenario_toml)

    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        monkeypatch.setattr(RunFolder, "begin", full)
        code = ebbflow([*COMMAND, "--updates", "2", "--out", "run"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        signal.signal(signal.SIGXFSZ, ignored)
    assert code == 2
    assert "error: run/settings.toml: File too large" in capsys.readouterr().err


@pytest.mark.parametrize("device", ["tpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_before_days_are_drawn(
    device: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start, "training_days", None)
    assert ebbflow([*COMMAND, "--updates", "2", "--device", device]) == 2
    assert f"device is {device!r}, where torch cannot compute: " in capsys.readouterr().err
    assert not list(Path("runs").glob("train/*"))


def test_a_program_that_has_changed_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = keys._version
    folder = train("run", small_settings(updates=1, validations=1))
    folder.write_state(recorded=False)
    go_on("run")
    assert "has changed" not in capsys.readouterr().err
    folder.write_state(recorded=False)
    with monkeypatch.context() as patch:
        patch.setattr(keys, "_version", lambda name: "0" if name == "torch" else version(name))
        patch.setattr(start, "program_digest", program.program_digest.__wrapped__)
        go_on("run")
    assert "a package that it computes with, has changed since this run was begun" in capsys.readouterr().err


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


def test_a_run_keeps_the_weights_that_it_begins_with(unbroken: RunFolder) -> None:
    """Before the first checkpoint too, the run that they come from may be trained on, or be gone."""
    shutil.copytree(unbroken.path, "other")
    settings = small_settings(start="other", updates=1, validations=1)
    first = weights(train("next", settings))
    shutil.rmtree("other")
    (Path("next") / "checkpoint.pt").unlink()
    (Path("next") / "state.json").unlink()
    assert torch.equal(weights(go_on("next")), first)


def test_a_direct_search_does_not_begin_with_learned_layers() -> None:
    network = SetNetwork()
    with torch.no_grad():
        network.get_parameter("head.2.bias").fill_(0.8)
    save_network(network, Path("learned.pt"), {})
    with pytest.raises(ValueError, match="train it on with -a pathwise"):
        train("next", small_settings(start="learned.pt", algorithm="direct", training=()))
    assert not Path("next").exists()


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
        (["train", "home-texas", "--specialist"], "--specialist says what drawn fleets are like, and none are drawn"),
        (["train", "home-texas", "--general", "--fleets", "0"], "--general says what drawn fleets are like"),
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
