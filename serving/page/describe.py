"""What the OpenAPI document says of the page's own document."""

from __future__ import annotations

from typing import Any

from ..people.describe import answers_of

NAMES = ("fleet", "version", "clock_s", "service", "now", "prices", "breaker", "orders", "cycles", "ahead", "attention")

STATUS: dict[int | str, dict[str, Any]] = answers_of(
    {"type": "object", "properties": {"fleet": {"type": "string"}}, "required": list(NAMES)},
    {404: "No cycle of this fleet"},
)
