"""The status page in a real headless Chromium."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from ebbflow.agents.days import DayRequest, draw_days
from ebbflow.envs.simulator import Simulator
from ebbflow.serving.core.cycle import make_kit
from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.access import Access
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.tokens import Scope, TokenFile
from ebbflow.serving.ledger.store import Ledger
from ebbflow.serving.messages import parse_request, request_of
from ebbflow.serving.service import Service

from ..core.small_fleet import document  # noqa: TID252

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; it is in the extra dev")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt-get install chromium")

STEPS = 44

sync_api.expect.set_options(timeout=30_000)  # a busy machine is no fault of the page


class Served(Service):
    now_s = 0.0


def make_service(ledger: Path) -> Served:
    made = Served(make_kit(load_serving("simulated")), Ledger(str(ledger)), lambda: made.now_s)
    return made


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A workplace in the middle of its day, by the rules."""
    made = make_service(tmp_path_factory.mktemp("ledger") / "l.db")
    day = draw_days(DayRequest("depot-workplace", ("ports=12",), first_day=190)).scenarios[0]
    simulator = Simulator(day)
    simulator.reset()
    for step in range(STEPS):
        at = day.start + timedelta(minutes=step * day.interval_minutes)
        made.now_s = at.timestamp() + 30.0
        answer = made.dispatch(request_of(simulator.snapshot().copy(), at, fleet="depot")).answer
        simulator.step(np.nan_to_num(answer.decisions.setpoint_kw)[None])
    made.now_s += 30.0
    yield made
    made.close()


@pytest.fixture
def served(service: Served) -> Iterator[Callable[..., str]]:
    """Starts a server of an app; gives its address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(of: Served = service, access: Access | None = None) -> str:
        server = uvicorn.Server(
            uvicorn.Config(create_app(of, access), port=0, log_level="error", lifespan="off", ws="none")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        running.append((server, thread))
        port = server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page; whatever it logs as an error, asks of another host or pops up fails the test."""
    context = browser.new_context(viewport={"width": 1300, "height": 1400})
    made, wrong = context.new_page(), []
    made.set_default_timeout(15_000)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("dialog", lambda dialog: wrong.append(f"dialog {dialog.message}"))
    made.on("request", lambda request: None if "//127.0.0.1:" in request.url else wrong.append(request.url))
    yield made
    context.close()
    assert not wrong, wrong


def test_the_page_draws_a_fleet(page: Any, served: Any, tmp_path: Path) -> None:
    page.goto(served())
    sync_api.expect(page.locator("#state")).to_have_text("DEGRADED")
    sync_api.expect(page.locator("#policy")).to_have_text("rules")
    sync_api.expect(page.locator("#age")).to_contain_text("decided 30 s ago")
    sync_api.expect(page.locator("#problems li")).to_have_text(["there is no policy: the rules decide"])
    assert page.locator("#cycles tbody tr").count() == 24
    assert page.locator("#power path").count() == 5
    assert page.locator("#prices path").count() == 4
    for path in page.locator("#power path").all():
        assert "NaN" not in path.get_attribute("d")
    tiles = page.locator("#tiles .tile").all_inner_texts()
    assert any("of 12" in tile and "cars plugged in" in tile for tile in tiles)
    assert "NaN" not in page.inner_text("body")
    assert "undefined" not in page.inner_text("body")
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert (tmp_path / "page.png").stat().st_size > 20_000


def test_a_car_tells_its_story(page: Any, served: Any) -> None:
    page.goto(served())
    first = page.locator("#cars option").first
    first.wait_for(state="attached")
    page.fill("#car", first.get_attribute("value"))
    page.click("#ask button")
    sync_api.expect(page.locator("#sentence")).to_contain_text("Your car is")
    sync_api.expect(page.locator("#story tbody tr").first).to_contain_text("rules")
    assert page.locator("#story tbody tr").count() == 24
    page.fill("#car", "nobody")
    page.click("#ask button")
    sync_api.expect(page.locator("#sentence")).to_have_text("nothing is known of nobody")


def test_the_page_asks_for_a_token_and_shows_nothing_without(page: Any, served: Any, tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    _, reader = tokens.create("reader", (Scope.READ,))
    _, sender = tokens.create("sender", (Scope.DISPATCH,))
    page.goto(served(access=Access(tokens)))
    page.locator("#door").wait_for(state="visible")
    assert not page.locator("#all").is_visible()
    for wrong in ("ebbflow_none_0", sender):
        page.fill("#token", wrong)
        page.click("#door button")
        sync_api.expect(page.locator("#refused")).to_have_text("this token does not open it")
    page.fill("#token", reader)
    page.click("#door button")
    page.locator("#all").wait_for(state="visible")
    assert not page.locator("#door").is_visible()
    assert reader not in page.content()


def test_names_from_outside_stay_text(page: Any, served: Any, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    made = make_service(tmp_path / "l.db")
    sent = parse_request(document(ports__id=[evil, "b", "c"], ports__departs_in_s=[900.0] * 3, prices__source=evil))
    made.now_s = sent.start_s + 1.0
    made.dispatch(sent)
    page.goto(served(made))
    sync_api.expect(page.locator("#attention")).to_contain_text(evil)
    sync_api.expect(page.locator("#source")).to_contain_text(evil)
    page.locator("#attention button", has_text=evil).click()
    sync_api.expect(page.locator("#sentence")).to_contain_text("there is time for no more")
    assert page.locator("img").count() == 0
    made.close()


def test_a_service_that_falls_silent_is_said_to_be_late(page: Any, served: Any, tmp_path: Path) -> None:
    made = make_service(tmp_path / "l.db")
    address = served(made)
    page.goto(address)
    sync_api.expect(page.locator("#age")).to_contain_text("no cycle yet")
    sent = parse_request(document())
    made.now_s = sent.start_s + 1.0
    made.dispatch(sent)
    page.goto(address)
    sync_api.expect(page.locator("#state")).to_have_text("DEGRADED")
    made.now_s += 2000.0
    page.reload()
    sync_api.expect(page.locator("#age")).to_contain_text("leases have ended")
    assert page.locator("#age").get_attribute("class") == "stale"
    made.close()


def test_the_page_fits_a_telephone_and_the_dark(browser: Any, served: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page = context.new_page()
    page.goto(served())
    sync_api.expect(page.locator("#cycles tbody tr").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 29)"
    context.close()


def test_no_fleet_is_shown_under_the_name_of_another(page: Any, served: Any, tmp_path: Path) -> None:
    """While the service takes its time for the second fleet, nothing of the first one stays on the page."""
    made = make_service(tmp_path / "l.db")
    for name, there in (("first", [True] * 3), ("second", [True, True, False])):
        sent = parse_request({**document(ports__plugged=there), "fleet": name})
        made.now_s = sent.start_s + 1.0
        made.dispatch(sent)
    waiting: list[Any] = []
    page.route("**/v1/status?fleet=second", lambda route: waiting.append(route))
    page.goto(served(made))
    sync_api.expect(page.locator("#tiles .tile").first).to_contain_text("3 of 3")
    page.select_option("#fleet", "second")
    sync_api.expect(page.locator("#age")).to_contain_text("asking the service for second")
    assert not page.locator("#all").is_visible()
    page.wait_for_timeout(200)
    waiting.pop(0).continue_()
    sync_api.expect(page.locator("#tiles .tile").first).to_contain_text("2 of 3")
    made.close()
