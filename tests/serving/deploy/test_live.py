"""A service that follows its deployment loses no cycle, and goes on as it was where it cannot take one up."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ebbflow.serving.core.challenger import in_canary
from ebbflow.serving.deploy.live import Follower
from ebbflow.serving.deploy.place import deploy, roll_back
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.start import make_service
from ebbflow.serving.ledger.again import replay_cycle

from ..asgi import Client  # noqa: TID252
from ..core.small_fleet import document, request  # noqa: TID252
from .conftest import MakeBundle, Served, constant


def cycle(service: Served, step: int, **changes: object) -> list[float]:
    asked = request(step, **changes)
    service.now_s = asked.start_s + 1.0
    kw: list[float] = service.dispatch(asked).answer.decisions.setpoint_kw.tolist()
    return kw


def test_what_is_deployed_decides_from_the_next_cycle_on(tmp_path: Path, service: Served, bundle: MakeBundle) -> None:
    folder = tmp_path / "deployment"
    deploy(str(bundle("one", 0.5)), folder)
    follower = Follower(service, folder)
    assert follower.look()
    assert not follower.look(), "nothing changed"
    assert cycle(service, 0) == [5.5] * 3
    deploy(str(bundle("two", 1.0)), folder)
    assert cycle(service, 1) == [5.5] * 3
    assert follower.look()
    assert cycle(service, 2) == [11.0] * 3
    roll_back(folder)
    assert follower.look()
    assert cycle(service, 3) == [5.5] * 3
    model = Client(create_app(service)).get("/v1/model").json()["model"]
    assert (model["name"], model["deployment"]["champion"]["name"]) == ("one", "one")
    for step in range(4):
        assert replay_cycle(service.ledger, request(step).cycle_id).same


def test_a_deployment_that_cannot_be_used_changes_nothing(tmp_path: Path, service: Served, bundle: MakeBundle) -> None:
    folder = tmp_path / "deployment"
    made = deploy(str(bundle("one", 0.5)), folder)
    follower = Follower(service, folder)
    follower.look()
    other = deploy(str(bundle("two", 1.0)), folder)
    assert other.champion is not None
    (folder / other.champion.place / "model.onnx").write_bytes(constant(0.9))
    assert not follower.look()
    assert cycle(service, 0) == [5.5] * 3
    assert "changed since the export" in service.problems[0]
    assert b"ebbflow_reload_failures_total 1.0" in service.metrics.text()
    (folder / "deployment.json").write_text("{")
    assert not follower.look()
    assert cycle(service, 1) == [5.5] * 3
    (folder / "deployment.json").unlink()
    assert not follower.look()
    assert cycle(service, 2) == [5.5] * 3
    assert made.champion is not None
    deploy(str(tmp_path / "made" / "one"), folder)
    assert follower.look()
    assert service.problems == ()


def test_a_passing_error_is_passed_over(
    tmp_path: Path, service: Served, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same deployment is tried again, at growing intervals, until it can be read."""
    folder, now = tmp_path / "deployment", [0.0]
    deploy(str(bundle("one", 0.5)), folder)
    follower = Follower(service, folder, poll_s=1.0)
    monkeypatch.setattr("ebbflow.serving.deploy.live.time.monotonic", lambda: now[0])

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("ebbflow.serving.deploy.live.load", broken)
        for now[0] in range(20):  # tried at 0, 1, 3, 7, 15
            assert not follower.look()
    assert follower.failures == 5
    assert "Input/output error" in service.problems[0]
    assert not follower.look(), "not yet"
    now[0] = 40.0
    assert follower.look()
    assert service.problems == ()
    now[0] = 1e6
    assert not follower.look(), "what is in use is not taken up again"


def test_no_cycle_is_lost_while_deployments_come_and_go(tmp_path: Path, service: Served, bundle: MakeBundle) -> None:
    folder, shares = tmp_path / "deployment", {"one": 0.5, "two": 1.0}
    for name, share in shares.items():
        deploy(str(bundle(name, share)), folder)
    follower = Follower(service, folder, poll_s=0.001)
    follower.start()
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for name in shares:
                deploy(str(tmp_path / "made" / name), folder)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        seen = {tuple(cycle(service, step)) for step in range(60) if not time.sleep(0.01)}
    finally:
        stop.set()
        changer.join()
        follower.stop()
    assert seen == {(5.5,) * 3, (11.0,) * 3}, "each cycle was decided by one of the two, whole"
    rows = list(service.ledger.cycles("f", limit=100))
    assert len(rows) == 60
    assert {row["state"] for row in rows} == {"auto"}


