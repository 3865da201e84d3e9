"""An app around a service on a ledger of its own, asked without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ebbflow.serving.http.access import Access
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.limits import Limits
from ebbflow.serving.http.tokens import TokenFile

from ..core.small_fleet import Says  # noqa: TID252
from ..service.services import Rig  # noqa: TID252


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A service whose policy asks for 5 kW."""
    made = Rig(str(tmp_path / "ledger.db"), Says(5.0))
    yield made
    made.ledger.close()


@pytest.fixture
def client(rig: Rig) -> TestClient:
    """Open to everybody, called by its own name."""
    return TestClient(create_app(rig.service), base_url="http://localhost", raise_server_exceptions=False)


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    """A token file without tokens."""
    return TokenFile(tmp_path / "tokens.json")


@pytest.fixture
def guarded(rig: Rig, tokens: TokenFile) -> TestClient:
    """An app that wants tokens, with small limits."""
    limits = Limits(json_bytes=50_000, arrow_bytes=50_000, small_bytes=2_000)
    app = create_app(rig.service, Access(tokens), limits)
    return TestClient(app, base_url="http://ebbflow.example", raise_server_exceptions=False)
