"""A server in a process of its own, asked cycle after cycle over HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from ...configs.messages import ConfigError
from ..http import arrow
from ..messages.canonical import canonical_json
from ..messages.request import DispatchRequest, request_document
from .fleets import NIGHT_STEPS, clock, fleet_request

Array = Any

JSON = "application/json"
LIMIT_S = 300.0
START_LIMIT_S = 120.0
"""Until a server answers; on a busy machine the imports alone take their time."""


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Args:
        warm_up: cycles before 18:00 of the first night, for what is done once: imports, tables, connections.
    """

    cars: int
    binding: bool
    media: str
    cycles: int
    warm_up: int = 5

    @property
    def name(self) -> str:
        """For people."""
        limits = "binding" if self.binding else "slack"
        return f"{self.cars:,} cars, {limits} limits, {'JSON' if self.media == JSON else 'Arrow'}"


@dataclass(frozen=True)
class Figures:
    """Of one case; milliseconds from the first byte sent to the last one received, CPU time a cycle beside it.

    `hours` are those of the cycles that were measured, `worst_at` is when the server took the most CPU time.
    """

    cars: int
    limits: str
    media: str
    cycles: int
    hours: str
    ms_p50: float
    ms_p90: float
    ms_p99: float
    ms_worst: float
    server_cpu_ms: float
    server_cpu_ms_worst: float
    worst_at: str
    request_bytes: int
    answer_bytes: int
    server_peak_mib: float


class Server:
    """A running `ebbflow serve`."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, start_s: float) -> None:
        self.process, self.url, self.start_s = process, url, start_s

    def memory_mib(self, what: str = "VmRSS") -> float:
        """Resident memory of the process: now, or at most so far (`VmHWM`)."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in text.splitlines() if line.startswith(f"{what}:")]
        return int(line.split()[1]) / 1024

    def cpu_s(self) -> float:
        """CPU time of the process so far."""
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(folder: Path, bundle: str | None = None, *options: str) -> Iterator[Server]:
    """A server on a free port, with its ledger in `folder`.

    Raises:
        ConfigError: it did not come up.
    """
    port = free_port()
    command = [sys.executable, "-m", "ebbflow.configs.cli", "serve", "--port", str(port), *options]
    command += ["--ledger", str(folder / "ledger.db"), "--set", "gates.check_clock=false"]
    command += ["--bundle", str(Path(bundle).resolve())] if bundle else []
    began = time.perf_counter()
    with open(folder / "server.log", "ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, url, began + START_LIMIT_S)
        yield Server(process, url, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, until: float) -> None:
    while time.perf_counter() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.01)
    raise ConfigError("the server did not come up")


def measure(case: Case, bundle: str | None = None) -> tuple[Figures, float, float]:
    """One case on a fresh server: its figures, the server's start in seconds, and its idle memory in MiB."""
    with tempfile.TemporaryDirectory(prefix="ebbflow-bench-") as name, running(Path(name), bundle) as server:
        idle_mib = server.memory_mib()
        asked = _ask(case, server)
        figures = _figures(case, *asked, server.memory_mib("VmHWM"))
        return figures, round(server.start_s, 2), round(idle_mib, 1)


def _figures(case: Case, took: Array, cpu_s: Array, sent: int, got: int, peak_mib: float) -> Figures:
    p50, p90, p99, worst = np.percentile(1e3 * took, [50, 90, 99, 100]).round(2).tolist()
    return Figures(
        cars=case.cars,
        limits="binding" if case.binding else "slack",
        media="json" if case.media == JSON else "arrow",
        cycles=case.cycles,
        hours=f"{clock(0)} to {clock(min(case.cycles, NIGHT_STEPS))}",
        ms_p50=p50,
        ms_p90=p90,
        ms_p99=p99,
        ms_worst=worst,
        server_cpu_ms=round(1e3 * float(cpu_s.mean()), 2),
        server_cpu_ms_worst=round(1e3 * float(cpu_s.max()), 2),
        worst_at=clock(int(cpu_s.argmax()) % NIGHT_STEPS),
        request_bytes=sent,
        answer_bytes=got,
        server_peak_mib=round(peak_mib, 1),
    )


def _ask(case: Case, server: Server) -> tuple[Array, Array, int, int]:
    """Seconds of each cycle, the server's CPU seconds in it, and the sizes of the last bodies."""
    took, cpu_s, sent, got = [], [], 0, 0
    with httpx.Client(base_url=server.url, timeout=LIMIT_S, trust_env=False) as client:
        for step in range(-case.warm_up, case.cycles):
            body = _body(fleet_request(case.cars, step, binding=case.binding), case.media)
            before, began = server.cpu_s(), time.perf_counter()
            answer = client.post("/v1/dispatch", content=body, headers={"content-type": case.media})
            ended = time.perf_counter()
            if answer.status_code != 200 or answer.headers["ebbflow-recorded"] != "true":
                raise ConfigError(f"the server answered {answer.status_code}: {answer.text[:200]}")
            if step >= 0:
                took.append(ended - began)
                cpu_s.append(server.cpu_s() - before)
                sent, got = len(body), len(answer.content)
    return np.array(took), np.array(cpu_s), sent, got


def _body(request: DispatchRequest, media: str) -> bytes:
    return canonical_json(request_document(request)) if media == JSON else arrow.write_request(request)


def as_row(figures: Figures) -> dict[str, Any]:
    """For JSON."""
    return asdict(figures)
