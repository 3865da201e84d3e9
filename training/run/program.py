"""What a run's weights depend on beside its settings: the program's own files and what it computes with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from ...agents.evaluation.keys import code_digest

ROOT = Path(__file__).parents[1]
"""The room `training`; `code_digest` knows the rooms below it."""

STILL = ("export", "tracking", "tune")
"""What comes before or after a run, and moves no weight."""

LEARNING = ("torch", "cmaes", "stable-baselines3")
"""Packages of which another release may move a weight, beside those of `code_digest`."""


@lru_cache(maxsize=1)
def program_digest() -> str:
    """64 hexadecimal digits that differ where the same settings may lead to other weights."""
    held = hashlib.sha256(code_digest().encode())
    for name in LEARNING:
        held.update(f"{name} {_version(name)}\n".encode())
    for path in _own_files():
        held.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        held.update(path.read_bytes())
    return held.hexdigest()


def _own_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] not in STILL:
            yield path


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
