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
from pathlib import Path
from typing import Any

import pytest

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


def test_the_service_runs(executables: Path, tmp_path: Path) -> None:
    code = f"import importlib.util as u; print([name for name in {ABSENT} if u.find_spec(name)])"
    found = subprocess.run([executables / "python", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(executables / "ebbflow"), "serve", "--port", str(port), "--set", "gates.check_clock=false"]
    server = subprocess.Popen(command, cwd=tmp_path)
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + 30
        while True:
            try:
                assert _get(f"{url}/readyz")["state"] == "degraded"
                break
            except urllib.error.URLError:
                assert time.monotonic() < until
                time.sleep(0.05)
        example = _get(f"{url}/openapi.json")["paths"]["/v1/dispatch"]["post"]["requestBody"]["content"]
        answer = _get(f"{url}/v1/dispatch", example["application/json"]["example"])
        assert answer["state"] == "degraded"
    finally:
        server.terminate()
        server.wait(10)
    replay = [str(executables / "ebbflow"), "replay", answer["cycle_id"]]
    assert "byte for byte" in subprocess.run(replay, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
