"""SIGKILL at any moment: no acknowledged cycle is lost or doubled, and the ledger alone proves it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import orjson
import pytest

from ebbflow.serving.bench.measure import free_port
from ebbflow.serving.ledger import tables
from ebbflow.serving.ledger.documents import unsqueezed
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.ledger.verify import verify

from ..core.small_fleet import document  # noqa: TID252


class Nursery:
    """Servers that are killed after a random time each."""

    def __init__(self, ledger: Path, kills: int, seed: int) -> None:
        self.port, self._kills, self._rng = free_port(), kills, np.random.default_rng(seed)
        command = [sys.executable, "-m", "tests.serving.http.nursery", str(ledger)]
        self._process = subprocess.Popen(
            command, cwd=Path(__file__).parents[3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        for _ in range(self._kills):
            self._say(str(self.port))
            time.sleep(self._rng.uniform(0.05, 0.35))
            self._say("kill")
            assert self._process.stdout is not None
            self._process.stdout.readline()
        self._say(str(self.port))

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Kill the last one."""
        self.thread.join()
        self._say("kill")
        self._process.communicate(timeout=30)


def _ask(client: httpx.Client, body: bytes, until: float) -> bytes:
    """Send a cycle until it is acknowledged."""
    while time.monotonic() < until:
        try:
            told = client.post("/v1/dispatch", content=body, headers={"content-type": "application/json"})
        except httpx.TransportError:
            time.sleep(0.005)
            continue
        assert told.status_code == 200, told.text
        assert told.headers["ebbflow-recorded"] == "true"
        return told.content
    raise TimeoutError("no server acknowledged the cycle")


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.study)])
def test_no_acknowledged_cycle_is_lost_or_doubled(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "ledger.db"
    nursery, acknowledged, step = Nursery(path, kills, seed=kills), {}, 0
    until = time.monotonic() + 180.0 + 2.0 * kills  # a busy machine is no lost cycle
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{nursery.port}", timeout=5.0, trust_env=False) as client:
            while nursery.thread.is_alive() or step < 2 * kills:
                body = orjson.dumps(document(step, ports__soc=0.3 + 0.001 * (step % 300)))
                told = _ask(client, body, until)
                acknowledged[orjson.loads(told)["cycle_id"]] = told
                if step % 5 == 0:
                    assert _ask(client, body, until) == told, "asked again, it answers the same"
                step += 1
    finally:
        nursery.close()
    ledger = Ledger(str(path))
    found = verify(ledger, replay=True)
    assert found.whole, found.problems
    assert ledger.count(tables.cycles) == len(acknowledged) == step, "each once, and none that was not acknowledged"
    for name, told in acknowledged.items():
        row = ledger.cycle(cycle_id=name)
        assert row is not None
        assert unsqueezed(row["answer"]) == told
    ledger.close()
    print(f"{kills} kills, {step} cycles")
