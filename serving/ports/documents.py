"""The two documents between a loop and a site: its state, and its set-points.

A state is the tables of a request (`ports`, `sites`, ..., as `/v1/dispatch` takes them) and `as_of`, the time at which
they were true, with an offset: ages and times to come are seconds from then on, series begin with the interval that
holds it. Set-points are a table of columns in the order of the ports, each a lease with its end; whose clock may differ
counts its length from `sent_at`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from ..messages.answer import PortDecisions, decisions_document, rfc3339
from ..messages.canonical import canonical_json, read_json
from ..messages.columns import RequestError, refuse_unknown
from ..messages.request import SECTIONS
from .port import PortError, Receipt, SiteState

SETPOINTS_SCHEMA = "ebbflow.setpoints/1"
STATE_KEYS = ("as_of", "wear_usd_per_kwh", *SECTIONS)
LONGEST_REASON = 120
MOST_REASONS = 1000


def state_from(body: bytes, where: str) -> SiteState:
    """Read a state.

    Args:
        body: JSON.
        where: what to call it.

    Raises:
        PortError: it is none.
    """
    try:
        document = read_json(body)
        if not isinstance(document, Mapping):
            raise RequestError("the state", "should be a table")
        refuse_unknown(document, STATE_KEYS)
        as_of = document.get("as_of")
        moment = datetime.fromisoformat(as_of) if isinstance(as_of, str) else None
        if moment is None or moment.tzinfo is None:
            raise RequestError("as_of", "should be a time with an offset, e.g. 2026-07-15T18:00:00-07:00")
    except ValueError as error:
        raise PortError(f"{where}: {error}") from None
    return SiteState({name: table for name, table in document.items() if name != "as_of"}, moment)


def setpoints_body(decisions: PortDecisions, now_s: float) -> bytes:
    """The set-points as canonical JSON."""
    made = {"schema": SETPOINTS_SCHEMA, "sent_at": rfc3339(now_s), "setpoints": decisions_document(decisions)}
    return canonical_json(made)


def receipt_from(body: bytes, decisions: PortDecisions, where: str) -> Receipt:
    """Read what a site says of the set-points that it was sent: `{"refused": {PORT: WHY}}`; the others are accepted.

    Raises:
        PortError: it says anything else.
    """
    try:
        document = read_json(body)
        refused = document["refused"]
        told = {str(port): str(why)[:LONGEST_REASON] for port, why in list(refused.items())[:MOST_REASONS]}
        return Receipt(~np.isin(decisions.id, np.array(list(map(str, refused)), np.str_)), told)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PortError(f'{where}: the answer to set-points should be {{"refused": {{PORT: WHY}}}}') from None


def within_age(state: SiteState, now_s: float, longest_s: float, where: str) -> SiteState:
    """The state, where it is not too old to decide by.

    Raises:
        PortError: it is; names its age.
    """
    age_s = now_s - state.as_of.timestamp() if state.as_of is not None else 0.0
    if age_s > longest_s:
        raise PortError(f"{where}: the state is {age_s / 60:.0f} minutes old, of {state.as_of}; is its writer running?")
    return state
