"""The process: quick and small when idle, patient with nobody, and gone when it is told to go."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from ebbflow.configs.cli import main
from ebbflow.serving.bench.measure import Server, running
from ebbflow.serving.http.limits import Limits
from ebbflow.serving.http.server import listen, run

from ...agents.bundle.graphs import manifest  # noqa: TID252
from ...machine import slowness  # noqa: TID252
from ..core.small_fleet import document  # noqa: TID252

HEAD = b"POST /v1/dispatch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"

HEAVY = ("torch", "stable_baselines3", "mlflow", "gymnasium", "numba", "onnxruntime", "pyarrow", "pandas", "scipy")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.mark.slow
def test_it_starts_quickly(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert server.cpu_s() < 2.0 * slowness(), "CPU time until it was ready"


def test_it_starts_without_a_model_and_stays_small(server: Server) -> None:
    assert server.memory_mib() < 150.0
    told = httpx.get(f"{server.url}/readyz", trust_env=False)
    assert (told.status_code, told.json()["state"]) == (200, "degraded")


def test_an_answer_does_not_wait_for_the_client_to_confirm_its_head(server: Server) -> None:
    took = []
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for _ in range(30):
            began = time.perf_counter()
            client.get("/livez")
            took.append(time.perf_counter() - began)
    assert min(took[10:]) < 0.03, "a delayed confirmation takes 40 ms"


def test_serving_loads_nothing_heavy() -> None:
    code = (
        "import sys, importlib, ebbflow.serving; "
        "[importlib.import_module('ebbflow.serving.' + name) for name in "
        "('commands', 'service', 'http.app', 'http.start', 'http.server', 'ledger.store', 'ledger.verify')]; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _closed_after(server: Server, head: bytes, most_s: float) -> float:
    host, port = server.url.removeprefix("http://").split(":")
    began = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=most_s) as client:
        client.sendall(head)
        while client.recv(4096):
            pass
    return time.monotonic() - began


@pytest.mark.slow
def test_slow_clients_are_sent_away(server: Server) -> None:
    assert _closed_after(server, b"", 20.0) < 15.0, "says nothing"
    assert _closed_after(server, HEAD, 20.0) < 15.0, "never ends its head"
    assert _closed_after(server, HEAD + b"\r\n{", 40.0) < 35.0, "never ends its body"
    assert httpx.get(f"{server.url}/livez", trust_env=False).status_code == 200


def test_a_client_that_goes_away_costs_nothing(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    for head in (HEAD, HEAD + b"\r\n{", b"\x00\x01", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection((host, int(port))) as client:
            client.sendall(head)
    assert httpx.get(f"{server.url}/livez", trust_env=False).status_code == 200


def test_it_ends_when_told_and_leaves_its_ledger_whole(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        told = httpx.post(f"{server.url}/v1/dispatch", json=document(), trust_env=False)
        assert told.status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
    assert not list(tmp_path.glob("ledger.db-*")), "SQLite's log is taken into its file when that is closed"
    command = [sys.executable, "-m", "ebbflow.configs.cli", "ledger", "verify", "--replay"]
    done = subprocess.run([*command, "--ledger", str(tmp_path / "ledger.db")], capture_output=True, text=True)
    assert done.returncode == 0
    assert "whole: 2 entries, 1 cycles, 1 decided again" in done.stdout


def test_a_port_that_is_taken_or_a_host_that_is_none_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = ["--ledger", str(tmp_path / "l.db")]
    (taken,) = listen("127.0.0.1", 0)
    with taken:
        assert main(["serve", "--port", str(taken.getsockname()[1]), *ledger]) == 2
    assert "Address already in use; does another service run there?" in " ".join(capsys.readouterr().err.split())
    assert main(["serve", "--host", "nowhere.invalid", *ledger]) == 2
    assert "leads nowhere" in capsys.readouterr().err


def test_all_addresses_of_a_host_share_a_port() -> None:
    sockets = listen("localhost", 0)
    assert len({one.getsockname()[1] for one in sockets}) == 1
    for one in sockets:
        one.close()


def test_an_idle_connection_is_ended_by_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, which also sees a head that does not end; uvicorn's would come before it, or never."""
    configured: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, _: configured.append(self.config))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    limits = Limits(head_s=45.0)
    run(FastAPI(), [], limits)
    assert limits.head_s < configured[0].timeout_keep_alive < limits.head_s + 2.0


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self.command,)


def test_no_pickle_is_reached_by_a_poisoned_bundle(tmp_path: Path) -> None:
    """Every unpickling of a class raises an audit event; a service on such a bundle raises none."""
    poison, owned = tmp_path / "poison", tmp_path / "owned"
    poison.mkdir()
    files = {"manifest.json": manifest().to_json().encode(), "model.onnx": pickle.dumps(Evil(f"touch {owned}"))}
    files["SHA256SUMS"] = "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()
    for name, content in files.items():
        (poison / name).write_bytes(content)
    code = f"""
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith("pickle.") else None)
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.start import make_service
service = make_service(load_serving("default"), "{tmp_path}/l.db", "{poison}")
print(service.kit.runner, seen, service.problems)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("None [] ("), done.stdout
    assert "the policy cannot be used, the rules decide" in done.stdout
    assert "model.onnx" in done.stdout
    assert not owned.exists()
