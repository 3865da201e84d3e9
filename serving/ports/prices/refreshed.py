"""Prices that are read again when they may have changed; what was read last stands, and ages, where that fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import datetime

from .series import PriceSeries
from .source import PriceError, PriceTable

LONGEST_REASON = 60


class Refreshed(ABC):
    """A source with a memory of one reading."""

    def __init__(self) -> None:
        self._series: PriceSeries | None = None

    @abstractmethod
    def newer(self, now_s: float) -> PriceSeries | None:
        """What is to be had now; None: nothing new since the last call.

        Raises:
            PriceError: it cannot be had or read.
        """

    def table(self, start: datetime, interval_s: int, now_s: float) -> PriceTable:
        """See `PriceSource`."""
        try:
            self._series = self.newer(now_s) or self._series
        except PriceError as error:
            if self._series is None:
                raise
            old = self._series.table(start, interval_s)
            return replace(old, source=f"{old.source} (not refreshed: {str(error)[:LONGEST_REASON]})")
        if self._series is None:
            raise PriceError("nothing was read yet")
        return self._series.table(start, interval_s)
