"""A loop that is killed at any moment, again and again: set-points are whole, and all are in the ledger."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ebbflow.configs.cli import main
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.messages import answer_document, canonical_json, read_json
from ebbflow.serving.service.service import told_again

from .test_command import state

KILLS = 30


def start(folder: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "ebbflow.configs.cli", "dispatch", "--port", f"files:{folder}", "--zone", "UTC",
        "--ledger", str(folder / "ledger.db"), "--interval", "5",
    ]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def first_cycle_s(folder: Path) -> float:
    """Seconds from the start of a loop to its first set-points on this machine; they are removed again."""
    state(folder)
    began, process = time.monotonic(), start(folder)
    try:
        while not (folder / "setpoints.json").exists():
            assert process.poll() is None, "the loop ended by itself"
            assert time.monotonic() - began < 120.0, "no set-points within two minutes"
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        process.kill()
        process.wait()
        (folder / "setpoints.json").unlink(missing_ok=True)


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, seen = random.Random(0), set[str]()
    usual_s = first_cycle_s(tmp_path)
    for _ in range(KILLS):
        state(tmp_path)
        process = start(tmp_path)
        time.sleep(usual_s * rng.uniform(0.4, 1.8))
        process.kill()
        process.wait()
        if (tmp_path / "setpoints.json").exists():
            seen.add((tmp_path / "setpoints.json").read_text())
    assert len(seen) > KILLS // 4, "most were killed after a cycle"
    assert main(["ledger", "verify", "--ledger", str(tmp_path / "ledger.db")]) == 0
    assert "whole" in capsys.readouterr().out
    ledger = Ledger(str(tmp_path / "ledger.db"))
    answered = set()
    for row in ledger.cycles("fleet"):
        document = read_json(canonical_json(answer_document(told_again(row).answer)))
        answered.add(json.dumps(document["decisions"], sort_keys=True))
    ledger.close()
    assert {json.dumps(json.loads(text)["setpoints"], sort_keys=True) for text in seen} <= answered
    left = {"state.json", "setpoints.json", "setpoints.tmp", "ledger.db", "ledger.db-wal", "ledger.db-shm"}
    assert {file.name for file in tmp_path.iterdir()} <= left
