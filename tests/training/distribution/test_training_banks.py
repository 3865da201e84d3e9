"""A run on drawn fleets: each with its own reserve, every update a finite number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ebbflow.envs.safety.projection import Reserve
from ebbflow.envs.world.sources import ScenarioFiles
from ebbflow.training.pathwise import PathwiseSettings, PathwiseTrainer
from ebbflow.training.reserves import one_each
from ebbflow.training.run.days import TrainingBanks, training_banks, training_days
from ebbflow.training.run.learners import make_learner
from ebbflow.training.run.settings import RunSettings


def told(**changes: object) -> RunSettings:
    values: dict[str, object] = {
        "scenario": "home-texas", "overrides": ("ports=3", "interval_minutes=60"), "updates": 4, "train_days": 4,
        "fleets": 3, "algorithm": "pathwise", "training": ("training.worlds=2",),
    }  # fmt: skip
    return RunSettings(**(values | changes))  # type: ignore[arg-type]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingBanks:
    monkeypatch.chdir(tmp_path)
    return training_banks(told(), training_days(told()))


def test_the_scenario_comes_first_and_the_time_grid_is_shared(given: TrainingBanks) -> None:
    assert len(given.banks) == len(given.reserves) == 4
    assert given.banks[0].first.n_ports == 3
    assert {bank.first.interval_minutes for bank in given.banks} == {60}
    assert len({bank.first.n_ports for bank in given.banks}) > 1


def test_updates_on_all_fleets_are_numbers(given: TrainingBanks) -> None:
    settings = PathwiseSettings(updates=6, worlds=2)
    trainer = PathwiseTrainer(given.banks, settings, reserve=given.reserves)
    made = list(trainer.train())
    assert np.isfinite([[update.usd_per_car_day, update.gradient_norm] for update in made]).all()


def test_real_data_and_ppo_have_no_fleets_beside_them(given: TrainingBanks) -> None:
    days = training_days(told())
    with pytest.raises(ValueError, match="leave the files out"):
        training_banks(told(files=ScenarioFiles(prices="prices.csv")), days)
    with pytest.raises(ValueError, match="ppo trains on one fleet"):
        make_learner(told(algorithm="ppo-ports", training=()), days)


def test_reserves_are_one_for_all_or_one_for_each() -> None:
    one, other = Reserve(0.8, 1.0), Reserve(0.9, 0.0)
    assert list(one_each(one, 2)) == [one, one]
    assert list(one_each(None, 2)) == [None, None]
    assert list(one_each([one, other], 2)) == [one, other]
    with pytest.raises(ValueError, match="2 reserves are given for 3 banks"):
        one_each([one, other], 3)
