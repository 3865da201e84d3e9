"""What people ask, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from ..http.access import needs
from ..http.cycles import FleetName
from ..http.errors import Refused
from ..http.tokens import Scope
from ..messages.canonical import canonical_json
from ..service import Service
from . import describe
from .desk import Desk, NothingKnown, TooLarge

MOST_CARS = 20_000
"""Of a fleet that a plan is made for while it has to be answered: some seconds."""

router = APIRouter(prefix="/v1", tags=["people"])

Name = Annotated[str, Query(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
Reader = Annotated[str, needs(Scope.READ)]


async def the_desk(request: Request) -> Desk:
    """The desk of the app's service, made when it is first asked."""
    state = request.app.state
    service: Service = state.service
    if getattr(state, "desk", None) is None:
        state.desk = Desk(service.ledger, lambda: service.kit, MOST_CARS, state.limits.ports_read)
    desk: Desk = state.desk
    return desk


TheDesk = Annotated[Desk, Depends(the_desk)]


@router.get("/fleets", responses=describe.FLEETS)
def fleets(desk: TheDesk, _: Reader) -> Response:
    """The fleets that the ledger knows."""
    return told({"fleets": desk.fleets()})


@router.get("/drivers", responses=describe.DRIVERS)
def drivers(desk: TheDesk, _: Reader, fleet: FleetName, port: Annotated[list[Name] | None, Query()] = None) -> Response:
    """One sentence for the driver of each plugged-in car, or of those of some ports or cars."""
    return told(found(lambda: desk.drivers(fleet, port)))


@router.get("/plan", responses=describe.PLAN)
def plan(desk: TheDesk, _: Reader, fleet: FleetName) -> Response:
    """The fleet's planned load for a day, and its flexibility up and down: kW, and for how long."""
    return told(found(lambda: desk.load(fleet)))


@router.get("/limits", responses=describe.LIMITS)
def limits(desk: TheDesk, _: Reader, fleet: FleetName) -> Response:
    """Limits and planned load of every meter and feeder as time series."""
    return told(found(lambda: desk.limits(fleet)))


@router.get("/events", responses=describe.EVENTS)
def events(
    desk: TheDesk,
    _: Reader,
    fleet: FleetName,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: AwareDatetime | None = None,
) -> Response:
    """What was delivered in each programme event, by site and 15 minutes: baseline, metered, delivered."""
    bounds = [None if time is None else time.timestamp() for time in (since, until)]
    return told(desk.events(fleet, *bounds))


@router.get("/story", responses=describe.STORY)
def story(
    desk: TheDesk, _: Reader, fleet: FleetName, port: Name, limit: Annotated[int, Query(ge=1, le=300)] = 24
) -> Response:
    """A port's or car's last cycles, the latest first: what was known of it, who asked for what, and why."""
    return told(desk.story(fleet, port, limit))


def found(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer.

    Raises:
        Refused: there is none.
    """
    try:
        return ask()
    except NothingKnown as error:
        raise Refused(404, str(error)) from None
    except TooLarge as error:
        raise Refused(413, str(error)) from None


def told(document: dict[str, Any]) -> Response:
    """As JSON that no cache keeps."""
    return Response(canonical_json(document), media_type="application/json", headers={"Cache-Control": "no-store"})
