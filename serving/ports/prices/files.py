"""Prices of a file, read again whenever it was written."""

from __future__ import annotations

from pathlib import Path

from .read import MOST_BYTES, read_prices
from .refreshed import Refreshed
from .series import PriceSeries
from .source import PriceError


class PriceFile(Refreshed):
    """A file in one of the formats of `read`; its age is that of the file where it does not tell one.

    Args:
        path: of the file.
        location, market: of a market's file that holds several.
    """

    def __init__(self, path: str | Path, *, location: str | None = None, market: str | None = None) -> None:
        super().__init__()
        self._path, self._location, self._market = Path(path), location, market
        self._seen: tuple[int, int] | None = None

    def newer(self, now_s: float) -> PriceSeries | None:
        """See `Refreshed`."""
        try:
            state = self._path.stat()
            if (state.st_mtime_ns, state.st_size) == self._seen:
                return None
            if state.st_size > MOST_BYTES:
                raise PriceError(f"{self._path.name}: is larger than {MOST_BYTES >> 20} MiB; give fewer days")
            body = self._path.read_bytes()
        except OSError as error:
            raise PriceError(f"{self._path}: {error.strerror}") from None
        made = read_prices(body, self._path.name, state.st_mtime, location=self._location, market=self._market)
        self._seen = (state.st_mtime_ns, state.st_size)
        return made
