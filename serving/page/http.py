"""The page and the document that it draws, over HTTP."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from ..http.access import needs
from ..http.cycles import FleetName, TheService
from ..http.errors import Refused
from ..http.tokens import Scope
from ..ledger.documents import unpacked
from ..people.desk import Desk, NothingKnown, TooLarge
from ..people.http import TheDesk, told
from ..service import Service
from . import describe
from .past import Past
from .status import ahead_of, attention_of, now_of, prices_of

router = APIRouter(tags=["page"])


CYCLES, CYCLES_OF_MANY, MANY_PORTS = 96, 12, 2_000
"""How many past cycles are drawn, also of a large fleet."""

KINDS = {
    "page.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "charts.js": "text/javascript",
    "words.js": "text/javascript",
}

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


async def the_past(request: Request) -> Past:
    """Past cycles of the app's service, kept from look to look."""
    state = request.app.state
    if getattr(state, "past", None) is None:
        state.past = Past(state.service.ledger)
    past: Past = state.past
    return past


ThePast = Annotated[Past, Depends(the_past)]


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """The status page; it asks for a token where one is needed."""
    return _file("page.html")


@router.get("/page/{name}", include_in_schema=False)
async def part(name: str) -> Response:
    """Its style and its script."""
    if name not in KINDS:
        raise Refused(404, "there is no such file")
    return _file(name)


@router.get("/v1/status", responses=describe.STATUS)
def status(
    service: TheService, desk: TheDesk, past: ThePast, _: Annotated[str, needs(Scope.READ)], fleet: FleetName
) -> Response:
    """What the status page shows: the last cycle, those before it, the day ahead, prices, orders, breaker."""
    return told(status_of(service, desk, past, fleet))


def status_of(service: Service, desk: Desk, past: Past, fleet: str) -> dict[str, Any]:
    """The document of the page.

    Raises:
        Refused: the ledger holds nothing of this fleet.
    """
    try:
        asked = desk.last(fleet)
    except NothingKnown as error:
        raise Refused(404, str(error)) from None
    cycle = asked.cycle
    made: dict[str, Any] = {"ahead": None, "attention": []}
    try:
        plan, _ = desk.plan(fleet)
        made = {"ahead": ahead_of(plan), "attention": attention_of(plan, cycle.answer)}
    except TooLarge as error:
        made["note"] = str(error)
    limit = CYCLES_OF_MANY if cycle.request.n_ports > MANY_PORTS else CYCLES
    return {
        "fleet": fleet,
        "version": version("ebbflow"),
        "clock_s": service.clock(),
        "service": {"state": service.standing_state().word, "problems": list(service.problems)},
        "shadow": service.shadow_card or None,
        "now": now_of(cycle.request, cycle.answer),
        "prices": prices_of(cycle.request),
        "breaker": _breaker(service, fleet),
        "orders": [{**order._asdict(), "ports": len(order.ports)} for order in service.orders(fleet)],
        "cycles": past.lines(fleet, limit),
        **made,
    }


def _breaker(service: Service, fleet: str) -> dict[str, Any]:
    """The policy's breaker after the last cycle."""
    row = next(service.ledger.cycles(fleet, limit=1, columns=("memory_after",)))
    breaker: dict[str, Any] = unpacked(row["memory_after"])["breaker"]
    return breaker


@cache
def _content(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


def _file(name: str) -> Response:
    return Response(_content(name), media_type=f"{KINDS[name]}; charset=utf-8", headers=HEADERS)
