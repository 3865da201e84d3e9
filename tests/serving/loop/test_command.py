"""`ebbflow dispatch` as a person runs it: a line a cycle, a sentence for a mistake, an end to be trusted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ebbflow.configs.cli import main
from ebbflow.serving.loop.clock import SimulatedClock
from ebbflow.serving.loop.options import Options
from ebbflow.serving.loop.start import LIVE, make_decider

from ..core.small_fleet import request  # noqa: TID252
from ..ports.web_server import Says, WebServer  # noqa: TID252

DAY = ("--port", "simulated:depot-workplace", "--day", "3")


def state(folder: Path) -> None:
    """A site with two cars, as of now."""
    document = {
        "as_of": datetime.now(UTC).isoformat(),
        "ports": {
            "id": ["a", "b"], "plugged": [True, True], "soc": [0.1, 0.5], "capacity_kwh": [60, 60],
            "max_charge_kw": [11, 11], "departs_in_s": [36000, 36000],
        },
        "sites": {"id": ["s"], "import_limit_kw": [[15.0]]},
    }  # fmt: skip
    (folder / "state.json").write_text(json.dumps(document))


def test_a_simulated_day_ends_with_its_ledger(capsys: Any) -> None:
    assert main(["dispatch", *DAY, "--policy", "cheapest_hours"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("prices: depot-workplace, known until ")
    assert len(out) == 98
    assert "auto" in out[40]
    assert out[-1].startswith("depot-workplace.test0.3: net cost ")
    assert out[-1].endswith("unserved 0.00 kWh, overload 0.00 kWh")


def test_a_ledger_of_a_simulated_day_can_be_verified_and_replayed(tmp_path: Path, capsys: Any) -> None:
    ledger = str(tmp_path / "ledger.db")
    assert main(["dispatch", *DAY, "--cycles", "5", "--ledger", ledger]) == 0
    assert main(["ledger", "verify", "--ledger", ledger]) == 0
    assert "5 cycles" in capsys.readouterr().out


def test_each_day_is_a_fleet_of_its_own(capsys: Any) -> None:
    assert main(["dispatch", *DAY, "--days", "2", "--cycles", "3", "--fleet", "yard", "--json"]) == 0
    cycles = [json.loads(line)["cycle_id"] for line in capsys.readouterr().out.splitlines()]
    assert [cycle.rpartition(".")[0] for cycle in cycles] == ["yard.test0.3"] * 3 + ["yard.test0.4"] * 3


def test_json_lines_are_for_machines(capsys: Any) -> None:
    assert main(["dispatch", *DAY, "--cycles", "2", "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["cycle_start"] < second["cycle_start"]
    assert (first["cause"], first["state"], first["refused"]) == ("schedule", "degraded", {})
    assert first["prices"]["source"] == "depot-workplace"
    assert len(first["setpoints"]["id"]) == len(first["setpoints"]["setpoint_kw"])


def test_a_dry_run_tells_each_car_and_writes_nothing(tmp_path: Path, capsys: Any) -> None:
    state(tmp_path)
    ledger = tmp_path / "ledger.db"
    arguments = ["--port", f"files:{tmp_path}", "--zone", "UTC", "--cycles", "1", "--ledger", str(ledger)]
    assert main(["dispatch", *arguments, "--dry-run"]) == 0
    told = capsys.readouterr()
    assert "    a                        charge" in told.out
    assert "there is no policy: the rules decide" in told.err
    assert "no ledger" not in told.err
    assert {file.name for file in tmp_path.iterdir()} == {"state.json"}
    assert main(["dispatch", *arguments]) == 0
    assert (tmp_path / "setpoints.json").exists()
    assert ledger.exists()


def test_a_gateway_over_http_with_its_token(tmp_path: Path, capsys: Any) -> None:
    state(tmp_path)
    (tmp_path / "token").write_text("t0ken\n")
    gateway = WebServer()
    gateway.says = Says(200, (tmp_path / "state.json").read_bytes())
    arguments = ["--port", gateway.url, "--zone", "UTC", "--cycles", "1", "--site-token", str(tmp_path / "token")]
    assert main(["dispatch", *arguments]) == 0
    gateway.close()
    assert [(one.method, one.path) for one in gateway.asked] == [("GET", "/state"), ("POST", "/setpoints")]
    assert {one.headers["authorization"] for one in gateway.asked} == {"Bearer t0ken"}
    told = capsys.readouterr().err
    assert told.startswith("no ledger: the rules decide and nothing is exported; with --ledger FILE")
    assert 'should be {"refused"' in told, "it answered with its state"


def test_a_cycle_without_an_answer_is_told_by_the_exit_code(tmp_path: Path, capsys: Any) -> None:
    assert main(["dispatch", "--port", f"files:{tmp_path}", "--zone", "UTC", "--cycles", "1"]) == 1
    told = capsys.readouterr()
    assert "no set-points" in told.out
    assert f"the site: {tmp_path}/state.json: No such file" in told.err


@pytest.mark.parametrize(
    ("given", "exports"), [({}, False), ({"dry_run": True}, True), ({"ledger": "ledger.db"}, True)], ids=str
)
def test_a_real_site_without_a_ledger_exports_nothing(given: Any, exports: bool, tmp_path: Path) -> None:
    if "ledger" in given:
        given = {"ledger": str(tmp_path / given["ledger"])}
    asked = request(prices__export_usd_per_kwh=[[5.0, *[0.1] * 95]])
    decider = make_decider(Options(port="files:.", **given), SimulatedClock(asked.start_s), LIVE)
    with closing(decider):
        power = decider.decide(asked, asked.start_s).decisions.setpoint_kw
    assert (power < 0).all() if exports else (power >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--port", "file:x"], "did you mean 'files'?"),
        (["--port", "files:"], "files:FOLDER"),
        (["--port", "files:/nowhere", "--zone", "UTC"], "/nowhere is no folder"),
        (["--port", "files:."], "--zone America/Los_Angeles"),
        (["--port", "files:.", "--zone", "Mars/Base"], "'Mars/Base'"),
        (["--port", "files:.", "--zone", "UTC", "--interval", "10"], "choose one of 5, 15, 60"),
        (["--port", "files:.", "--url", "http://x", "--dry-run"], "--dry-run decides in this process"),
        (["--port", "files:.", "--url", "http://x", "--bundle", "b"], "--bundle is the service's at http://x"),
        (["--port", "files:.", "--zone", "UTC", "--bundle", "b", "--policy", "mpc"], "give one"),
        (["--port", "files:.", "--zone", "UTC", "--policy", "cheapest"], "did you mean 'cheapest_hours'?"),
        (["--port", "files:.", "--zone", "UTC", "--settings", "simulatd"], "did you mean 'simulated'?"),
        (["--port", "files:.", "--tariff", "texas-lz-houston"], "give its prices: --prices"),
        (["--port", "files:.", "--zone", "UTC", "--token", "/nowhere"], "No such file"),
        (["--port", "ocpp:/nowhere.toml", "--zone", "UTC"], "no such file"),
        (["--port", "simulated:depot"], "depot-workplace"),
        (["--port", "simulated:home-texas", "--tariff", "sdge-ev-tou-5"], "--tariff is the scenario's"),
        (["--port", "files:.", "--zone", "UTC", "--days", "2"], "draw simulated days"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], why: str, capsys: Any) -> None:
    assert main(["dispatch", *arguments]) == 2
    told = capsys.readouterr().err
    assert why in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_it_after_the_cycle_and_the_leases_stand(tmp_path: Path, number: int, code: int) -> None:
    state(tmp_path)
    command = [sys.executable, "-m", "ebbflow.configs.cli", "dispatch", "--port", f"files:{tmp_path}", "--zone", "UTC"]
    # In the background of a shell, SIGINT would be ignored from the start.
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    for _ in range(600):
        if (tmp_path / "setpoints.json").exists():
            break
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == code, errors
    assert "stopped; the last lease ends at " in out
    ends = json.loads((tmp_path / "setpoints.json").read_text())["setpoints"]["valid_until"]
    assert datetime.fromisoformat(max(ends)).timestamp() > time.time() + 1500
    assert {file.name for file in tmp_path.iterdir()} == {"state.json", "setpoints.json"}
