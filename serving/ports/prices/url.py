"""Prices from a URL, asked for again at most every few minutes."""

from __future__ import annotations

import hashlib
import math
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from ..web import Answer, Web, WebError
from .read import MOST_BYTES, read_prices
from .refreshed import Refreshed
from .series import PriceSeries
from .source import PriceError

REFRESH_S = 300.0


class PriceUrl(Refreshed):
    """A document in one of the formats of `read`, behind http or https.

    Args:
        url: where it is.
        token: sent as a bearer token; None: none.
        refresh_s: how long an answer does.
        location, market: of a market's file that holds several.
    """

    def __init__(
        self, url: str, *, token: str | None = None, refresh_s: float = REFRESH_S,
        location: str | None = None, market: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._url, self._web = url, Web(token=token, most_bytes=MOST_BYTES)
        self._refresh_s, self._location, self._market = refresh_s, location, market
        self._asked_s = -math.inf
        self._digest, self._etag = "", ""

    def newer(self, now_s: float) -> PriceSeries | None:
        """See `Refreshed`."""
        # A clock that was put back asks at once.
        if 0.0 <= now_s - self._asked_s < self._refresh_s:
            return None
        place = urlsplit(self._url)
        name = f"{place.hostname}{place.path}"  # no query: it may hold a key
        try:
            answer = self._web.get(self._url, {"If-None-Match": self._etag} if self._etag else {})
        except WebError as error:
            raise PriceError(f"{name}: {error}") from None
        finally:
            self._web.close()  # minutes go by until the next time
        if answer.status != 304 and answer.status != 200:
            raise PriceError(f"{name}: answered {answer.status}")
        digest = hashlib.sha256(answer.body).hexdigest()
        same = answer.status == 304 or digest == self._digest
        made = None if same else self._read(answer, name, now_s)
        self._asked_s, self._etag = now_s, answer.headers.get("etag", "")
        self._digest = self._digest if same else digest
        return made

    def _read(self, answer: Answer, name: str, now_s: float) -> PriceSeries:
        try:
            modified_s = parsedate_to_datetime(answer.headers["last-modified"]).timestamp()
        except (KeyError, ValueError):
            modified_s = now_s  # first seen now
        return read_prices(answer.body, name, modified_s, location=self._location, market=self._market)
