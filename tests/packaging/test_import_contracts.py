"""import-linter sees the rooms under their names ebbflow.* and fails on what the contracts forbid."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("configs", "envs", "agents", "training", "serving")
LINT = Path(sys.executable).parent / "lint-imports"

pytestmark = pytest.mark.skipif(not LINT.exists(), reason="import-linter is not installed")


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(project), "NO_COLOR": "1"}
    command = [str(LINT), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A project of its own whose rooms are copies, found before those of the checkout."""
    for room in ROOMS:
        skip = shutil.ignore_patterns("__pycache__", "*.toml")
        shutil.copytree(ROOT / room, tmp_path / "ebbflow" / room, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_rooms_keep_the_contracts(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout
    analysed = re.search(r"Analyzed (\d+) files", done.stdout)
    assert analysed is not None
    assert int(analysed[1]) >= len(list((copy / "ebbflow").rglob("*.py")))


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("configs", "from ..envs import physics"),
        ("envs", "from .. import agents"),
        ("agents", "from .. import training"),
        ("training", "from .. import serving"),
        ("serving", "from .. import training"),
        ("serving", "import torch"),
        ("serving", "def later():\n    import mlflow"),
    ],
)
def test_a_planted_violation_is_found(copy: Path, room: str, line: str) -> None:
    (copy / "ebbflow" / room / "planted.py").write_text(f"{line}\n")
    done = lint(copy)
    assert done.returncode == 1
    assert f"ebbflow.{room}.planted" in done.stdout


def test_serving_may_not_reach_gymnasium_through_another_room(copy: Path) -> None:
    (copy / "ebbflow" / "agents" / "planted.py").write_text("import gymnasium\n")
    (copy / "ebbflow" / "serving" / "planted.py").write_text("from ..agents import planted\n")
    done = lint(copy)
    assert done.returncode == 1
    assert "ebbflow.serving is not allowed to import gymnasium" in done.stdout
