"""A run's digest of the program: of all that can move a weight, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ebbflow.agents.evaluation import keys
from ebbflow.training.run import program


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small room `training`."""
    for name in ("weights.py", "direct/trainer.py", "tracking/store.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1")
    monkeypatch.setattr(program, "ROOT", tmp_path)
    return tmp_path


def digest() -> str:
    return program.program_digest.__wrapped__()


def test_it_moves_with_the_code_that_trains_and_with_no_other(room: Path) -> None:
    before = digest()
    (room / "tracking" / "store.py").write_text("x = 2")
    assert digest() == before
    (room / "direct" / "trainer.py").write_text("x = 2")
    assert digest() != before


@pytest.mark.parametrize("package", ["torch", "cmaes", "stable-baselines3"])
def test_it_moves_with_a_release_that_computes(package: str, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, version = digest(), keys._version
    assert version(package) != "absent"
    monkeypatch.setattr(keys, "_version", lambda name: "0" if name == package else version(name))
    assert digest() != before


def test_it_moves_with_the_rooms_below(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest()
    monkeypatch.setattr(program, "code_digest", lambda: "other")
    assert digest() != before
