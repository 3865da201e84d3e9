"""Properties of whole cycles: the same bytes, the same cars in another order, nothing through a limit of zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebbflow.envs.snapshot import Snapshot
from ebbflow.serving.core.cycle import dispatch, make_kit
from ebbflow.serving.core.memory import new_memory
from ebbflow.serving.core.runners import InlineRunner
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.messages import (
    DispatchRequest,
    RequestError,
    answer_document,
    canonical_json,
    parse_request,
)

from .fuzz import fuzzed_document, fuzzed_request

SETTINGS = load_serving("default", ("gates.check_clock=false",))


class ByName:
    """A policy whose wish for a car hangs on the car alone."""

    name = "by_name"

    def reset(self) -> None: ...

    def act(self, snapshot: Snapshot) -> Any:
        return np.nan_to_num(np.sin(1e4 * snapshot.ports.capacity_kwh)) * 12.0


def decided(request: DispatchRequest) -> Any:
    return dispatch(request, new_memory(), make_kit(SETTINGS, InlineRunner(ByName())), request.start_s + 1.0).answer


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_the_same_request_gets_the_same_bytes(seed: int) -> None:
    one, other = (decided(fuzzed_request(np.random.default_rng(seed), 12)) for _ in range(2))
    assert canonical_json(answer_document(one)) == canonical_json(answer_document(other))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_cars_in_another_order_get_the_same_answers(seed: int) -> None:
    """Without shared limits, since of equal cars behind one the first port is served first (contracts 5)."""
    rng = np.random.default_rng(seed)
    request = fuzzed_request(rng, 12)
    sites, feeders = request.sites, request.feeders
    free = {"import_limit_kw": sites.import_limit_kw * np.nan, "export_limit_kw": sites.export_limit_kw * np.nan}
    wide = feeders._replace(import_limit_kw=feeders.import_limit_kw * np.nan)
    request = replace(request, sites=sites._replace(**free), feeders=wide)
    order = rng.permutation(request.n_ports)
    turned = replace(request, ports=type(request.ports)(*(column[order] for column in request.ports)))
    one, other = decided(request).decisions, decided(turned).decisions
    np.testing.assert_allclose(one.setpoint_kw[order], other.setpoint_kw, atol=1e-6)
    for name in ("mode", "source", "valid_until_s", "on_expiry", "command_due"):
        np.testing.assert_array_equal(getattr(one, name)[order], getattr(other, name), err_msg=name)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_limits_of_zero_let_nothing_through_and_tighter_ones_no_more(seed: int, share: float) -> None:
    request = fuzzed_request(np.random.default_rng(seed), 12)

    def limited(factor: float) -> Any:
        both = {
            name: np.nan_to_num(getattr(request.sites, name), nan=1000.0) * factor
            for name in ("import_limit_kw", "export_limit_kw")
        }
        no_load = request.sites._replace(net_load_kw=np.zeros(len(request.sites.id)), **both)
        return decided(replace(request, sites=no_load)).decisions.setpoint_kw

    assert not np.nan_to_num(limited(0.0)).any()
    now = np.nan_to_num(request.sites.import_limit_kw, nan=1000.0)[:, 0] * share
    drawn = np.bincount(request.ports.site, np.maximum(np.nan_to_num(limited(share)), 0.0), len(now))
    given_kw = np.bincount(request.ports.site, np.maximum(-np.nan_to_num(limited(share)), 0.0), len(now))
    assert (drawn - given_kw <= now + 1e-6).all()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    (),
    *[(name,) for name in fuzzed_document(np.random.default_rng(0), 2)],
    *[("ports", name) for name in fuzzed_document(np.random.default_rng(0), 2)["ports"]],
    *[("sites", name) for name in ("id", "feeder", "tariff", "net_load_kw", "import_limit_kw", "baseline_kw")],
    *[("prices", name) for name in ("tariff", "import_usd_per_kwh", "known_steps", "published_age_s", "source")],
    *[("events", name) for name in ("type", "start_in_s", "end_in_s", "pays_export")],
    ("feeders", "net_load_kw"), ("emissions", "kg_per_kwh"), ("arrivals", "site"), ("arrivals", "kwh"),
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_whatever_stands_where_it_does_not_belong_is_refused_or_answered(place: tuple[str, ...], value: Any) -> None:
    made: Any = fuzzed_document(np.random.default_rng(1), 2)
    made["ports"] = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in made["ports"].items()}
    if not place:
        made = value
    elif len(place) == 1:
        made[place[0]] = value
    else:
        made[place[0]] = {**made.get(place[0], {}), place[1]: value}
    try:
        request = parse_request(made)
    except RequestError:
        return
    decided(request)


def test_a_request_error_never_repeats_what_was_sent() -> None:
    with pytest.raises(RequestError) as told:
        parse_request(fuzzed_document(np.random.default_rng(1), 2) | {"hunter2": 1, "fleet": "secret"})
    assert "hunter2" not in str(told.value)
