"""The root folders are the packages ebbflow.<folder>, and nothing is imported under two names."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from ..machine import slowness  # noqa: TID252

ROOT = Path(__file__).parents[2]
ROOMS = ("configs", "envs", "agents", "training", "serving")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources() -> list[Path]:
    return [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]


def run_python(code: str) -> str:
    """Output of a fresh interpreter, started outside the checkout so that its folders are not importable."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(sys.prefix), timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_list_is_what_the_folders_hold() -> None:
    inits = [file.parent.relative_to(ROOT) for file in sources() if file.name == "__init__.py"]
    found = {".".join(("ebbflow", *folder.parts)) for folder in inits}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_every_folder_with_code_is_a_package() -> None:
    bare = {file.parent.relative_to(ROOT) for file in sources() if not (file.parent / "__init__.py").exists()}
    assert not bare


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_typed_and_mapped(room: str) -> None:
    assert (ROOT / room / "py.typed").exists()
    assert PROJECT["tool"]["setuptools"]["package-dir"][f"ebbflow.{room}"] == room
    assert (ROOT / ".typing" / "ebbflow" / room).resolve() == ROOT / room


def absolute_imports(file: Path) -> list[str]:
    tree = ast.parse(file.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return names


def offenders(files: list[Path], refused: set[str]) -> list[tuple[str, str]]:
    found = ((str(file), name) for file in files for name in absolute_imports(file))
    return [(file, name) for file, name in found if name.partition(".")[0] in refused]


def test_package_code_imports_its_own_relatively() -> None:
    """An absolute folder name would load a file a second time, as another module."""
    assert not offenders(sources(), {"ebbflow", *ROOMS})


def test_tests_import_by_the_full_name() -> None:
    assert not offenders(sorted((ROOT / "tests").rglob("*.py")), set(ROOMS))


IMPORT_ALL = """
import importlib, pkgutil, sys
from pathlib import Path
root = Path({root!r})
for room in {rooms!r}:
    package = importlib.import_module("ebbflow." + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
"""


def test_no_file_is_two_modules() -> None:
    code = IMPORT_ALL.format(root=str(ROOT), rooms=ROOMS)
    code += """
names = {}
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and Path(file).resolve().is_relative_to(root) and "site-packages" not in file:
        names.setdefault(Path(file).resolve(), set()).add(name)
print(len(names))
print([sorted(found) for found in names.values() if len(found) > 1])
"""
    count, twice = run_python(code).splitlines()[-2:]
    assert int(count) >= len(ROOMS)
    assert twice == "[]"


HEAVY = ("torch", "stable_baselines3", "mlflow", "gymnasium", "numba", "pandas", "matplotlib")


@pytest.mark.parametrize("room", ["configs", "envs", "agents"])
def test_importing_a_room_loads_nothing_heavy(room: str) -> None:
    loaded = run_python(f"import sys, ebbflow.{room}; print(*[m for m in {HEAVY!r} if m in sys.modules])")
    assert loaded.split() == []


def test_serving_loads_nothing_heavy_in_any_of_its_modules() -> None:
    code = IMPORT_ALL.format(root=str(ROOT), rooms=("serving",)).replace(
        "importlib.import_module(module.name)",
        "module.name.endswith('.deploy') or importlib.import_module(module.name)",
    )
    thin = HEAVY[:5]
    assert run_python(f"{code}\nprint(*[m for m in {thin!r} if m in sys.modules])").split() == []


@pytest.mark.slow
def test_importing_envs_takes_less_than_half_a_second() -> None:
    code = "import time; t = time.perf_counter(); import ebbflow.envs; print(time.perf_counter() - t)"
    seconds = min(float(run_python(code)) for _ in range(3))
    assert seconds < 0.5 * slowness()


GROUPS = ("ebbflow.commands", "ebbflow.policies")
POINTS = [point for group in GROUPS for point in metadata.entry_points(group=group)]


def test_entry_points_are_installed_as_the_project_states_them() -> None:
    stated = {
        (group, name, value)
        for group, points in PROJECT["project"]["entry-points"].items()
        for name, value in points.items()
    }
    installed = {(point.group, point.name, point.value) for point in POINTS}
    assert installed >= stated, "reinstall: pip install -e ."


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.group}:{point.name}")
def test_every_entry_point_leads_to_something_callable(point: metadata.EntryPoint) -> None:
    assert callable(point.load())


def test_the_pins_fit_the_requirements() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pins["torch"] == "2.13.0"
    assert "torch==2.13.0" in PROJECT["project"]["optional-dependencies"]["train"]
    bound_to_a_build = [name for name, version in pins.items() if "+" in version]
    assert not bound_to_a_build
