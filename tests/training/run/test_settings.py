"""What a run is told: strict, by name, and with one hash for one meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebbflow.agents.days import draw_days
from ebbflow.agents.evaluation.keys import Keys
from ebbflow.envs.world.build import load_settings
from ebbflow.envs.world.sources import ScenarioFiles
from ebbflow.training.pathwise import PathwiseSettings
from ebbflow.training.run.days import final_request, training_days, validation_plan
from ebbflow.training.run.settings import RunSettings, algorithm_of, load_training, run_hash, split_overrides

from ...envs.world.test_build_files import write_prices  # noqa: TID252


def test_set_goes_to_scenario_or_algorithm_by_its_prefix() -> None:
    assert split_overrides(["ports=5", "training.worlds=8"]) == (("ports=5",), ("training.worlds=8",))


def test_a_preset_with_overrides_becomes_the_algorithms_own_settings() -> None:
    told = load_training(PathwiseSettings, "pathwise", ["training.worlds=8"], updates=7, seed=3)
    assert (told.worlds, told.updates, told.seed) == (8, 7, 3)
    assert told.learning_rate == PathwiseSettings().learning_rate


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.world=8", "did you mean 'training.worlds'"),
        ("training.worlds='a'", "it should be a valid integer"),
        ("training.worlds=0", "worlds is 0; it must be at least 1"),
        ("training.seed=3", "unknown setting 'training.seed'"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(override: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_training(PathwiseSettings, "pathwise", [override])


def test_an_unknown_algorithm_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="unknown training preset 'pathwize'; did you mean 'pathwise'"):
        algorithm_of("pathwize")


@pytest.mark.parametrize("budget", [{}, {"minutes": 1, "updates": 1}])
def test_a_run_has_one_budget(budget: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give one of them"):
        RunSettings(scenario="home-texas", **budget)


def test_settings_come_back_from_json() -> None:
    told = RunSettings(
        scenario="home-texas", updates=3, overrides=("ports=5",), files=ScenarioFiles(prices="p", emissions=("a", "b"))
    )
    assert RunSettings.model_validate_json(told.model_dump_json()) == told


def test_real_dates_trained_on_chosen_on_and_judged_on_are_apart(tmp_path: Path) -> None:
    files = ScenarioFiles(prices=write_prices(tmp_path / "p.csv", "2025-06-02T00:00", 30, factor=0.01))
    told = RunSettings(
        scenario="home-texas", overrides=("ports=2",), updates=1, train_days=40, validation_days=10, files=files
    )
    plan = validation_plan(told)
    assert len(Keys(plan.request, plan.drawn).of(plan.tasks()[0])) == 64
    drawn = training_days(told), plan.drawn, draw_days(final_request(told))
    dates = [{day.start.date() for day in days.scenarios} for days in drawn]
    assert max(dates[0]) < min(dates[1]) <= max(dates[1]) < min(dates[2])


def hashed(overrides: tuple[str, ...] = (), training: tuple[str, ...] = (), **more: object) -> str:
    told = RunSettings(scenario="home-texas", updates=3, overrides=overrides, training=training, **more)
    scenario = load_settings("home-texas", overrides)
    return run_hash(told, scenario, load_training(PathwiseSettings, "pathwise", training, updates=3))


def test_the_hash_moves_with_every_meaning_and_with_nothing_else() -> None:
    same = {hashed(), hashed(("ports=25",)), hashed(training=("training.worlds=32",)), hashed(checkpoint_s=1.0)}
    others = [hashed(("ports=5",)), hashed(training=("training.worlds=8",)), hashed(seed=1), hashed(train_days=9)]
    assert len(same) == 1
    assert len({*same, *others}) == 1 + len(others)
