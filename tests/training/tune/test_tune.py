"""Searches: what is proposed, what is stopped early, and what a stopped search goes on with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ebbflow.configs.cli import main as ebbflow
from ebbflow.training.run.session import RunStoppedError
from ebbflow.training.run.settings import RunSettings
from ebbflow.training.run.validation import Validation
from ebbflow.training.tune import study
from ebbflow.training.tune.space import USUAL, Dimension, parse_space
from ebbflow.training.tune.study import best_overrides, run_search, search_of

STORAGE = "sqlite:///studies.db"
RATE = "training.learning_rate"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("training.noise=0.0..0.4", Dimension("training.noise", (), 0.0, 0.4)),
        (f"{RATE}=1e-3..2e-2,log", Dimension(RATE, (), 1e-3, 2e-2, log=True)),
        ("training.worlds=16..64", Dimension("training.worlds", (), 16, 64, whole=True)),
        ("training.worlds=16|32", Dimension("training.worlds", ("16", "32"))),
        ("money.wear_usd_per_kwh=-1.5..-0.5", Dimension("money.wear_usd_per_kwh", (), -1.5, -0.5)),
    ],
)
def test_a_range_is_read(text: str, dimension: Dimension) -> None:
    assert parse_space([text]) == (dimension,)


@pytest.mark.parametrize(
    "text", ["training.noise", "training.noise=", "=1..2", "training.noise=3", "a=2..1", "a=0..1,log", "a=x..y"]
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--search"):
        parse_space([text])


def test_a_setting_is_searched_once() -> None:
    with pytest.raises(ValueError, match="searched twice"):
        parse_space(["a=1..2", "a=3..4"])


@pytest.mark.parametrize("algorithm", sorted(USUAL))
def test_what_is_usually_searched_is_known_to_the_algorithm(algorithm: str) -> None:
    from ebbflow.training.direct import DirectSettings
    from ebbflow.training.pathwise import PathwiseSettings
    from ebbflow.training.run.settings import load_training
    from ebbflow.training.standard.settings import PpoSettings

    preset, kind = {
        "direct": ("direct", DirectSettings), "pathwise": ("pathwise", PathwiseSettings),
        "ppo": ("ppo-ports", PpoSettings),
    }[algorithm]  # fmt: skip
    for dimension in parse_space(USUAL[algorithm]):
        value = dimension.choices[0] if dimension.choices else f"{dimension.low:g}"
        load_training(kind, preset, [f"{dimension.key}={value}"])


def validation(update: int, cost: float) -> Validation:
    return Validation(update, cost, cost, {}, 0.0, 0.0, 0, "")


Answer = Callable[[float], Iterator[float]]


class Trials:
    """Stands in for the training: the validations of a learning rate."""

    def __init__(self, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[float] = []
        self._answer = answer
        monkeypatch.setattr(study, "train_and_tell", self)

    def __call__(self, settings: RunSettings, recording: Any, folder: Path, screen: Any, watch: Any) -> Path:
        rate = float(next(text for text in settings.training if text.startswith(RATE)).partition("=")[2])
        self.seen.append(rate)
        for update, cost in enumerate(self._answer(rate)):
            watch(validation(update, cost), 10)
        return folder


def parabola(rate: float) -> Iterator[float]:
    """The best rate is 0.01; bad ones show from the first validation on."""
    for update in range(11):
        yield abs(math.log10(rate) + 2.0) + 1.0 / (1 + update)


def search(trials: int, space: str = f"{RATE}=1e-4..1.0,log") -> Any:
    told = RunSettings(scenario="home-texas", algorithm="pathwise", updates=10)
    return search_of("mine", STORAGE, told, (space,), trials=trials, tracking=None)


def nothing(text: str) -> None:
    """Who hears nothing."""


def test_the_best_trial_is_found_and_others_are_stopped_early(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(parabola, monkeypatch)
    made = run_search(search(25), nothing)
    states = [trial.state.name for trial in made.trials]
    assert len(trials.seen) == 25
    assert states.count("PRUNED") >= 3
    assert made.best_value == pytest.approx(min(abs(math.log10(rate) + 2.0) for rate in trials.seen) + 1 / 11)
    (best,) = best_overrides(made, search(25))
    assert best == f"{RATE}={made.best_params[RATE]}"
    assert made.best_params[RATE] == pytest.approx(0.01, rel=1.5)


def test_searches_that_begin_together_try_different_things(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_beside(rate: float) -> Iterator[float]:
        if len(trials.seen) == 1:  # while the first trial runs, another process joins
            run_search(search(2), nothing)
        yield 1.0

    trials = Trials(one_beside, monkeypatch)
    run_search(search(2), nothing)
    assert len(set(trials.seen)) == len(trials.seen) >= 2


def test_what_a_fresh_network_costs_says_nothing_of_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    Trials(lambda rate: iter([0.0, 3.0, 2.0]), monkeypatch)
    assert run_search(search(1), nothing).best_value == 2.0


def test_a_stopped_search_makes_the_broken_off_trial_again_and_no_more_than_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(rate: float) -> Iterator[float]:
        yield 1.0
        if len(trials.seen) == 3:
            raise KeyboardInterrupt
        yield 0.5

    trials = Trials(broken, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_search(search(5), nothing)
    run_search(search(5), nothing)
    assert len(trials.seen) == 6
    assert trials.seen[2] == trials.seen[3]
    assert len(set(trials.seen)) == 5
    run_search(search(5), nothing)
    assert len(trials.seen) == 6


def test_a_rate_that_explodes_is_a_bad_trial_and_a_full_disk_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    reason: list[Exception] = [FloatingPointError("loss nan")]

    def ends(rate: float) -> Iterator[float]:
        yield 1.0
        if len(trials.seen) == 2:
            raise RunStoppedError("stopped") from reason[0]

    trials = Trials(ends, monkeypatch)
    made = run_search(search(3), nothing)
    assert [trial.state.name for trial in made.trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    trials.seen.clear()
    reason[0] = OSError("disk")
    with pytest.raises(RunStoppedError):
        run_search(search(6), nothing)


def test_another_search_under_the_same_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Trials(parabola, monkeypatch)
    run_search(search(1), nothing)
    with pytest.raises(ValueError, match="has other space"):
        run_search(search(2, f"{RATE}=1e-3..1.0,log"), nothing)


def test_a_storage_that_is_none_is_refused() -> None:
    told = RunSettings(scenario="home-texas", algorithm="pathwise", updates=10)
    bad = search_of("mine", "nosuchdb:///x", told, (), trials=1, tracking=None)
    with pytest.raises(ValueError, match="storage nosuchdb:///x cannot be used"):
        run_search(bad, nothing)


@pytest.mark.slow
def test_the_command_trains_and_records_children(capsys: pytest.CaptureFixture[str]) -> None:
    from mlflow import MlflowClient

    arguments = [
        "tune", "home-texas", "--trials", "2", "--updates", "2", "--set", "ports=3", "--set", "interval_minutes=60",
        "--search", "training.candidates=4|6", "--set", "training.days=4", "--train-days", "8",
        "--validation-days", "3",
    ]  # fmt: skip
    assert ebbflow(arguments) == 0
    assert "--set training.candidates=" in capsys.readouterr().out
    client = MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("home-texas").experiment_id])
    parents = [run.data.tags.get("mlflow.parentRunId") for run in runs]
    assert len(runs) == 3
    assert parents.count(None) == 1
    assert len(set(parents)) == 2
