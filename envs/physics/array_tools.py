"""What the parts of the step in array form share; see `arrays`."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..ledger import LedgerModel, MoneyTerms
from ..world.bank import DayTable, Series
from .port import Operations, PortModel
from .state import StepTerms, WorldState


class Tools(NamedTuple):
    """One array library's operations, the models over them, and the days that are played."""

    ops: Operations
    port: PortModel
    ledger: LedgerModel
    money: MoneyTerms
    terms: StepTerms
    days: DayTable
    feeder_of: Any  # (S, F) one where the site is on the feeder
    torch: bool

    def today(self, series: Series, state: WorldState) -> Any:
        """The present step's values of a series, (B, G)."""
        return series.values[series.row[state.day], :, state.step]

    def highest(self, values: Any) -> Any:
        """Maximum of each row."""
        return values.max(1).values if self.torch else values.max(1)
