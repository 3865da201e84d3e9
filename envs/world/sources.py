"""Real files in place of generated series: opened once, then read day by day.

The years of files do not match the preset's or each other's. With a price file the scenario's dates are
the file's own complete dates; every other file is aligned to them by weekday or weekend and local time of
day, and the scenario's provenance says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .parts import ALL, check_part, cut

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from .file_prices import PriceGrid
    from .files import EmissionTable, LoadTable, PriceTable, SessionTable
    from .settings import ScenarioSettings


@dataclass(frozen=True)
class ScenarioFiles:
    """Paths of the user's files; None where the generator stands in.

    `location` names the settlement point where a price file holds several; None: the tariff's own. `part` is that of
    the dates of sessions and prices which days are drawn from (`parts`); emissions and load are aligned to any date.

    Raises:
        ValueError: an unknown part.
    """

    sessions: str | None = None
    prices: str | None = None
    export_prices: str | None = None
    emissions: tuple[str, ...] = ()
    load: str | None = None
    location: str | None = None
    market: str | None = None
    part: str = ALL

    def __post_init__(self) -> None:
        check_part(self.part)

    def __bool__(self) -> bool:
        return bool(self.paths())

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> ScenarioFiles:
        """Back from JSON, which has lists where there were tuples."""
        files: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in told.items()}
        return cls(**files)

    def paths(self) -> dict[str, tuple[str, ...]]:
        """The files that are named, by what they tell."""
        told = {name: getattr(self, name) for name in ("sessions", "prices", "export_prices", "emissions", "load")}
        return {name: (path,) if isinstance(path, str) else path for name, path in told.items() if path}

    def given(self) -> dict[str, str | tuple[str, ...]]:
        """What differs from naming nothing."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in told.items() if value and (name, value) != ("part", ALL)}


@dataclass(frozen=True, eq=False)
class Sources:
    """The tables behind `ScenarioFiles`, each read when first needed.

    Raises (all tables):
        FileNotFoundError: there is no such file.
        DataFileError: the file is not what it should be; names file, line and reason.
    """

    files: ScenarioFiles
    settings: ScenarioSettings
    zone: ZoneInfo
    settlement_point: str | None  # of the preset's tariff

    @cached_property
    def sessions(self) -> SessionTable | None:
        """Stays of real cars."""
        if self.files.sessions is None:
            return None
        from .files import read_sessions

        return read_sessions(self.files.sessions).part(self.files.part)

    @cached_property
    def prices(self) -> PriceTable | None:
        """Wholesale import prices."""
        return self._price_table(self.files.prices)

    @cached_property
    def export_prices(self) -> PriceTable | None:
        """What an exported kWh earns."""
        return self._price_table(self.files.export_prices)

    @cached_property
    def price_grid(self) -> PriceGrid | None:
        """The import prices by local date and hour."""
        return self._grid(self.prices)

    @cached_property
    def export_grid(self) -> PriceGrid | None:
        """The export prices by local date and hour."""
        return self._grid(self.export_prices)

    @cached_property
    def emissions(self) -> EmissionTable | None:
        """Marginal emission rates."""
        if not self.files.emissions:
            return None
        from .files import read_emissions

        return read_emissions(list(self.files.emissions))

    @cached_property
    def load(self) -> LoadTable | None:
        """Base load of sites."""
        if self.files.load is None:
            return None
        from .files import read_load

        return read_load(self.files.load, self.settings.timezone)

    @cached_property
    def price_dates(self) -> tuple[date, ...]:
        """The dates on which an episode can begin: every hour to the end of the look-ahead has its price.

        Empty without a price file. Within the preset's period where that holds any, else all of the file's.

        Raises:
            ValueError: no date of the file will do, or the one date asked for has no price.
        """
        tables = [table for table in (self.prices, self.export_prices) if table is not None]
        if not tables:
            return ()
        s = self.settings
        hours = s.n_times * s.interval_minutes / 60
        held = [set(t.days(s.timezone, s.start_hour, hours).complete) for t in tables]
        dates = sorted(set.intersection(*held))
        asked = [d for d in dates if s.period_first <= d <= s.period_last]
        names = " and ".join(t.timeline.names for t in tables)
        if s.period_first == s.period_last and not asked:
            raise ValueError(
                f"{names}: no price for every hour from {s.period_first} {s.start_hour}:00 on, {hours:g} h; "
                f"choose a date it holds{_span(dates)}"
            )
        if not dates:
            raise ValueError(f"{names}: no date with prices for {hours:g} h from {s.start_hour}:00; give more days")
        return tuple(cut(asked or dates, self.files.part, names))

    def _grid(self, table: PriceTable | None) -> PriceGrid | None:
        if table is None:
            return None
        from .file_prices import price_grid

        return price_grid(table, self.zone)

    def _price_table(self, path: str | None) -> PriceTable | None:
        if path is None:
            return None
        from .files import DataFileError, read_prices

        given = self.files.location
        try:
            return read_prices(path, location=given, market=self.files.market)
        except DataFileError:
            # Several settlement points: the tariff's own is meant, where the file has it.
            if given is not None or self.settlement_point is None:
                raise
            return read_prices(path, location=self.settlement_point, market=self.files.market)


def _span(dates: list[date]) -> str:
    return f", e.g. {dates[0]} or {dates[-1]}" if dates else ""
