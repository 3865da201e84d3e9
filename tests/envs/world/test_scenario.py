"""Scenarios on disk: every byte comes back, nothing foreign comes in, nothing half-written stays."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ebbflow.envs.simulator import Simulator
from ebbflow.envs.world.scenario import Events, Scenario, steps_per_hour
from ebbflow.envs.world.stress import Stress, random_scenario


@pytest.fixture
def world() -> Scenario:
    made = random_scenario(np.random.default_rng(1), Stress(hours=6))
    return dataclasses.replace(
        made,
        start=datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/Chicago"), fold=1),
        vehicles=("a", "b"),
        provenance={"prices": "a, b; 2024", "ä": "ö"},
        emissions_kg_per_kwh=np.full_like(made.emissions_kg_per_kwh, np.nan),
    )


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    for part in dataclasses.fields(a):
        one, two = getattr(a, part.name), getattr(b, part.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype, part.name
            assert one.shape == two.shape, part.name
            assert one.tobytes() == two.tobytes(), part.name
        elif dataclasses.is_dataclass(one) and not isinstance(one, type):
            assert_same(one, two)
        else:
            assert one == two, part.name
            assert type(one) is type(two), part.name


def test_what_was_saved_comes_back_to_the_byte(world: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "day.npz"
    world.save(path)
    back = Scenario.load(path)
    assert_same(world, back)
    assert back.start.utcoffset() == world.start.utcoffset()
    assert [back.time_of(k) for k in range(30)] == [world.time_of(k) for k in range(30)]
    back.save(tmp_path / "again.npz")
    assert_same(Scenario.load(tmp_path / "again.npz"), world)


def test_a_day_without_events_or_tables_comes_back(world: Scenario, tmp_path: Path) -> None:
    bare = dataclasses.replace(
        world,
        events=Events.none(),
        emissions_issued_kg_per_kwh=np.zeros((world.n_steps, 0)),
        vehicles=(),
        provenance={},
    )
    bare.save(tmp_path / "bare.npz")
    assert_same(Scenario.load(str(tmp_path / "bare.npz")), bare)


def test_a_saved_day_costs_the_same(world: Scenario, tmp_path: Path) -> None:
    world = dataclasses.replace(world, money=dataclasses.replace(world.money, carbon_usd_per_kg=0.0))
    world.save(tmp_path / "day.npz")
    books = []
    for day in (world, Scenario.load(tmp_path / "day.npz")):
        simulator, rng = Simulator(day), np.random.default_rng(2)
        simulator.reset()
        for _ in range(day.n_steps):
            simulator.step(rng.uniform(-9, 12, (1, 6)))
        books.append(simulator.ledger().usd)
    assert books[0] == books[1]


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "no scenario")
    return file.getvalue()


FOREIGN = {
    "text": b"price,hour\n1,2\n",
    "empty": b"",
    "pickle": pickle.dumps({"a": 1}),
    "other arrays": _npz(a=np.zeros(3)),
    "one array": _npy(np.zeros(3)),
    "other archive": _zip(),
    "no dictionary": _npz(__meta__=np.array("[1, 2]")),
    "no json": _npz(__meta__=np.array("day of a fleet")),
    "no format": _npz(__meta__=np.array("{}")),
    "parts missing": _npz(__meta__=np.array(json.dumps({"format": 1, "name": "x"}))),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(ValueError, match=r"foreign\.npz"):
        Scenario.load(path)


def test_a_cut_file_is_refused_by_name(world: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "cut.npz"
    world.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"cut\.npz"):
        Scenario.load(path)


def test_a_newer_format_is_refused(world: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ebbflow.envs.world.scenario.FORMAT_VERSION", 99)
    world.save(tmp_path / "new.npz")
    monkeypatch.undo()
    with pytest.raises(ValueError, match="newer format"):
        Scenario.load(tmp_path / "new.npz")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Scenario.load(tmp_path / "none.npz")


def test_a_save_that_fails_leaves_the_old_file_and_no_rest(
    world: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "day.npz"
    world.save(path)
    before = path.read_bytes()

    def fails(file: Any, **_: Any) -> None:
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", fails)
    with pytest.raises(OSError, match="no space"):
        world.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["day.npz"]


def test_nothing_in_the_file_is_pickled(world: Scenario, tmp_path: Path) -> None:
    world.save(tmp_path / "day.npz")
    with np.load(tmp_path / "day.npz", allow_pickle=False) as file:
        assert {file[name].dtype.kind for name in file.files} <= set("ifbU")


@pytest.mark.parametrize(("minutes", "steps"), [(5, 12), (15, 4), (60, 1)])
def test_steps_of_an_hour(minutes: int, steps: int) -> None:
    assert steps_per_hour(minutes) == steps


def test_other_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="5, 15 or 60"):
        steps_per_hour(10)
