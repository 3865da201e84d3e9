"""The app: routers around one service."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from ..page import http as page
from ..people import http as people
from ..service import Service
from . import cycles, operations
from .access import Access
from .errors import answer_errors
from .limits import Bodies, Guard, Limits
from .threads import FewReaders, Threads

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

ROUTERS = (cycles.router, operations.router, people.router, page.router)
"""Each part of the API; a new part is a router here."""


def create_app(
    service: Service,
    access: Access | None = None,
    limits: Limits | None = None,
    names: tuple[str, ...] = LOOPBACK_NAMES,
) -> FastAPI:
    """The app of a service.

    Args:
        service: what answers.
        access: who may call what; None: everybody everything.
        limits: what a client may cost.
        names: by which a service that is open to everybody may be called.
    """
    access, limits = access or Access(), limits or Limits()
    app = FastAPI(
        title="ebbflow",
        version=version("ebbflow"),
        summary="Leased, attributed, safe set-points for fleets of electric cars",
        docs_url=None,  # its page would be fetched from the internet
        redoc_url=None,
    )
    app.state.service, app.state.access, app.state.limits = service, access, limits
    app.state.bodies, app.state.threads = Bodies(limits), Threads()
    for router in ROUTERS:
        app.include_router(router)
    answer_errors(app)
    app.add_middleware(FewReaders)
    app.add_middleware(Guard, hosts=names, is_open=lambda: access.open)
    return app
