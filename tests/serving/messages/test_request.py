"""What a request may hold, what is refused, and that its digest knows the content and not the clothes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.serving.messages import (
    RequestError,
    canonical_json,
    digest,
    parse_request,
    read_json,
    request_digest,
    request_document,
    snapshot_of,
)
from ebbflow.serving.messages.fields import PORT_KEYS
from ebbflow.serving.messages.request import Ports

PORTS: dict[str, Any] = {
    "id": ["a", "b"],
    "plugged": [True, False],
    "capacity_kwh": [60.0, 75.5],
    "max_charge_kw": [11, 7.4],
    "soc": [0.4, None],
}
LEAST: dict[str, Any] = {
    "fleet": "depot",
    "cycle_start": "2026-07-15T18:00:00-07:00",
    "interval_s": 900,
    "ports": PORTS,
}


def with_ports(**columns: Any) -> dict[str, Any]:
    return LEAST | {"ports": PORTS | columns}


REFUSED = [
    ([], "the message should be a table"),
    (LEAST | {"fleet": "../etc"}, "fleet should be"),
    (LEAST | {"speed": 1}, "unknown key"),
    (LEAST | {"schema": "ebbflow.request/2"}, "schema is not one"),
    (LEAST | {"cycle_start": "2026-07-15T18:00:00"}, "with an offset"),
    (LEAST | {"cycle_start": "2026-07-15T18:00:00.5Z"}, "whole seconds"),
    (LEAST | {"cycle_start": 5}, "cycle_start should be"),
    (LEAST | {"interval_s": 600}, "interval_s should be one of 300, 900, 3600"),
    (LEAST | {"interval_s": True}, "interval_s"),
    (LEAST | {"ports": None}, "ports is missing"),
    (with_ports(id=["a", "a"]), "the same id twice"),
    (with_ports(id=[]), "ports.id is empty"),
    (with_ports(id=["a", "b\n"]), "printable"),
    (with_ports(id=["a", "x" * 129]), "printable"),
    (with_ports(soc=[0.4]), "has 1 rows"),
    (with_ports(soc=[0.4, "0.5"]), "ports.soc should hold numbers or null"),
    (with_ports(soc=[0.4, True]), "ports.soc should hold numbers or null"),
    (with_ports(soc={"a": 1}), "ports.soc should be a list"),
    (with_ports(soc=[[0.4], [0.5]]), "ports.soc should hold numbers"),
    (with_ports(max_charge_kw=[1, 10**400]), "too large"),
    (with_ports(capacity_kwh=None), "ports.capacity_kwh is missing"),
    (with_ports(plugged=["yes", "no"]), "ports.plugged"),
    (with_ports(site=["nowhere", "site"]), "ports.site names something"),
    (with_ports(override=["charge", "none"]), "ports.override should be a list of none, charge_now, opt_out"),
    (with_ports(colour=["red", "blue"]), "ports has 1 unknown key"),
    (LEAST | {"sites": {"id": ["m"], "import_limit_kw": [[-3]]}}, "sites.import_limit_kw should hold numbers from 0"),
    (LEAST | {"sites": {"id": ["m"], "import_limit_kw": [[1.0] * 200]}}, "series of 1 to 192 numbers"),
    (LEAST | {"sites": {"id": ["m"], "import_limit_kw": [[]]}}, "series of 1 to 192 numbers"),
    (LEAST | {"sites": {"id": ["m", "n"]}}, "ports.site should be a list"),
    (LEAST | {"prices": {"tariff": ["t"], "known_steps": -1}}, "prices.known_steps"),
    (LEAST | {"events": {"type": ["x"], "start_in_s": [0]}}, "events.end_in_s is missing"),
    (LEAST | {"arrivals": {"site": ["site"], "arrive_h": [1], "depart_h": [99], "kwh": [5]}}, "arrivals.depart_h"),
]


@pytest.mark.parametrize(("document", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_what_cannot_be_read_is_refused_without_echoing_it(document: Any, why: str) -> None:
    with pytest.raises(RequestError, match=why.replace("(", r"\(")) as told:
        parse_request(document)
    assert "../etc" not in str(told.value)
    assert "nowhere" not in str(told.value)


def test_a_number_that_cannot_be_true_is_no_reason_to_refuse_a_fleet() -> None:
    made = parse_request(with_ports(soc=[1.7, -3], capacity_kwh=[0, 60], max_charge_kw=[None, 1e30]))
    assert made.ports.soc.tolist() == [1.7, -3]
    assert np.isnan(made.ports.max_charge_kw[0])


def test_bodies_that_are_no_strict_json_are_refused() -> None:
    for body in (b"", b"{", b'{"a": NaN}', b"\xff\xfe", b"{'a': 1}"):
        with pytest.raises(RequestError, match="body is not valid JSON"):
            read_json(body)


def test_the_digest_is_of_what_is_said_however_it_is_sent() -> None:
    plain = parse_request(LEAST)
    arrays = with_ports(
        capacity_kwh=np.array([60.0, 75.5]), max_charge_kw=np.array([11.0, 7.4]), soc=np.array([0.4, np.nan])
    )
    spelt = LEAST | {"wear_usd_per_kwh": 0.02, "ports": dict(reversed(PORTS.items())) | {"reserve_soc": [0.3, None]}}
    assert request_digest(parse_request(arrays)) == request_digest(plain)
    assert request_digest(parse_request(spelt)) == request_digest(plain)
    for other in (with_ports(soc=[0.41, None]), with_ports(soc=[0.4, 0.0]), LEAST | {"fleet": "depot2"}):
        assert request_digest(parse_request(other)) != request_digest(plain)


def test_every_column_of_ports_can_be_sent() -> None:
    assert set(PORT_KEYS) == set(Ports._fields)


def test_digests_do_not_confuse_neighbours() -> None:
    columns = [{"a": np.zeros(1), "b": np.zeros(0)}, {"a": np.zeros(0), "b": np.zeros(1)}, {"a": [], "b": [0]}]
    texts = [np.array(["ab", "c"]), np.array(["a", "bc"]), np.array(["abc"])]
    assert len({digest(value) for value in [*columns, *texts]}) == 6
    assert digest(np.array([0.0, np.nan])) == digest(np.array([-0.0, -np.nan]))


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON_NUMBERS = st.none() | FLOATS | st.integers(-(2**60), 2**60)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_numbers_survive_the_journey(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 4))
    column = st.lists(JSON_NUMBERS, min_size=n, max_size=n)
    names = ("capacity_kwh", "max_charge_kw", "soc", "departs_in_s", "power_kw", "soc_age_s", "min_soc")
    ports = {name: data.draw(column) for name in names}
    flags = st.lists(st.none() | st.booleans(), min_size=n, max_size=n)
    ports |= {"id": [f"p{at}" for at in range(n)], "plugged": data.draw(flags), "export_consent": data.draw(flags)}
    one = parse_request(LEAST | {"ports": ports})
    body = canonical_json(request_document(one))
    two = parse_request(json.loads(body))
    assert request_digest(one) == request_digest(two)
    assert canonical_json(request_document(two)) == body
    snapshot_of(two)
