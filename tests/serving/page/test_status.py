"""The document that the page draws, and the files that it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.app import create_app
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.messages import request_document
from ebbflow.serving.messages.canonical import canonical_json, read_json
from ebbflow.serving.page.http import KINDS
from ebbflow.serving.page.past import Past
from ebbflow.serving.page.status import cycle_line, now_of
from ebbflow.serving.service import Service

from ..asgi import Client  # noqa: TID252
from ..core.small_fleet import request  # noqa: TID252


class Served(Service):
    now_s = 0.0

    def cycle(self, step: int, **changes: object) -> None:
        asked = request(step, **changes)
        self.now_s = asked.start_s + 1.0
        self.dispatch(asked)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    kit = make_kit(load_serving("default", ("gates.check_clock=false", "economy.enabled=false")))
    made = Served(kit, Ledger(str(tmp_path / "l.db")), lambda: made.now_s)
    yield made
    made.close()


def test_the_document_tells_of_now_the_past_and_the_day_ahead(service: Served) -> None:
    for step in range(3):
        service.cycle(step, ports__soc_age_s=[10.0, 500.0, 20.0], ports__departs_in_s=[3600.0, 36000.0, 36000.0])
    service.order("f", "no_export", "night shift", "works", service.now_s + 600.0)
    told = Client(create_app(service)).get("/v1/status", params={"fleet": "f"}).json()
    assert (told["now"]["state"], told["now"]["plugged"], told["service"]["state"]) == ("degraded", 3, "degraded")
    assert told["now"]["oldest"]["soc"]["ports"][0] == {"port": "b", "age_s": 500.0}
    assert [one["start"][11:16] for one in told["cycles"]] == ["19:30", "19:15", "19:00"]
    assert told["cycles"][0]["import_limit_kw"] == 100.0
    assert len(told["ahead"]["cars_kw"]) == 96
    assert told["ahead"]["import_limit_kw"] == [100.0] * 96
    assert told["prices"]["tariffs"][0]["import_usd_per_kwh"][0] == 0.2
    assert told["breaker"] == {"failures": 0, "clean": 0, "is_open": False}
    assert told["orders"][0]["control"] == "no_export"
    assert told["attention"][0]["port"] == "a"
    assert "there is time for no more" in told["attention"][0]["sentence"]


def test_limits_of_sites_and_feeders_are_put_together() -> None:
    asked = request(
        ports__site=["s1", "s1", "s2"],
        sites={
            "id": ["s1", "s2", "s3"], "feeder": ["f1", "f1", "f2"], "import_limit_kw": [[10.0], [20.0], [None]],
            "export_limit_kw": [[None], [5.0], [1.0]], "net_load_kw": [1.0, 2.0, 4.0],
        },
        feeders={"id": ["f1", "f2"], "import_limit_kw": [[25.0], [40.0]], "export_limit_kw": [[7.0], [None]]},
    )  # fmt: skip
    answer = {
        "cycle_id": "x", "cycle_start": "x", "decided_at": "x", "state": "auto", "problems": [],
        "decisions": {"setpoint_kw": [1.0, None, 3.0]},
        "totals": dict.fromkeys(("import_kw", "export_kw", "clipped_kw", "commands_due", "by_source"), 0),
    }  # fmt: skip
    document = read_json(canonical_json(request_document(asked)))
    line = cycle_line(document, answer)
    assert line["import_limit_kw"] == 25.0 + 40.0
    assert line["export_limit_kw"] == 7.0 + 1.0
    assert line["without_cars_kw"] == 7.0
    document["ports"]["power_kw"] = [None, 2.0, None]
    assert cycle_line(document, answer)["cars_kw"] == 1.0 + 2.0 + 3.0


def test_a_car_without_a_reading_is_counted_and_not_called_young(service: Served) -> None:
    service.cycle(0, ports__soc=[None, 0.5, 0.5])
    stored = next(iter(service.ledger.cycles("f", columns=("request", "answer", "record", "memory_before"))))
    from ebbflow.serving.ledger.documents import stored_cycle

    cycle = stored_cycle(stored)
    told = now_of(cycle.request, cycle.answer)["oldest"]["soc"]
    assert (told["missing"], told["known"]) == (1, 2)
    assert np.isfinite([one["age_s"] for one in told["ports"]]).all()


def test_the_page_needs_nothing_from_elsewhere(service: Served) -> None:
    client = Client(create_app(service))
    page = client.get("/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    for name, kind in KINDS.items():
        answer = client.get(f"/page/{name}")
        assert answer.headers["content-type"].startswith(kind)
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]", answer.text), (
            "no address but the SVG namespace"
        )
        assert "innerHTML" not in answer.text
    assert client.get("/page/http.py").status_code == 404
    assert client.get("/page/..%2fhttp.py").status_code == 404
    assert client.get("/v1/status", params={"fleet": "nobody"}).status_code == 404


def test_past_cycles_are_read_once(service: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    past = Past(service.ledger)
    service.cycle(0)
    service.cycle(1)
    first = past.lines("f", 10)
    assert [line["start"][11:16] for line in first] == ["19:15", "19:00"]
    read: list[object] = []
    of_one = Ledger.cycle
    monkeypatch.setattr(Ledger, "cycle", lambda self, **where: read.append(where) or of_one(self, **where))
    assert past.lines("f", 10) == first
    assert read == []
    service.cycle(2)
    read.clear()
    assert past.lines("f", 2)[1:] == first[:1]
    assert len(read) == 1
