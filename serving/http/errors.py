"""Errors as they leave the service: a code and one sentence, never anything of what was sent."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..core.cycle import CycleRefused
from ..ledger.reader import LedgerDown, LedgerMoved
from ..ledger.story import TooMuch
from ..messages.columns import RequestError
from ..service import CycleConflict, ServiceBusy

log = logging.getLogger("ebbflow.serving")

RETRY_S = {HTTPStatus.SERVICE_UNAVAILABLE: "1"}
"""What a client that tries again should wait."""

CODES: dict[type[Exception], HTTPStatus] = {
    RequestError: HTTPStatus.BAD_REQUEST,
    CycleRefused: HTTPStatus(422),
    CycleConflict: HTTPStatus.CONFLICT,
    ServiceBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    TooMuch: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    LedgerDown: HTTPStatus.SERVICE_UNAVAILABLE,
    LedgerMoved: HTTPStatus.SERVICE_UNAVAILABLE,
}

MESSAGES = {
    LedgerDown: "the ledger cannot be read or written now; see the service's log",
    LedgerMoved: "another process is writing to the ledger; try again",
}
"""What a database says may name files and hosts; that stays in the log."""


class Refused(HTTPException):
    """A request that is not answered, with the reason."""


def answer_errors(app: FastAPI) -> None:
    """Make every error of an app a terse one, and count it."""

    async def told(request: Request, error: Exception) -> JSONResponse:
        code = next((code for kind, code in CODES.items() if isinstance(error, kind)), HTTPStatus(500))
        kind = type(error)
        if kind in MESSAGES:
            log.warning("%s %r: %s: %s", request.method, request.url.path, kind.__name__, error)
        return _answer(request, code, MESSAGES.get(kind, str(error)))

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return _answer(request, HTTPStatus(error.status_code), str(error.detail), dict(error.headers or {}))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return _answer(request, HTTPStatus.BAD_REQUEST, "; ".join(rule(one, 1) for one in error.errors()[:5]))

    async def broken(request: Request, error: Exception) -> JSONResponse:
        return _answer(request, HTTPStatus(500), "the service failed; see its log")

    for kind in CODES:
        app.add_exception_handler(kind, told)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, broken)


def _answer(request: Request, code: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    request.app.state.service.metrics.refused.labels(str(int(code))).inc()
    headers = (headers or {}) | ({"Retry-After": RETRY_S[code]} if code in RETRY_S else {})
    return JSONResponse({"error": message}, int(code), headers)


def rule(problem: Any, skip: int = 0) -> str:
    """Where and why of a finding of pydantic, without the value and its words, which may repeat the value.

    Args:
        problem: one of its `errors()`.
        skip: parts of the path that name no field.
    """
    unknown = problem["type"] == "extra_forbidden"
    where = "an unknown key" if unknown else ".".join(str(part) for part in problem["loc"][skip:])
    return f"{where or 'the body'}: {problem['type'].replace('_', ' ')}"
