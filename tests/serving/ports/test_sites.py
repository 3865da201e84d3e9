"""A site in files, and one behind HTTP: what is read, what is written, and what is said when either fails."""

from __future__ import annotations

import json
import os
import stat
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebbflow.serving.ports.files import FilesPort
from ebbflow.serving.ports.gateway import HttpPort
from ebbflow.serving.ports.port import PortError
from ebbflow.serving.ports.web import Web, WebError

from ..core.small_fleet import START, Says, Service, document  # noqa: TID252
from .web_server import Says as Answers
from .web_server import WebServer

NOW_S = START.timestamp() + 5.0
DECISIONS = Service(Says(np.array([5.0, np.nan, -4.0]))).cycle(0).answer.decisions


def state(as_of: datetime = START, **more: Any) -> bytes:
    tables = {name: document()[name] for name in ("ports", "sites", "prices")}
    return json.dumps({"as_of": as_of.isoformat(), **tables, **more}).encode()


def test_a_site_in_files(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(state())
    port = FilesPort(tmp_path)
    told = port.read(START, 900, NOW_S)
    assert (told.as_of, told.document["ports"]["id"]) == (START, ["a", "b", "c"])
    assert port.apply(DECISIONS, NOW_S).accepted.all()
    written = json.loads((tmp_path / "setpoints.json").read_bytes())
    assert written["schema"] == "ebbflow.setpoints/1"
    assert written["setpoints"]["setpoint_kw"] == DECISIONS.setpoint_kw.tolist()
    assert written["setpoints"]["valid_until"] == ["2026-07-15T19:30:00Z"] * 3
    assert {file.name for file in tmp_path.iterdir()} == {"state.json", "setpoints.json"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "should be a table"),
        (json.dumps({"as_of": "2026-07-15T12:00:00"}).encode(), "as_of should be a time with an offset"),
        (json.dumps({}).encode(), "as_of should be a time with an offset"),
        (state(cycle_start="2026-07-15T12:00:00Z"), "unknown key"),
        (state(START - timedelta(hours=3)), "180 minutes old"),
    ],
)
def test_a_state_that_cannot_be_used_is_refused_by_name(tmp_path: Path, body: bytes, why: str) -> None:
    (tmp_path / "state.json").write_bytes(body)
    with pytest.raises(PortError, match=rf"state\.json: .*{why}"):
        FilesPort(tmp_path).read(START, 900, NOW_S)


def test_no_state_at_all(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="No such file"):
        FilesPort(tmp_path).read(START, 900, NOW_S)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_setpoints_that_cannot_be_written_leave_the_old_ones(tmp_path: Path) -> None:
    port = FilesPort(tmp_path)
    port.apply(DECISIONS, NOW_S)
    before = (tmp_path / "setpoints.json").read_bytes()
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(PortError, match="Permission denied"):
        port.apply(DECISIONS, NOW_S + 900)
    assert (tmp_path / "setpoints.json").read_bytes() == before


def test_setpoints_without_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="No such file"):
        FilesPort(tmp_path / "gone").apply(DECISIONS, NOW_S)


def test_a_site_behind_http(web: WebServer) -> None:
    port = HttpPort(f"{web.url}/site/", token="t0ken")
    web.says = Answers(200, state())
    assert port.read(START, 900, NOW_S).as_of == START
    web.says = Answers(200, b'{"refused": {"b": "offline"}}')
    receipt = port.apply(DECISIONS, NOW_S)
    assert receipt.accepted.tolist() == [True, False, True]
    assert receipt.refused == {"b": "offline"}
    web.says = Answers(204)
    assert port.apply(DECISIONS, NOW_S).accepted.all()
    assert [one.path for one in web.asked] == ["/site/state", "/site/setpoints", "/site/setpoints"]
    assert web.asked[1].headers["authorization"] == "Bearer t0ken"
    assert json.loads(web.asked[1].body)["setpoints"]["mode"][0] == "charge"
    port.close()


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (Answers(503), "answered 503"),
        (Answers(302, headers={"Location": "http://elsewhere/"}), "answered 302"),
        (Answers(200, b"{}"), '"refused"'),
        (Answers(200, b'{"refused": [1]}'), '"refused"'),
    ],
)
def test_setpoints_that_are_not_taken_are_told(web: WebServer, says: Answers, why: str) -> None:
    port, web.says = HttpPort(web.url), says
    with pytest.raises(PortError, match=why):
        port.apply(DECISIONS, NOW_S)
    port.close()


def test_a_server_that_trickles_or_floods_is_left(web: WebServer) -> None:
    def trickle(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(30):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.02)
        raise ConnectionAbortedError

    client, web.says = Web(timeout_s=0.2), Answers(before=trickle)
    began = time.monotonic()
    with pytest.raises(WebError, match=r"0\.2 s"):
        client.get(web.url)
    assert time.monotonic() - began < 1.0
    client.close()
    client, web.says = Web(most_bytes=1 << 20), Answers(200, b"x" * (3 << 20))
    with pytest.raises(WebError, match="larger than 1 MiB"):
        client.get(web.url)
    client.close()
