"""A site behind HTTP: `GET BASE/state` tells its state, `POST BASE/setpoints` takes its set-points."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ..messages.answer import PortDecisions
from .documents import receipt_from, setpoints_body, state_from, within_age
from .port import LONGEST_AGE_S, PortError, Receipt, SiteState
from .web import Answer, Web, WebError


class HttpPort:
    """A gateway, an aggregator's back end, or a charging management system with a few lines before it.

    Args:
        base: its address; `/state` and `/setpoints` are put behind it.
        token: sent as a bearer token; None: none.
        longest_age_s: an older state is not decided by.
    """

    def __init__(self, base: str, token: str | None = None, longest_age_s: float = LONGEST_AGE_S) -> None:
        self._base, self._web, self._longest_age_s = base.rstrip("/"), Web(token), longest_age_s

    def read(self, start: datetime, interval_s: int, now_s: float) -> SiteState:
        """See `port.SitePort`."""
        where = f"{self._base}/state"
        body = self._checked(where, lambda: self._web.get(where)).body
        return within_age(state_from(body, where), now_s, self._longest_age_s, where)

    def apply(self, decisions: PortDecisions, now_s: float) -> Receipt:
        """See `port.SitePort`; sending them again changes nothing, so that a lost answer does no harm."""
        where = f"{self._base}/setpoints"
        answer = self._checked(where, lambda: self._web.post(where, setpoints_body(decisions, now_s)))
        return receipt_from(answer.body or b'{"refused": {}}', decisions, where)

    def close(self) -> None:
        """See `port.SitePort`."""
        self._web.close()

    def _checked(self, where: str, ask: Callable[[], Answer]) -> Answer:
        try:
            answer = ask()
        except WebError as error:
            raise PortError(f"{where}: {error}") from None
        if not 200 <= answer.status < 300:
            raise PortError(f"{where}: answered {answer.status}")
        return answer