def test_a_canary_takes_its_cars_and_no_more_than_the_settings_allow(
    tmp_path: Path, service: Served, bundle: MakeBundle
) -> None:
    folder = tmp_path / "deployment"
    deploy(str(bundle("one", 0.5)), folder)
    deploy(str(bundle("two", 1.0)), folder, challenger=True, canary_share=0.5)
    follower = Follower(service, folder)
    follower.look()
    expected = np.where(in_canary(request(), 0.5), 11.0, 5.5).tolist()
    assert cycle(service, 0) == expected
    assert 5.5 in expected
    assert 11.0 in expected
    deploy(str(tmp_path / "made" / "two"), folder, challenger=True, canary_share=0.75)
    follower.look()
    assert "more than challenger.most_canary_share" in service.problems[0]
    assert cycle(service, 1) == [5.5] * 3, "the champion decides for all"


def test_a_challenger_in_shadow_is_measured_in_kilowatts_and_dollars(
    tmp_path: Path, service: Served, bundle: MakeBundle
) -> None:
    folder = tmp_path / "deployment"
    deploy(str(bundle("one", 0.5)), folder)
    deploy(str(bundle("two", 1.0)), folder, challenger=True)
    follower = Follower(service, folder)
    follower.look()
    assert cycle(service, 0) == [5.5] * 3
    follower._shadow.wait()
    told = service.shadow_card
    assert (told["cars"], told["kw"]) == (3, pytest.approx(16.5))
    assert told["usd"] == pytest.approx(16.5 * 0.25 * 0.2)
    assert told["model"]["name"] == "two"
    text = service.metrics.text()
    assert b'ebbflow_shadow_cycles_total{outcome="compared"} 1.0' in text
    assert b"ebbflow_shadow_disagreement_kw_sum 16.5" in text
    assert Client(create_app(service)).get("/v1/model").json()["shadow"]["cars"] == 3
    follower.stop()


def test_a_slow_challenger_holds_up_no_answer(
    tmp_path: Path, service: Served, bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deployment"
    deploy(str(bundle("one", 0.5)), folder)
    deploy(str(bundle("two", 1.0)), folder, challenger=True)
    follower, gate = Follower(service, folder), threading.Event()
    follower.look()
    monkeypatch.setattr("ebbflow.serving.deploy.shadow.in_shadow", lambda *_: gate.wait(30) or 1 / 0)
    began = time.monotonic()
    for step in range(4):
        cycle(service, step)
    assert time.monotonic() - began < 5.0
    gate.set()
    follower._shadow.wait()
    text = service.metrics.text()
    assert b'ebbflow_shadow_cycles_total{outcome="passed_over"}' in text
    assert b'ebbflow_shadow_cycles_total{outcome="failed"}' in text
    follower.stop()


def test_serve_follows_a_deployment_and_begins_without_what_is_broken(tmp_path: Path, bundle: MakeBundle) -> None:
    folder, settings = tmp_path / "deployment", ("gates.check_clock=false", "economy.enabled=false")
    deploy(str(bundle("one", 0.5)), folder)
    from ebbflow.serving.core.settings import load_serving

    made = make_service(load_serving("default", settings), str(tmp_path / "l.db"), str(folder))
    try:
        assert made.dispatch(request()).answer.model.name == "one"
    finally:
        made.close()
    (next((folder / "bundles").iterdir()) / "model.onnx").write_bytes(b"")
    broken = make_service(load_serving("default", settings), str(tmp_path / "l.db"), str(folder))
    try:
        assert broken.kit.runner is None
        assert "cannot be used" in broken.problems[0]
        client = Client(create_app(broken))
        assert client.get("/readyz").json()["state"] == "degraded"
        assert client.post("/v1/dispatch", json=document(1)).json()["state"] == "degraded"
    finally:
        broken.close()


@pytest.mark.parametrize("failed_once", [False, True])
def test_a_service_may_start_before_its_first_deployment(tmp_path: Path, bundle: MakeBundle, failed_once: bool) -> None:
    from ebbflow.serving.core.settings import load_serving

    folder, settings = tmp_path / "deployment", ("gates.check_clock=false", "economy.enabled=false")
    folder.mkdir()
    if failed_once:
        with pytest.raises(FileNotFoundError):
            deploy(str(tmp_path / "nowhere"), folder)
    made = make_service(load_serving("default", settings), str(tmp_path / "l.db"), str(folder))
    try:
        assert made.kit.runner is None
        assert "nothing is deployed" in made.problems[0]
        assert b"ebbflow_reload_failures_total 0.0" in made.metrics.text()
        deploy(str(bundle("one", 0.5)), folder)
        until = time.monotonic() + 10.0
        while made.kit.runner is None and time.monotonic() < until:
            time.sleep(0.02)
        assert made.dispatch(request()).answer.model.name == "one"
        assert made.problems == ()
    finally:
        made.close()
