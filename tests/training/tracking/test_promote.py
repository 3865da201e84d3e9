"""Registered bundles, and who of them becomes champion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from ebbflow.agents.bundle import load_bundle
from ebbflow.agents.days import DayRequest
from ebbflow.agents.evaluation.result import EvaluatedDay
from ebbflow.agents.evaluation.statistics import Interval
from ebbflow.agents.rules import AsLateAsPossible, CheapestHours, Uncontrolled
from ebbflow.configs.cli import main as ebbflow
from ebbflow.envs.world.scenario import Scenario
from ebbflow.training.tracking import registry
from ebbflow.training.tracking.mlflow_tracker import MlflowTracker
from ebbflow.training.tracking.promote import Comparison, RefusedError, Side, compare, promote, still_as_safe
from ebbflow.training.tracking.registry import CHALLENGER, CHAMPION, Version, days_of, fetch, find, register, served
from ebbflow.training.tracking.tracker import TrackingError

from .conftest import HOMES, MakeBundle


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def registered(uri: str, folder: Path, name: str) -> Version:
    tracker = MlflowTracker(uri, "bundles", "one", system=False)
    try:
        return register(tracker, folder, name, HOMES)
    finally:
        tracker.close("finished")


def nothing(text: str) -> None:
    """Who hears nothing."""


def test_a_registered_bundle_comes_back_and_runs_through_mlflow(uri: str, bundle: MakeBundle) -> None:
    folder = bundle("kept", 0.0)
    version = registered(uri, folder, "ebbflow-kept")
    assert find(uri, "ebbflow-kept", CHALLENGER) == version
    assert find(uri, "ebbflow-kept", CHAMPION) is None
    assert load_bundle(served("ebbflow-kept", uri)).digest == version.digest == load_bundle(folder).digest
    assert days_of(version) == HOMES
    model = MlflowClient(uri).get_model_version("ebbflow-kept", version.number)
    assert model.source.startswith("models:/")


def test_the_onnx_flavour_has_a_signature_of_any_size_and_an_example(uri: str, bundle: MakeBundle) -> None:
    version = registered(uri, bundle("flavour", 0.0), "ebbflow-flavour")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    info = mlflow.models.get_model_info(f"models:/ebbflow-flavour/{version.number}")
    mlflow.set_tracking_uri(before)
    ports = next(entry for entry in info.signature.inputs if entry.name == "ports")
    assert ports.shape[:2] == (-1, -1)
    assert set(info.flavors) >= {"onnx"}
    assert info.saved_input_example_info is not None


def test_a_changed_bundle_is_refused(uri: str, bundle: MakeBundle, tmp_path: Path) -> None:
    version = registered(uri, bundle("changed", 0.0), "ebbflow-changed")
    place = fetch(uri, version, tmp_path / "cache")
    (place / "manifest.json").write_text((place / "manifest.json").read_text() + " ")
    with pytest.raises(ValueError, match="changed since the export"):
        fetch(uri, version, tmp_path / "cache")


def test_the_better_becomes_champion_and_the_worse_does_not(uri: str, bundle: MakeBundle) -> None:
    name = "ebbflow-ladder"
    first = registered(uri, bundle("good", 0.0), name)
    assert promote(uri, name, 8, nothing) is not None
    assert find(uri, name, CHAMPION) == first
    assert promote(uri, name, 8, nothing) is None
    registered(uri, bundle("bad", 1.0), name)
    with pytest.raises(RefusedError, match=r"worse: challenger costs [\d.]+ \$ and champion [\d.]+ \$"):
        promote(uri, name, 8, nothing)
    assert find(uri, name, CHAMPION) == first
    assert load_bundle(served(name, uri)).digest == first.digest


def test_without_a_model_or_a_challenger_it_is_said_what_to_do(
    uri: str, bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    registered(uri, bundle("known", 0.0), "ebbflow-known")
    assert ebbflow(["promote", "knwon", "--tracking", uri]) == 2
    assert "did you mean 'ebbflow-known'" in capsys.readouterr().err
    MlflowClient(uri).delete_registered_model_alias("ebbflow-known", CHALLENGER)
    with pytest.raises(TrackingError, match="has no challenger"):
        promote(uri, "ebbflow-known", 2, nothing)


def test_another_champion_meanwhile_is_not_overwritten(
    uri: str, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registered(uri, bundle("race", 0.0), "ebbflow-race")
    answers = iter([version, None, replace(version, number="9")])
    monkeypatch.setattr("ebbflow.training.tracking.promote.find", lambda *_: next(answers))
    with pytest.raises(RefusedError, match="another champion meanwhile"):
        promote(uri, "ebbflow-race", 4, nothing)
    assert registry.find(uri, "ebbflow-race", CHAMPION) is None


DAYS = DayRequest(HOMES.scenario, HOMES.overrides, days=12)


def test_rules_rank_as_they_cost() -> None:
    assert compare(CheapestHours(), Uncontrolled(), [DAYS]).reasons() == []
    (why,) = compare(Uncontrolled(), CheapestHours(), [DAYS]).reasons()
    assert why.startswith("worse: uncontrolled costs")
    assert compare(AsLateAsPossible(), AsLateAsPossible(), [DAYS]).reasons() == []


def test_emergencies_count_for_safety_and_not_for_the_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compare(CheapestHours(), Uncontrolled(), [DAYS])
    days = iter(range(DAYS.days))

    def described(number: int, scenario: Scenario, files: object) -> EvaluatedDay:
        return EvaluatedDay(number, scenario.start.date(), 0.0, next(days) < 5, "")

    monkeypatch.setattr("ebbflow.training.tracking.promote.describe_day", described)
    made = compare(CheapestHours(), Uncontrolled(), [DAYS])
    assert made.challenger.net_cost_usd == whole.challenger.net_cost_usd[5:]
    assert made.allowed == whole.allowed


def test_what_is_let_pass_does_not_add_up_over_promotions() -> None:
    tallies = {"unserved_kwh": 0.0, "feasible_kwh": 1000.0, "met_stays": 100.0, "served_stays": 100.0, "kwh_in": 0.0}

    def allowed(unserved_kwh: float) -> float:
        old = Side("old", (), SAFE | {"unserved_kwh": unserved_kwh})
        return still_as_safe(old, tallies)["unserved_kwh"]

    assert allowed(0.5) == 1.5
    assert allowed(1.5) == 2.0  # the ceiling
    assert allowed(3.0) == 3.0


SAFE = {"unserved_kwh": 0.0, "missed_stays": 0.0, "overload_kwh": 0.0, "replaced_requests": 0.0}


@pytest.mark.parametrize(
    ("cost", "high", "safety", "words"),
    [
        (9.0, -0.5, {}, []),
        (9.0, 0.5, {}, []),
        (9.0, 1.5, {}, ["not surely as good: new costs 9.00 $ and old 10.00 $, but the difference may be +1.50 $"]),
        (9.0, None, {}, ["not surely as good"]),
        (11.0, 0.5, {}, ["worse: new costs 11.00 $ and old 10.00 $"]),
        (9.0, -0.5, {"unserved_kwh": 0.2}, ["less safe: unserved_kwh 0.2 against 0"]),
        (9.0, -0.5, {"replaced_requests": 1.0}, ["less safe: replaced_requests 1 against 0"]),
        (11.0, 3.0, {"missed_stays": 2.0}, ["worse", "less safe: missed_stays 2 against 0"]),
    ],
)
def test_reasons(cost: float, high: float | None, safety: dict[str, float], words: list[str]) -> None:
    made = Comparison(
        challenger=Side("new", (cost,), SAFE | safety),
        champion=Side("old", (10.0,), SAFE),
        more_usd=Interval(-3.0, high),
        margin_usd=1.0,
        allowed=SAFE | {"unserved_kwh": 0.1},
    )
    found = made.reasons()
    assert len(found) == len(words)
    assert all(text.startswith(word) for text, word in zip(found, words, strict=True))
