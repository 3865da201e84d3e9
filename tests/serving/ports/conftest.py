from __future__ import annotations

from collections.abc import Iterator

import pytest

from .web_server import WebServer


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server of this test."""
    made = WebServer()
    yield made
    made.close()
