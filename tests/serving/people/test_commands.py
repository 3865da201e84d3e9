"""`ebbflow ask` of a ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ebbflow.configs.cli import main
from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.service import Service

from ..core.small_fleet import request  # noqa: TID252

EVENT = {"type": ["elrp"], "rate_usd_per_kwh": [2.0], "binding": [True], "start_in_s": [0], "end_in_s": [900]}


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """Of three cycles, with an event in the second."""
    path = str(tmp_path / "ledger.db")
    opened, now = Ledger(path), [0.0]
    service = Service(make_kit(load_serving("default", ("gates.check_clock=false",))), opened, lambda: now[0])
    for step in range(3):
        asked = request(step, **({"events": EVENT} if step == 1 else {}))
        now[0] = asked.start_s + 1.0
        service.dispatch(asked)
    opened.close()
    return path


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["ask", *arguments]) == 0
    return capsys.readouterr().out


def test_every_question_has_an_answer_for_people_and_for_programs(
    ledger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"drivers": "Your car is", "plan": "planned by rules", "limits": "site s", "events": "delivered kWh"}
    for name, word in words.items():
        assert word in ask(capsys, name, "--ledger", ledger)
        assert json.loads(ask(capsys, name, "--ledger", ledger, "--json"))["fleet"] == "f"
    assert "15 Jul 12:30" in ask(capsys, "story", "a", "--ledger", ledger)
    assert len(json.loads(ask(capsys, "story", "a", "--ledger", ledger, "--cycles", "2", "--json"))["story"]) == 2
    assert len(json.loads(ask(capsys, "drivers", "b", "--ledger", ledger, "--json"))["drivers"]) == 1
    assert "no car is plugged in" in ask(capsys, "drivers", "z", "--ledger", ledger)
    assert "no programme event" in ask(capsys, "events", "--ledger", ledger, "--until", "2026-07-15T00:00-07:00")
    assert "no port or car 'z' in the last cycles" in ask(capsys, "story", "z", "--ledger", ledger)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "--ledger", "nowhere.db"), "no such ledger"),
        (("plan", "--fleet", "g"), "unknown fleet 'g'"),
        (("events", "--from", "2026-07-15"), "--from is '2026-07-15'; it should be a time with its offset"),
        (("plan", "--bundle", "nowhere"), "no such bundle"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_reason(
    ledger: str, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    where = () if "--ledger" in arguments else ("--ledger", ledger)
    assert main(["ask", *arguments, *where]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
