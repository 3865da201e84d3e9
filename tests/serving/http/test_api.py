"""What a client sees: answers, repeats, conflicts, refusals."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from ebbflow.serving.http import arrow
from ebbflow.serving.messages import answer_from, parse_request, request_digest
from ebbflow.serving.service.models import load_model

from ...agents.bundle.graphs import manifest, model  # noqa: TID252
from ..core.small_fleet import START, document, request  # noqa: TID252
from ..service.services import Rig  # noqa: TID252


def post(client: TestClient, step: int = 0, **changes: Any) -> Any:
    return client.post("/v1/dispatch", json=document(step, **changes))


@pytest.fixture(autouse=True)
def _now(rig: Rig) -> None:
    rig.clock.now_s = request().start_s + 2.0


def test_a_cycle_is_answered_and_read_back(client: TestClient) -> None:
    told = post(client)
    assert told.status_code == 200
    assert told.json()["decisions"]["setpoint_kw"] == [5.0] * 3
    assert told.json()["state"] == "auto"
    assert told.headers["ebbflow-recorded"] == "true"
    read = client.get(f"/v1/cycles/{told.json()['cycle_id']}")
    assert read.content == told.content
    answer_from(told.json())


def test_a_repeat_gets_the_same_bytes_and_another_request_409(client: TestClient) -> None:
    first, again = post(client), post(client)
    assert again.content == first.content
    assert again.headers["ebbflow-repeated"] == "true"
    other = post(client, ports__soc=0.4)
    assert other.status_code == 409
    assert "already answered" in other.json()["error"]


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"ports__soc": ["much", 0.5, 0.5]}, 400, "ports.soc should hold numbers or null"),
        ({"fleet": ""}, 400, "fleet should be"),
        ({"secret": {"x": 1}}, 400, "1 unknown key"),
        ({"cycle_start": "2020-01-01T00:00:00Z"}, 422, "off the service's clock"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    client: TestClient, changes: dict[str, Any], code: int, says: str
) -> None:
    told = post(client, **changes)
    assert told.status_code == code
    assert says in told.json()["error"]


def test_an_older_cycle_is_refused(client: TestClient, rig: Rig) -> None:
    rig.clock.now_s = request(1).start_s + 2.0
    assert post(client, 1).status_code == 200
    assert "send cycles in order" in post(client, 0).json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"NaN", b'{"fleet": 1e999}', b"[" * 5000, b"null"])
def test_no_json_is_400(client: TestClient, body: bytes) -> None:
    told = client.post("/v1/dispatch", content=body, headers={"content-type": "application/json"})
    assert told.status_code == 400


def test_the_same_request_as_arrow_gets_the_same_answer(client: TestClient) -> None:
    changes = {"ports__override": "opt_out", "ports__plugged": [True, None, False], "ports__soc": None}
    body = arrow.write_request(request(0, **changes))
    told = client.post("/v1/dispatch", content=body, headers={"content-type": arrow.MEDIA})
    assert told.headers["content-type"] == arrow.MEDIA
    again = post(client, **changes)
    assert again.headers["ebbflow-repeated"] == "true", "one digest, whatever carries the message"
    table = pa.ipc.open_stream(told.content).read_all()
    rest = orjson.loads(table.schema.metadata[b"ebbflow.message"])
    columns = again.json()["decisions"]
    for name in ("id", "mode", "source", "reason", "on_expiry", "setpoint_kw", "command_due"):
        assert table[name].to_pylist() == columns[name]
    assert table["valid_until"].to_pylist()[0].isoformat() == columns["valid_until"][0].replace("Z", "+00:00")
    assert rest | {"decisions": columns} == again.json()


def test_series_and_tables_travel_as_arrow() -> None:
    asked = request(0, sites__import_limit_kw=[[100.0] * 3 + [None] * 2], sites__net_load_kw=[3.0])
    assert request_digest(parse_request(arrow.read_request(arrow.write_request(asked)))) == request_digest(asked)


def _stream(table: pa.Table, name: str = "sites", **options: Any) -> bytes:
    sink, table = pa.BufferOutputStream(), table.replace_schema_metadata({arrow.TABLE: name})
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


NUMBERS = pa.table({"net_load_kw": [0.0] * 100})
ODD = [
    b"",
    b"x",
    b"\xff\xff\xff\xff\x00\x00\x00\x00",
    _stream(NUMBERS)[:-40],
    _stream(NUMBERS) * 2,
    _stream(NUMBERS, "elsewhere"),
    _stream(NUMBERS, compression="zstd"),
    _stream(NUMBERS, compression="lz4"),
    _stream(pa.table({"id": pa.array(["a"] * 9).dictionary_encode()})),
    _stream(pa.table({"id": pa.nulls(9)})),
    _stream(pa.table({"id": pa.array([[["a"]]])})),
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
def test_odd_arrow_is_400(client: TestClient, body: bytes) -> None:
    told = client.post("/v1/dispatch", content=body, headers={"content-type": arrow.MEDIA})
    assert told.status_code == 400


SERIES = pa.list_(pa.float64())


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[0.0] * 577], SERIES),
        pa.array([[0.0] * 577], pa.list_(pa.float64(), 577)),
        pa.array([[0.0]] * 9 + [[0.0] * 100_000], SERIES),
        pa.array([[0.0], [0.0, 1.0]], SERIES),
        pa.array([[0.0], None], SERIES),
        pa.array([[0.0], None], pa.list_(pa.float64(), 1)),
    ],
    ids=range(6),
)
def test_series_that_no_request_has_are_refused_before_anything_is_made_of_them(
    client: TestClient, column: pa.Array
) -> None:
    body = _stream(pa.table({"import_limit_kw": column}))
    told = client.post("/v1/dispatch", content=body, headers={"content-type": arrow.MEDIA})
    assert told.status_code == 400
    assert "sites.import_limit_kw should hold in each row a series of one length, of 1 to 576" in told.json()["error"]


def test_a_table_has_no_more_rows_than_a_fleet_could(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "MOST_ROWS", 99)
    told = client.post("/v1/dispatch", content=_stream(NUMBERS), headers={"content-type": arrow.MEDIA})
    assert (told.status_code, "more than 99 rows" in told.json()["error"]) == (400, True)


def test_arrow_with_any_byte_changed_never_breaks_the_service(client: TestClient) -> None:
    """Lengths and offsets that lead elsewhere are found before they are followed."""
    whole, rng = arrow.write_request(request()), np.random.default_rng(0)
    for _ in range(1500):
        body = bytearray(whole)
        for at in rng.integers(0, len(body), rng.integers(1, 4)):
            body[at] = rng.integers(0, 256)
        told = client.post("/v1/dispatch", content=bytes(body), headers={"content-type": arrow.MEDIA})
        assert told.status_code in (200, 400, 409, 422), told.text


def test_an_order_is_in_force_from_the_next_cycle_on(client: TestClient, rig: Rig) -> None:
    until = START + timedelta(minutes=20)
    body = {"fleet": "f", "control": "release", "actor": "night shift", "reason": "works", "until": until.isoformat()}
    told = client.post("/v1/controls", json=body)
    assert (told.status_code, told.json()["recorded"]) == (201, True)
    assert client.get("/v1/controls?fleet=f").json()["orders"][0]["actor"] == "night shift"
    assert post(client).json()["decisions"]["mode"] == ["release"] * 3
    rig.clock.now_s = request(2).start_s + 2.0
    assert post(client, 2).json()["decisions"]["mode"] == ["charge"] * 3
    assert client.get("/v1/controls?fleet=f").json()["orders"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"control": "explode"}, 422),
        ({"until": "2020-01-01T00:00:00Z"}, 422),
        ({"until": "2026-08-01T00:00:00"}, 400),
        ({"reason": ""}, 400),
        ({"reason": "  "}, 422),
        ({"more": 1}, 400),
        ({"ports": "a"}, 400),
        ({"fleet": "../x"}, 400),
    ],
)
def test_orders_that_cannot_be_are_refused(client: TestClient, change: dict[str, Any], code: int) -> None:
    body = {"fleet": "f", "control": "hold", "actor": "a", "reason": "b", "until": "2026-08-01T00:00:00Z"} | change
    assert client.post("/v1/controls", json=body).status_code == code


def test_without_a_policy_it_is_ready_and_degraded(tmp_path: Path) -> None:
    from ebbflow.serving.http.app import create_app

    rig = Rig(str(tmp_path / "l.db"))
    client = TestClient(create_app(rig.service), base_url="http://localhost")
    assert client.get("/livez").json() == {"live": True}
    assert client.get("/readyz").json()["state"] == "degraded"
    assert client.get("/v1/model").json()["model"] is None
    rig.clock.now_s = request().start_s
    assert post(client).json()["state"] == "degraded"
    rig.ledger.close()


def test_the_model_in_use_is_told_with_its_ranges(client: TestClient, rig: Rig, tmp_path: Path) -> None:
    from ebbflow.agents.bundle import write_bundle
    from ebbflow.serving.core.cycle import make_kit

    bundle = write_bundle(tmp_path / "bundle", model(), manifest(run_id="r1"))
    runner, rig.service.card = load_model(f"{bundle.folder}#{bundle.digest}", rig.service.kit.settings)
    rig.service.replace_kit(make_kit(rig.service.kit.settings, runner))
    told = client.get("/v1/model").json()["model"]
    assert (told["version"], told["sha256"]) == ("r1", bundle.digest)
    assert told["training_ranges"] is not None
    assert f'sha256="{bundle.digest}"' in client.get("/metrics").text
    assert post(client).json()["model"]["sha256"] == bundle.digest


def test_what_a_port_was_told(client: TestClient) -> None:
    post(client)
    told = client.get("/v1/decisions", params={"fleet": "f", "port": "a", "from": START.isoformat()})
    assert [one["setpoint_kw"] for one in told.json()["decisions"]] == [5.0]
    assert client.get("/v1/decisions?fleet=f&port=a&from=yesterday").status_code == 400
    assert client.get("/v1/decisions?fleet=f&port=a&from=2026-07-15T00:00:00").status_code == 400
    assert client.get("/v1/decisions?fleet=f&port=a&limit=0").status_code == 400
    assert client.get("/v1/cycles/nothing").status_code == 404


def test_metrics_count_cycles_and_hold_no_car(client: TestClient) -> None:
    post(client)
    text = client.get("/metrics").text
    assert 'ebbflow_cycles_total{state="auto"} 1.0' in text
    assert 'ebbflow_decisions_total{mode="charge",source="policy"} 3.0' in text
    assert 'ebbflow_telemetry_age_seconds_bucket{le="10",signal="soc"} 3' in text
    assert 'ebbflow_telemetry_age_seconds_count{signal="soc"} 3' in text
    assert '"a"' not in text


def test_the_example_of_the_document_is_answered(client: TestClient, rig: Rig) -> None:
    from ebbflow.serving.http.describe import EXAMPLE

    rig.clock.now_s = parse_request(EXAMPLE).start_s
    assert client.post("/v1/dispatch", json=EXAMPLE).status_code == 200
