"""What a source of prices gives a cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from ...messages.columns import LONGEST_NAME

Array = Any

OUTLOOK_S = 36 * 3600
"""How far ahead a cycle is told prices: past the outlook of 24 hours, so that a day of 25 hours has all of its own."""


class PriceError(Exception):
    """Prices that cannot be had or read; the sentence names source and reason."""


@dataclass(frozen=True)
class PriceTable:
    """Prices of successive intervals from the start of a cycle, $/kWh (H,); NaN is one that the source does not hold.

    Args:
        import_usd_per_kwh: what a kWh costs.
        export_usd_per_kwh: what a kWh earns.
        published_age_s: at the start of the cycle; NaN: the source does not say, as a tariff that is in force.
        source: what people need to find it again.
    """

    import_usd_per_kwh: Array
    export_usd_per_kwh: Array
    published_age_s: float
    source: str

    @property
    def known_steps(self) -> int:
        """Steps up to the last one whose import price the source holds."""
        known = np.flatnonzero(~np.isnan(self.import_usd_per_kwh))
        return int(known[-1]) + 1 if len(known) else 0

    def document(self, tariffs: Sequence[str]) -> dict[str, Any]:
        """The table `prices` of a request; every tariff of the site has these prices."""
        made: dict[str, Any] = {
            "tariff": list(tariffs),
            "import_usd_per_kwh": [self.import_usd_per_kwh] * len(tariffs),
            "export_usd_per_kwh": [self.export_usd_per_kwh] * len(tariffs),
            "known_steps": self.known_steps,
            "source": "".join(letter if letter.isprintable() else " " for letter in self.source)[:LONGEST_NAME],
        }
        if not np.isnan(self.published_age_s):
            made["published_age_s"] = self.published_age_s
        return made


class PriceSource(Protocol):
    """Where prices come from."""

    def table(self, start: datetime, interval_s: int, now_s: float) -> PriceTable:
        """Prices from `start` on, `OUTLOOK_S` ahead.

        Raises:
            PriceError: there are none to be had.
        """
        ...


class FirstOf:
    """The first of several sources that holds a price for the present interval.

    Args:
        sources: in the order of preference; each table says which one it came from.
    """

    def __init__(self, sources: Sequence[PriceSource]) -> None:
        self._sources = tuple(sources)

    def table(self, start: datetime, interval_s: int, now_s: float) -> PriceTable:
        """See `PriceSource`."""
        made: list[PriceTable] = []
        why: list[str] = []
        for source in self._sources:
            try:
                made.append(source.table(start, interval_s, now_s))
            except PriceError as error:
                why.append(str(error))
                continue
            if not np.isnan(made[-1].import_usd_per_kwh[0]):
                return made[-1]
        if made:
            return made[0]  # the gate names source, window and age
        raise PriceError("; ".join(why))


def intervals(interval_s: int) -> int:
    """How many intervals a table has."""
    return OUTLOOK_S // interval_s
