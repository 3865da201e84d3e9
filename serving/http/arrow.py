"""Bodies as Arrow streams."""

from __future__ import annotations

from typing import Any

from ..messages.answer import DispatchAnswer
from ..messages.columns import RequestError

MEDIA = "application/vnd.apache.arrow.stream"


def read_request(body: bytearray) -> dict[str, Any]:
    raise RequestError("body", "not yet")


def write_answer(answer: DispatchAnswer) -> bytes:
    raise RequestError("accept", "not yet")
