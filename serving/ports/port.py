"""What a site port is: it reads the state of a fleet, and hands leased set-points to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from ..messages.answer import PortDecisions

Array = Any

LONGEST_AGE_S = 7200.0
"""Of a state that is decided by; as the service's gate on plug states, beyond which it would release every car."""


class PortError(Exception):
    """A site that cannot be read or reached now; the sentence says which, why, and since when where that is known."""


@dataclass(frozen=True)
class SiteState:
    """What a site told.

    Args:
        document: the tables of a request (`messages.parse_request`); ages and times to come are seconds from
            `as_of`, series begin with the interval that holds it. `fleet`, `cycle_start` and `interval_s` are the
            loop's to say.
        as_of: when it was true, with an offset; None: at the start of the cycle, everything rebased already.
        problems: what could not be had of it, in sentences.
    """

    document: Mapping[str, Any]
    as_of: datetime | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """What became of set-points that were handed over.

    Args:
        accepted: (N,), in the order of the set-points; all others are sent again in the next cycle.
        refused: why not, by port.
    """

    accepted: Array
    refused: Mapping[str, str] = field(default_factory=dict)


class SitePort(Protocol):
    """Either end of a loop.

    Every set-point is a lease. Whoever holds it ends it by itself: at `valid_until_s` a car goes back to its own
    schedule, an export stops. So each cycle hands over all set-points, which renews them; `command_due` says which of
    them are new, for those who pay per command.
    """

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        """The site as it is for the cycle that begins at `start`.

        Args:
            start: with its offset.
            interval_s: of the cycle.
            now_s: the loop's clock, Unix seconds, not before `start`.

        Raises:
            PortError: it cannot be read now.
        """
        ...

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        """Hand over the set-points of a cycle.

        Raises:
            PortError: nobody could be reached.
        """
        ...

    def close(self) -> None:
        """Let go of files and sockets; the set-points stand until their leases end."""
        ...


def all_accepted(decisions: PortDecisions) -> Receipt:
    """The receipt where nothing was refused."""
    return Receipt(np.ones(len(decisions.id), bool))
