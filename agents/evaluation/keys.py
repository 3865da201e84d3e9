"""Keys of tasks: equal where everything that can move a number is equal, so that no two evaluations mix."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ...configs.dump import resolved
from ...envs.world.sources import ScenarioFiles
from ..days import SAVED, DayRequest, DrawnDays
from ..policy import POLICY_GROUP
from .tasks import Task

ROOT = Path(__file__).parents[2]
MOVING = ("configs", "envs", "agents")
"""The rooms whose code and presets move an evaluation's numbers."""

STILL = ("agents/evaluation/", "agents/studies/")
"""What only arranges numbers; of the first, `tasks.py` does more."""

SOLVERS = ("numpy", "numba", "highspy", "onnxruntime")
"""Packages of which another release may move a last digit."""


class Keys:
    """Keys of the tasks of one evaluation; files and settings are read once.

    Args:
        request: what the days are drawn from.
        drawn: days drawn from it, with the resolved settings.
    """

    def __init__(self, request: DayRequest, drawn: DrawnDays) -> None:
        files = request.files or ScenarioFiles()
        paths = [(name, path) for name, named in files.paths().items() for path in named]
        self._common: dict[str, Any] = {
            "code": code_digest(),
            "settings": resolved(drawn.settings) if drawn.settings else None,
            "day": _file_digest(request.scenario) if request.scenario.endswith(SAVED) else None,
            "files": [(name, _file_digest(path)) for name, path in paths],
            "market": [files.location, files.market, files.part],
            "drawn": [request.seed, request.split],
        }
        self._policies: dict[str, str] = {}

    def of(self, task: Task) -> str:
        """64 hexadecimal digits."""
        if task.policy not in self._policies:
            self._policies[task.policy] = _policy_digest(task.policy)
        own = {"policy": [task.policy, self._policies[task.policy]], "days": task.numbers, "backend": task.backend}
        return hashlib.sha256(json.dumps(self._common | own, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Digest of the program: its own files and the releases of what it computes with."""
    return digest_of(SOLVERS, ROOT, _own_files())


def digest_of(packages: Iterable[str], root: Path, files: Iterable[Path], before: str = "") -> str:
    """64 hexadecimal digits of the releases of packages and of files with their places.

    Args:
        packages: names of distributions.
        root: that the files lie below.
        files: in an order that is always the same.
        before: whatever else moves the digest.
    """
    held = hashlib.sha256(before.encode())
    for name in packages:
        held.update(f"{name} {_version(name)}\n".encode())
    for path in files:
        held.update(path.relative_to(root).as_posix().encode() + b"\0")
        held.update(path.read_bytes())
    return held.hexdigest()


def _own_files() -> Iterable[Path]:
    for room in MOVING:
        for path in sorted((ROOT / room).rglob("*")):
            place = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".toml") and (not place.startswith(STILL) or path.name == "tasks.py"):
                yield path


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _policy_digest(name: str) -> str:
    """Digest of the file that a controller of the user's own, or of another distribution, is written in.

    Of a controller kept in files the name itself holds a digest.
    """
    found = metadata.entry_points(group=POLICY_GROUP, name=name)
    module = (
        "" if "=" in name else name.partition(":")[0] if ":" in name else next((point.module for point in found), "")
    )
    spec = importlib.util.find_spec(module) if module else None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return ""
    return _file_digest(spec.origin)
