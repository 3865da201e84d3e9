"""Times as people read them, on the fleet's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..messages.request import DispatchRequest


def clock(request: DispatchRequest, at: datetime) -> str:
    """Hour and minute, and the day where it is not the request's."""
    days = (at.date() - request.cycle_start.date()).days
    day = {0: "", 1: " tomorrow"}.get(days, f" on {at:%a %d %b}")
    return f"{at:%H:%M}{day}"


def time_of(request: DispatchRequest, step: int) -> datetime:
    """The start of a step after the request's own."""
    return request.cycle_start + timedelta(seconds=step * request.interval_s)
