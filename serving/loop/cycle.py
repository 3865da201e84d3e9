"""What became of one cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..messages.answer import DispatchAnswer
from ..messages.request import DispatchRequest
from .watch import Cause


@dataclass(frozen=True)
class CycleReport:
    """What became of one cycle.

    Args:
        start_s: of the cycle, Unix seconds.
        answer: what was decided; None: nothing was.
        sent: set-points that were handed over and accepted, those that renew a lease among them.
        new: of them those that change something.
        refused: why not, by port.
        problems: what went wrong, in sentences; those of the answer among them.
        cause: why it began.
        prices: whose they are, how old, and until when they are known.
    """

    start_s: float
    answer: DispatchAnswer | None = None
    sent: int = 0
    new: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    cause: Cause = Cause.SCHEDULE
    prices: PriceNote | None = None


class PriceNote(NamedTuple):
    """Where a cycle's prices came from."""

    source: str
    published_s: float | None  # Unix seconds; None: not said
    known_until_s: float  # Unix seconds


def price_note(request: DispatchRequest) -> PriceNote:
    """Of a request's prices."""
    prices = request.prices
    published_s = None if np.isnan(prices.published_age_s) else request.start_s - prices.published_age_s
    return PriceNote(prices.source, published_s, request.start_s + prices.known_steps * request.interval_s)
