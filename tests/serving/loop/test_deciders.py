"""A service elsewhere: its answers, its errors, and what only looks like an answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from ebbflow.agents.rules import CheapestHours
from ebbflow.agents.run import run_days
from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.app import create_app
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.loop.clock import SimulatedClock
from ebbflow.serving.loop.deciders import OverHttp, Recorded, Refused, Taken, Unreachable
from ebbflow.serving.messages import answer_document, canonical_json
from ebbflow.serving.service import Service

from ..core.small_fleet import Says, request  # noqa: TID252
from ..core.small_fleet import Service as Core  # noqa: TID252
from ..ports.web_server import Says as Answers  # noqa: TID252
from ..ports.web_server import WebServer  # noqa: TID252
from .fleets import kit_of, simulated_loop, small_day

NOW_S = request().start_s + 2.0


@pytest.fixture
def web() -> Iterator[WebServer]:
    made = WebServer()
    yield made
    made.close()


@pytest.fixture
def there(web: WebServer) -> Iterator[OverHttp]:
    made = OverHttp(web.url, token="t0ken")
    yield made
    made.close()


def answer(step: int = 0) -> bytes:
    return canonical_json(answer_document(Core(Says(5.0)).cycle(step).answer))


def test_an_answer_is_read(web: WebServer, there: OverHttp) -> None:
    web.says = Answers(200, answer())
    assert there.decide(request(), NOW_S).decisions.setpoint_kw.tolist() == [5.0] * 3
    assert (web.asked[0].path, web.asked[0].headers["authorization"]) == ("/v1/dispatch", "Bearer t0ken")


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_what_is_refused_is_not_sent_again(web: WebServer, there: OverHttp, status: int) -> None:
    web.says = Answers(status, b'{"error": "cycle f was already answered"}')
    with pytest.raises(Refused, match=f"{status} cycle f was already answered") as refused:
        there.decide(request(), NOW_S)
    assert (refused.type is Taken) == (status in (409, 422)), "another start may be answered"


@pytest.mark.parametrize(
    "says",
    [
        Answers(503, b'{"error": "busy"}'), Answers(500, b"<html>"), Answers(401), Answers(429), Answers(200, b"{}"),
        Answers(200, b"\xff"), Answers(200, answer(1)), Answers(204), Answers(302),
    ],
)  # fmt: skip
def test_all_else_may_pass(web: WebServer, there: OverHttp, says: Answers) -> None:
    web.says = says
    with pytest.raises(Unreachable):
        there.decide(request(), NOW_S)


def test_nobody_there() -> None:
    with pytest.raises(Unreachable, match="ConnectError"):
        OverHttp("http://127.0.0.1:9").decide(request(), NOW_S)


def test_a_service_in_this_process_keeps_its_ledger(tmp_path: Path) -> None:
    service = Service(Core(Says(5.0)).kit, Ledger(str(tmp_path / "ledger.db")), lambda: NOW_S)
    decider = Recorded(service)
    first = decider.decide(request(), NOW_S)
    assert service.ledger.cycle(fleet="f", start_s=first.cycle_start_s) is not None
    with pytest.raises(Refused, match="already answered"):
        decider.decide(request(ports__soc=0.6), NOW_S)
    decider.close()


def test_a_day_over_http_costs_what_it_costs_in_process(tmp_path: Path) -> None:
    drawn = small_day()
    straight = run_days(drawn.scenarios[0], CheapestHours(), backend="numpy", reserve=drawn.reserve)
    clock = SimulatedClock(drawn.scenarios[0].start.timestamp())
    service = Service(kit_of(drawn, CheapestHours()), Ledger(str(tmp_path / "ledger.db")), clock.now_s)
    with running(create_app(service)) as url:
        decider = OverHttp(url)
        loop, port, reports = simulated_loop(drawn, decider=decider, clock=clock)
        loop.run(port.steps)
        decider.close()
    port.advance(np.inf)
    assert not any(report.problems for report in reports)
    assert port.ledger().usd == straight.ledgers[0].usd
    service.ledger.close()


class running:
    """An app behind a socket of this machine, in a thread."""

    def __init__(self, app: Any) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10.0)
        self._socket.close()


def test_what_runs_beside_a_service_of_this_process_ends_with_it(tmp_path: Path) -> None:
    """A deployment that is followed, for one; the kit that it gave last is the one whose policy is ended."""
    ended: list[str] = []

    service = Service(make_kit(load_serving(), InlineRunner(Says(1.0))), Ledger(str(tmp_path / "l.db")))
    kit = make_kit(load_serving(), InlineRunner(Says(2.0)))
    object.__setattr__(kit.runner, "close", lambda: ended.append("policy"))

    def stop() -> None:
        service.replace_kit(kit)
        ended.append("follower")

    service.closing.append(stop)
    Recorded(service).close()
    assert ended == ["follower", "policy"]
