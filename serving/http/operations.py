"""Operators' orders, the policy in use, and what monitors ask."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ..core.controls import Order
from ..messages.answer import rfc3339
from ..messages.fields import FLEET
from ..messages.vocabulary import ServiceState
from ..service import Service
from . import describe
from .access import needs
from .cycles import FleetName, TheService
from .errors import Refused, rule
from .limits import Bodies, Limits
from .threads import Threads
from .tokens import Scope

router = APIRouter()


async def the_threads(request: Request) -> Threads:
    """The threads of the app."""
    threads: Threads = request.app.state.threads
    return threads


TheThreads = Annotated[Threads, Depends(the_threads)]


class OrderBody(BaseModel):
    """An operator's order."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [describe.ORDER_EXAMPLE]})

    fleet: Annotated[str, Field(pattern=FLEET)]
    control: str = Field(json_schema_extra={"enum": list(describe.CONTROLS)})
    actor: Annotated[str, Field(min_length=1, max_length=500, description="who orders it")]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    until: Annotated[AwareDatetime, Field(description="when it ends by itself")]
    ports: Annotated[list[str], Field(max_length=100_000, description="empty: the whole fleet")] = []


@router.post(
    "/v1/controls", tags=["operations"], openapi_extra=describe.order(OrderBody), responses=describe.ORDER_ANSWERS
)
async def order(
    request: Request, service: TheService, threads: TheThreads, caller: Annotated[str, needs(Scope.CONTROL)]
) -> Response:
    """Order something for a fleet or some of its ports, until a time: in force from the next cycle on."""
    limits: Limits = request.app.state.limits
    bodies: Bodies = request.app.state.bodies
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "send application/json")
    body = await bodies.read(request, limits.small_bytes)
    bodies.done(body)
    try:
        said = OrderBody.model_validate_json(bytes(body))
    except ValidationError as error:
        raise Refused(400, "; ".join(rule(one) for one in error.errors()[:5])) from None
    return await threads.decide(lambda: _ordered(service, said, caller))


@router.get("/v1/controls", tags=["operations"], responses=describe.ORDERS_ANSWERS)
def orders(service: TheService, _: Annotated[str, needs(Scope.READ)], fleet: FleetName) -> Response:
    """The orders of a fleet that have not ended."""
    return JSONResponse({"fleet": fleet, "orders": [_order(one) for one in service.orders(fleet)]})


@router.get("/v1/model", tags=["operations"], responses=describe.MODEL_ANSWERS)
async def model(service: TheService, _: Annotated[str, needs(Scope.READ)]) -> Response:
    """The policy in use: name, run, digest, trained ranges, evaluation; null where the rules decide."""
    runner = service.kit.runner
    told = None if runner is None else {**runner.model._asdict(), **service.card}
    return JSONResponse({"model": told, "shadow": service.shadow_card or None, "problems": list(service.problems)})


@router.get("/livez", tags=["probes"], responses=describe.LIVE_ANSWERS)
async def live() -> Response:
    """The process answers."""
    return JSONResponse({"live": True})


@router.get("/readyz", tags=["probes"], responses=describe.READY_ANSWERS)
async def ready(service: TheService, threads: TheThreads) -> Response:
    """The rules are loaded and the ledger can be written; without a policy it is ready, and degraded."""
    ledger = await threads.probe(service.ledger_works)
    state = ServiceState.LEDGER_DOWN if not ledger else service.standing_state()
    told: dict[str, Any] = {"ready": ledger, "state": state.word, "problems": list(service.problems)}
    return JSONResponse(told, 200 if ledger else 503)


@router.get("/metrics", tags=["probes"], responses=describe.METRICS_ANSWERS)
async def metrics(service: TheService, threads: TheThreads, _: Annotated[str, needs(Scope.READ)]) -> Response:
    """For Prometheus."""
    return Response(await threads.probe(service.metrics.text), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _ordered(service: Service, said: OrderBody, caller: str) -> Response:
    try:
        actor = said.actor if caller == "anybody" else f"{said.actor} (token {caller})"
        made = service.order(said.fleet, said.control, actor, said.reason, said.until.timestamp(), said.ports)
    except ValueError as error:
        raise Refused(422, str(error)) from None
    return JSONResponse({**_order(made.order), "fleet": said.fleet, "recorded": made.recorded}, 201)


def _order(order: Order) -> dict[str, Any]:
    plain = {name: getattr(order, name) for name in ("control", "actor", "reason")}
    return plain | {
        "issued": rfc3339(order.issued_s), "until": rfc3339(order.until_s), "ports": list(order.ports),
    }  # fmt: skip
