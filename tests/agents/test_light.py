"""What serving imports from this room stays light."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = [
    "numba",
    "torch",
    "gymnasium",
    "stable_baselines3",
    "mlflow",
    "pandas",
    "scipy",
    "matplotlib",
    "highspy",
]


@pytest.mark.parametrize("module", ["decide", "policy", "rules", "run", "commands"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    loaded = f"[m for m in {HEAVY} if m in sys.modules]"
    code = f"import sys, json, ebbflow.agents.{module}; print(json.dumps({loaded}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
