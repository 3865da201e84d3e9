"""What is shipped for operators names alerts, metrics, commands and options that there are."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ebbflow.configs.cli import main
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.start import make_service
from ebbflow.serving.loop.loop import Loop
from ebbflow.serving.operate.commands import NOW, TEMPLATES, read, section
from ebbflow.serving.service.metrics import Metrics

from ..asgi import Client  # noqa: TID252

RULES = yaml.safe_load(read("alerts"))["groups"][0]["rules"]
ALERTS = [rule["alert"] for rule in RULES]


def names_of_metrics() -> set[str]:
    text = Metrics().text().decode()
    families = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    return {name for name, _ in families} | {f"{name}_bucket" for name, kind in families if kind == "histogram"}


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    sections = re.findall(r"^## (\w+)$", read("runbook"), re.MULTILINE)
    assert sections == sorted(set(sections), key=sections.index)
    assert set(sections) == set(ALERTS)
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"ebbflow runbook {rule['alert']}"
        assert rule["labels"]["severity"] in ("page", "ticket")
        told = section(read("runbook"), rule["alert"])
        assert "\nLook: " in told
        assert "\nDo: " in told


def test_alerts_and_runbook_name_metrics_that_there_are() -> None:
    known = names_of_metrics()
    for text in (*(rule["expr"] for rule in RULES), *re.findall(r"`(ebbflow_\w+)`", read("runbook"))):
        for name in re.findall(r"\bebbflow_\w+", text):
            assert name in known, name


def test_alerts_look_back_over_a_cycle_and_tell_which_fleet() -> None:
    of_fleets = set(re.findall(r"^(ebbflow_\w+)\{fleet=", gauges_of_a_cycle(), re.MULTILINE))
    assert len(of_fleets) == 6
    for rule in RULES:
        for minutes in re.findall(r"\[(\d+)m\]", rule["expr"]):
            assert int(minutes) >= 20 or "requests_refused" in rule["expr"] or "reload" in rule["expr"], rule["expr"]
        if of_fleets & set(re.findall(r"\bebbflow_\w+", rule["expr"])):
            assert "$labels.fleet" in rule["annotations"]["summary"], rule["alert"]


def gauges_of_a_cycle() -> str:
    metrics = Metrics()
    for gauge in (metrics.last, metrics.breaker, metrics.prices, metrics.unusual, metrics.shortfall):
        gauge.labels("f").set(1.0)
    metrics.oldest.labels("f", "soc").set(1.0)
    return metrics.text().decode()


def commands() -> list[str]:
    """Each command line that the runbook and the templates tell people to type."""
    found = re.findall(r"`(ebbflow [^`]+)`", read("runbook"))
    for name in TEMPLATES:
        text = read(name).replace("\\\n", " ")
        found += re.findall(
            r"(?:^#?|bin/|ExecStart=\S*/|\$\(|-- /\S*/)\s*(ebbflow [a-z].*?)(?:>|&&|#|$)", text, re.MULTILINE
        )
    return sorted({re.sub(r"\$\w+|\[.*", "", command).strip() for command in found})


@pytest.mark.parametrize("command", commands())
def test_every_command_that_is_named_exists_with_its_options(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    words = shlex.split(command)[1:]
    groups = ("ask", "token", "ledger", "bench")
    name = words[:2] if words[0] in groups else words[:1]
    assert main([*name, "--help"]) == 0
    told = capsys.readouterr().out
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in told, word


def test_the_list_of_commands_is_not_empty() -> None:
    assert len(commands()) > 10
    assert any(command.startswith("ebbflow serve --host") for command in commands())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name in ("systemd", "dispatch"):
        unit = tmp_path / TEMPLATES[name]
        unit.write_text(
            read(name).replace("/opt/ebbflow/bin/ebbflow", sys.executable).replace("User=ebbflow", "User=root")
        )
    verify = ["systemd-analyze", "verify", *map(str, tmp_path.iterdir())]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60)
    assert not [line for line in done.stderr.splitlines() if "ebbflow" in line], done.stderr


def started_by(unit: str, folder: Path) -> list[str]:
    """What the shipped unit starts, in a folder that stands for /var/lib, with the variable that it shows."""
    text = read(unit)
    command = re.findall(r"^ExecStart=\S*/ebbflow (.*)$", text, re.MULTILINE)[0]
    for name, value in re.findall(r"^#\s+(EBBFLOW_\w+)=(.*)$", text, re.MULTILINE):
        command = command.replace(f"${name}", value)
    return shlex.split(command.replace("%S", str(folder)).replace("/var/lib", str(folder)))


def test_the_service_starts_as_its_unit_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [{"8080": "0"}.get(word, word) for word in started_by("systemd", tmp_path)]
    (tmp_path / "ebbflow" / "deployment").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    served: list[int] = []

    def run(_: object, sockets: list[socket.socket], __: object) -> None:
        for one in sockets:
            served.append(one.fileno())
            one.close()

    monkeypatch.setattr("ebbflow.serving.http.start.run", run)
    assert main(words) == 0
    assert len(served) == 1


def test_the_loop_starts_as_its_unit_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ebbflow").mkdir()
    (tmp_path / "ebbflow" / "dispatch-token").write_text("secret")
    loops: list[Loop] = []
    monkeypatch.setattr(Loop, "run", lambda self, _: loops.append(self))
    main(started_by("dispatch", tmp_path))
    assert len(loops) == 1, capsys.readouterr().err


def test_the_container_starts_the_service_as_somebody_without_rights() -> None:
    text = read("container")
    assert text.index("USER ebbflow") < text.index("ENTRYPOINT")
    assert '"--host", "0.0.0.0"' in text
    assert "EBBFLOW_TOKENS" not in text, "a file that is named has to be there; the default need not"


def test_the_commands_print_and_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runbook", "EbbflowLedgerDown"]) == 0
    assert capsys.readouterr().out.startswith("## EbbflowLedgerDown\n\n*The ledger cannot be read or written.*")
    assert main(["runbook"]) == 0
    assert capsys.readouterr().out.startswith("# Runbook")
    for name, file in TEMPLATES.items():
        assert main(["template", name]) == 0
        told = capsys.readouterr().out
        assert told == read(name) or NOW in read(name), file
    assert main(["runbook", "EbbflowDwn"]) == 2
    assert "did you mean 'EbbflowDown'" in " ".join(capsys.readouterr().err.split())
    assert main(["template", "helm"]) == 2


def test_the_last_section_of_alerts_ends_before_the_chapters() -> None:
    assert "Rolling out" not in section(read("runbook"), ALERTS[-1])


def test_the_state_that_is_printed_is_decided_by_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "state"]) == 0
    (tmp_path / "state.json").write_text(capsys.readouterr().out)
    assert main(["dispatch", "--port", f"files:{tmp_path}", "--zone", "America/Los_Angeles", "--cycles", "1"]) == 0
    told = json.loads((tmp_path / "setpoints.json").read_text())["setpoints"]
    assert told["id"] == ["p1", "p2", "p3"]
    assert "sent 3 (3 new)" in capsys.readouterr().out


def test_the_request_that_is_printed_is_answered_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "request"]) == 0
    service = make_service(load_serving("default", ()), str(tmp_path / "ledger.db"), None)
    try:
        told = Client(create_app(service)).post("/v1/dispatch", json=json.loads(capsys.readouterr().out))
        assert told.status_code == 200, told.text
        assert told.json()["decisions"]["id"] == ["p1", "p2", "p3"]
    finally:
        service.close()
