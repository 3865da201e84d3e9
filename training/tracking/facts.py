"""Where a run was made: program, versions, machine and command, so that it can be made again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ...agents.report import machine

ROOT = Path(__file__).parents[2]
PACKAGES = ("ebbflow", "torch", "numpy", "numba", "gymnasium", "stable-baselines3", "sb3-contrib", "mlflow", "onnx")
GIT_S = 10.0


def facts() -> dict[str, Any]:
    """Plain values: `commit` and `dirty` (None outside a checkout), `versions`, `machine`, `command`."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain") if commit else None
    return {
        "commit": commit,
        "dirty": None if changed is None else bool(changed),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "machine": machine(),
        "command": shlex.join(sys.argv),
    }


def _git(*arguments: str) -> str | None:
    """What git says of the checkout that the program runs from; None where there is no git or no checkout."""
    if not (ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=GIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
