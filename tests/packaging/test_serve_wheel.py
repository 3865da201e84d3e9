"""The wheel with the `serve` extra alone, where nothing of the simulator or of training is installed, serves."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ebbflow.agents.bundle import write_bundle

from ..agents.bundle.graphs import manifest, model  # noqa: TID252

ROOT = Path(__file__).parents[2]
ABSENT = ("torch", "stable_baselines3", "mlflow", "gymnasium", "numba", "pandas", "scipy", "pytest")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def executables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serve")
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    pip = [str(folder / "env/bin/python"), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, f"{wheel}[serve]"], check=True, timeout=500)
    return folder / "env" / "bin"


def _get(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=10) as answer:
        return json.load(answer)


@contextmanager
def serving(executables: Path, folder: Path, *options: str) -> Iterator[str]:
    """The address of a service of the wheel, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(executables / "ebbflow"), "serve", "--port", str(port), "--set", "gates.check_clock=false", *options]
    server, url, until = subprocess.Popen(command, cwd=folder), f"http://127.0.0.1:{port}", time.monotonic() + 60
    try:
        while True:
            try:
                _get(f"{url}/readyz")
                break
            except urllib.error.URLError:
                assert time.monotonic() < until
                time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait(10)


def run(executables: Path, folder: Path, *words: str) -> str:
    command = [str(executables / "ebbflow"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def ask(url: str) -> Any:
    """The answer to the example of the API's own document."""
    example = _get(f"{url}/openapi.json")["paths"]["/v1/dispatch"]["post"]["requestBody"]["content"]
    return _get(f"{url}/v1/dispatch", example["application/json"]["example"])


def test_nothing_of_simulator_and_training_is_installed(executables: Path) -> None:
    code = f"import importlib.util as u; print([name for name in {ABSENT} if u.find_spec(name)])"
    found = subprocess.run([executables / "python", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_service_runs(executables: Path, tmp_path: Path) -> None:
    with serving(executables, tmp_path) as url:
        assert _get(f"{url}/readyz")["state"] == "degraded"
        answer = ask(url)
        assert answer["state"] == "degraded"
    assert "byte for byte" in run(executables, tmp_path, "replay", answer["cycle_id"])


def test_a_policy_is_deployed_decides_and_is_replayed(executables: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bundle", model(), manifest())
    assert "bundle (" in run(executables, tmp_path, "deploy", "--from", "bundle")
    with serving(executables, tmp_path, "--bundle", "deployment") as url:
        assert _get(f"{url}/readyz")["state"] == "auto"
        assert ask(url)["model"]["name"] == "bundle"
    assert "1 decided again" in run(executables, tmp_path, "ledger", "verify", "--replay")


def test_a_site_is_dispatched_by_files(executables: Path, tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(run(executables, tmp_path, "template", "state"))
    with serving(executables, tmp_path) as url:
        words = ("--port", "files:.", "--zone", "UTC", "--url", url, "--cycles", "1")
        assert "sent 3 (3 new)" in run(executables, tmp_path, "dispatch", *words)
    assert json.loads((tmp_path / "setpoints.json").read_text())["setpoints"]["id"] == ["p1", "p2", "p3"]
