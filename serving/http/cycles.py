"""Deciding cycles and reading them back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from ..ledger.story import decisions_of, refuse_too_much
from ..messages.canonical import canonical_json, read_json
from ..messages.fields import FLEET
from ..messages.parse import parse_request
from ..service import Answered, Service
from ..service.service import told_again
from . import arrow, describe
from .access import needs
from .errors import Refused
from .limits import Bodies, Limits
from .threads import Threads
from .tokens import Scope

JSON = "application/json"

FleetName = Annotated[str, Query(pattern=FLEET)]

router = APIRouter(prefix="/v1", tags=["cycles"])


async def the_service(request: Request) -> Service:
    """The service of the app; asynchronous, or each request would pay for a thread to look it up."""
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(the_service)]


@router.post("/dispatch", openapi_extra=describe.DISPATCH, responses=describe.DISPATCH_ANSWERS)
async def dispatch(request: Request, service: TheService, _: Annotated[str, needs(Scope.DISPATCH)]) -> Response:
    """Decide one cycle of a fleet.

    Sent again unchanged, a cycle gets the answer that it got; changed, 409.
    """
    limits: Limits = request.app.state.limits
    bodies: Bodies = request.app.state.bodies
    threads: Threads = request.app.state.threads
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (JSON, arrow.MEDIA):
        raise Refused(415, f"send {JSON} or {arrow.MEDIA}")
    body = await bodies.read(request, limits.arrow_bytes if media == arrow.MEDIA else limits.json_bytes)
    as_arrow = _wants_arrow(request, media == arrow.MEDIA)
    try:
        return await threads.decide(lambda: _decided(service, body, media, as_arrow))
    finally:
        bodies.done(body)


@router.get("/cycles/{cycle_id}", responses=describe.CYCLE_ANSWERS)
def cycle(cycle_id: str, request: Request, service: TheService, _: Annotated[str, needs(Scope.READ)]) -> Response:
    """The answer of a cycle, as it was given."""
    row = service.ledger.cycle(cycle_id=cycle_id) if "\x00" not in cycle_id else None
    if row is None:
        raise Refused(404, "there is no such cycle; its name is FLEET.YYYYMMDDTHHMMSSZ")
    return _answer(told_again(row), _wants_arrow(request, False))


@router.get("/decisions", responses=describe.DECISIONS_ANSWERS)
def decisions(
    request: Request,
    service: TheService,
    _: Annotated[str, needs(Scope.READ)],
    fleet: FleetName,
    port: Annotated[str, Query(min_length=1, max_length=128, pattern=r"^[^\x00]*$")],
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 96,
) -> Response:
    """What a port was told, the latest cycle first: `from` and `until` bound the cycles' starts."""
    from_s, until_s = (None if time is None else time.timestamp() for time in (since, until))
    refuse_too_much(service.ledger, request.app.state.limits.ports_read, fleet, from_s, until_s, limit)
    found = decisions_of(service.ledger, fleet, port, from_s, until_s, limit=limit)
    return Response(canonical_json({"fleet": fleet, "port": port, "decisions": list(found)}), media_type=JSON)


def _wants_arrow(request: Request, otherwise: bool) -> bool:
    """What the client names in its Accept header, or what it sent itself."""
    accepted = request.headers.get("accept", "").lower()
    return arrow.MEDIA in accepted or (otherwise and JSON not in accepted)


def _decided(service: Service, body: bytearray, media: str, as_arrow: bool) -> Response:
    document = read_json(bytes(body)) if media == JSON else arrow.read_request(body)
    return _answer(service.dispatch(parse_request(document)), as_arrow)


def _answer(told: Answered, as_arrow: bool) -> Response:
    headers = {"Ebbflow-Recorded": str(told.recorded).lower(), "Ebbflow-Repeated": str(told.repeated).lower()}
    if as_arrow:
        return Response(arrow.write_answer(told.answer), media_type=arrow.MEDIA, headers=headers)
    return Response(told.body, media_type=JSON, headers=headers)
