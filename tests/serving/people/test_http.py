"""What people ask, over HTTP with a real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.limits import Limits
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.people.desk import Desk, TooLarge, planning_kit
from ebbflow.serving.service import Service

from ..asgi import Client  # noqa: TID252
from ..core.small_fleet import Says, document, request  # noqa: TID252

EVENT = {"type": ["elrp"], "rate_usd_per_kwh": [2.0], "binding": [True], "start_in_s": [0], "end_in_s": [900]}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    ledger = Ledger(str(tmp_path / "ledger.db"))
    now = [0.0]
    made = Service(make_kit(load_serving("default", ("gates.check_clock=false",))), ledger, lambda: now[0])
    made.now = now  # type: ignore[attr-defined]
    yield made
    ledger.close()


@pytest.fixture
def client(service: Service) -> Client:
    client = Client(create_app(service))
    for step in range(3):
        changes: dict[str, Any] = {"ports__car": ["x", "y", "z"]} | ({"events": EVENT} if step == 1 else {})
        service.now[0] = request(step).start_s + 1.0  # type: ignore[attr-defined]
        assert client.post("/v1/dispatch", json=document(step, **changes)).status_code == 200
    return client


def test_drivers_plan_limits_events_and_story(client: Client) -> None:
    assert client.get("/v1/fleets").json() == {"fleets": ["f"]}
    told = client.get("/v1/drivers", params={"fleet": "f"}).json()
    assert [one["port"] for one in told["drivers"]] == ["a", "b", "c"]
    assert told["drivers"][0]["sentence"].startswith("Your car is ")
    assert told["cycle_id"] == "f.20260715T193000Z"
    one = client.get("/v1/drivers", params={"fleet": "f", "port": ["y"]}).json()["drivers"]
    assert [line["car"] for line in one] == ["y"]
    plan = client.get("/v1/plan", params={"fleet": "f"}).json()
    assert len(plan["cars_kw"]) == plan["steps"] == 96
    assert len(plan["flexibility"]) == 8
    limits = client.get("/v1/limits", params={"fleet": "f"}).json()
    assert limits["sites"][0]["import_limit_kw"] == [100.0] * 96
    (event,) = client.get("/v1/events", params={"fleet": "f"}).json()["events"]
    assert event["finished"]
    assert event["totals"]["delivered_kwh"] == 0.0
    story = client.get("/v1/story", params={"fleet": "f", "port": "x", "limit": 2}).json()["story"]
    assert [entry["cycle_start"][11:16] for entry in story] == ["12:30", "12:15"]
    assert story[1]["reason"] == "event" or story[1]["mode"] == "pause"


def test_what_is_not_known_is_said_so(client: Client) -> None:
    for path in ("drivers", "plan", "limits"):
        answer = client.get(f"/v1/{path}", params={"fleet": "g"})
        assert (answer.status_code, answer.json()) == (404, {"error": "the ledger holds no cycle of this fleet"})
    assert client.get("/v1/story", params={"fleet": "f", "port": "nobody"}).json()["story"] == []
    assert client.get("/v1/plan").status_code == 400
    assert client.get("/v1/events", params={"fleet": "f", "from": "yesterday"}).status_code == 400


def test_the_plan_of_a_cycle_is_made_once(client: Client, service: Service) -> None:
    desk = Desk(service.ledger, lambda: service.kit)
    first, _ = desk.plan("f", flexible=True)
    assert desk.plan("f")[0] is first
    for flexible in (True, False):
        assert desk.plan("f", flexible)[0] is first


def test_a_fleet_that_is_too_large_is_refused(client: Client, service: Service) -> None:
    with pytest.raises(TooLarge, match="3 ports"):
        Desk(service.ledger, lambda: service.kit, most_cars=2).plan("f")


def test_a_policy_that_keeps_something_is_not_asked_beside_the_service(service: Service) -> None:
    kit = make_kit(load_serving(), InlineRunner(Says(1.0)))
    assert planning_kit(kit).runner is None
    assert planning_kit(service.kit) is service.kit


def test_a_reader_holds_no_connection_while_it_looks_at_a_cycle(client: Client, service: Service) -> None:
    """Else some readers, each with one connection and waiting for another, hold the ledger up for good."""
    rows = service.ledger.cycles("f", limit=3)
    next(rows)
    assert service.ledger.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert len(list(rows)) == 2


def test_cycles_are_read_some_at_a_time_and_none_twice(
    client: Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebbflow.serving.ledger.reader.WHOLE_ROWS", 2)
    for limit in (1, 2, 3, 9):
        starts = [row["start_s"] for row in service.ledger.cycles("f", limit=limit)]
        assert starts == [request(step).start_s for step in (2, 1, 0)][:limit]


def test_a_ledger_in_memory_is_read_like_any_other() -> None:
    ledger = Ledger("sqlite://")
    service = Service(make_kit(load_serving("default", ("gates.check_clock=false",))), ledger)
    client = Client(create_app(service))
    assert client.post("/v1/dispatch", json=document()).status_code == 200
    for path in ("status", "drivers", "plan", "story?port=a", "events", "fleets"):
        assert client.get(f"/v1/{path}{'&' if '?' in path else '?'}fleet=f").status_code == 200, path
    ledger.close()


def test_one_call_reads_so_many_ports_and_no_more(service: Service, client: Client) -> None:
    """Three cycles of three ports: seven allow two of them."""
    small = Client(create_app(service, limits=Limits(ports_read=7)))
    for path in ("events?", "story?port=a&", "decisions?port=a&"):
        told = small.get(f"/v1/{path}fleet=f")
        assert told.status_code == 413, path
        assert "this would read 9 ports" in told.json()["error"]
        assert "up to 7; ask for fewer cycles" in told.json()["error"]
        assert client.get(f"/v1/{path}fleet=f").status_code == 200
    assert small.get("/v1/story?fleet=f&port=a&limit=2").status_code == 200
    assert small.get("/v1/decisions?fleet=f&port=a&limit=2").status_code == 200
    bound = {"fleet": "f", "from": request(1).cycle_start.isoformat()}
    assert small.get("/v1/events", params=bound).status_code == 200
    assert small.get("/v1/events?fleet=nobody").status_code == 200
