"""The wheel, built through the source distribution, works where the checkout has never been seen."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("configs", "envs", "agents", "training", "serving")

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    words = [str(part) for part in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the executables of a fresh environment with the wheel and its base requirements only."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    executables = folder / "env" / "bin"
    pins = ROOT / "constraints.txt"
    run(executables / "python", "-m", "pip", "install", "-q", "-c", pins, wheel, cwd=folder)
    return executables


def test_every_room_imports_without_extras(clean: Path) -> None:
    rooms = ", ".join(f"ebbflow.{room}" for room in ROOMS)
    where = run(clean / "python", "-c", f"import {rooms}; print(ebbflow.envs.__file__)", cwd=clean)
    assert Path(where.strip()).is_relative_to(clean.parent)


def test_every_module_and_data_file_is_in_the_wheel(clean: Path) -> None:
    code = "import ebbflow.configs; print(ebbflow.configs.__file__)"
    installed = Path(run(clean / "python", "-c", code, cwd=clean).strip()).parents[1]
    files = [file.relative_to(ROOT) for room in ROOMS for file in (ROOT / room).rglob("*") if file.is_file()]
    wanted = [file for file in files if file.suffix in (".py", ".toml", ".j2") or file.name == "py.typed"]
    missing = [file for file in wanted if not (installed / file).exists()]
    assert not missing


def test_the_command_line_comes_up(clean: Path) -> None:
    assert run(clean / "ebbflow", "--version", cwd=clean).startswith("ebbflow ")
    assert "scenarios" in run(clean / "ebbflow", "--help", cwd=clean)


def test_the_licence_travels_along(clean: Path) -> None:
    code = "from importlib.metadata import files; print([f.name for f in files('ebbflow')])"
    assert "LICENSE" in run(clean / "python", "-c", code, cwd=clean)
