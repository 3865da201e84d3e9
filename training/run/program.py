"""What a run's weights depend on beside its settings: the program's own files and what it computes with."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ...agents.evaluation.keys import code_digest, digest_of

ROOT = Path(__file__).parents[1]
"""The room `training`; `code_digest` knows the rooms below it."""

STILL = ("export", "tracking", "tune")
"""What comes before or after a run, and moves no weight."""

LEARNING = ("torch", "cmaes", "stable-baselines3")
"""Packages of which another release may move a weight, beside those of `code_digest`."""


@lru_cache(maxsize=1)
def program_digest() -> str:
    """64 hexadecimal digits that differ where the same settings may lead to other weights."""
    return digest_of(LEARNING, ROOT, _own_files(), before=code_digest())


def _own_files() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        if path.relative_to(ROOT).parts[0] not in STILL:
            yield path
