"""A scenario preset made ready: files read, tables crossed and bounds computed once for all days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from ...configs.load import load_model
from .behaviour import BehaviourProfile
from .calendar import StepTimes, time_zone
from .emissions import EmissionModel
from .fleet import FleetTable, fleet_table, spread
from .limits import feeder_limits_kw, site_export_limit_kw, site_import_limit_kw
from .money import Highest, highest_demand_usd_per_kw, least_unserved_usd_per_kwh, run_money
from .scenario import FloatArray, IntArray, Money
from .settings import ScenarioSettings
from .sources import ScenarioFiles, Sources
from .tariffs import Tariff, load_tariff
from .wholesale import Market

if TYPE_CHECKING:
    from .programmes import Programme

FRAMES = 400  # dates kept; a year of them


@dataclass(frozen=True)
class Frame:
    """What a date fixes by itself: the clock, the limits and the tariffs that follow no market."""

    times: StepTimes
    site_import_limit_kw: FloatArray
    site_export_limit_kw: FloatArray
    feeder_import_limit_kw: FloatArray
    feeder_export_limit_kw: FloatArray
    demand_rate_usd_per_kw: FloatArray
    import_usd_per_kwh: FloatArray  # (P, L); NaN rows where a tariff follows the market
    export_usd_per_kwh: FloatArray


@dataclass(frozen=True, eq=False)
class World:
    """One preset, with the user's files if any, ready to draw days from."""

    settings: ScenarioSettings
    files: ScenarioFiles = field(default_factory=ScenarioFiles)

    @cached_property
    def zone(self) -> ZoneInfo:
        """Time zone of the preset."""
        return time_zone(self.settings.timezone)

    @cached_property
    def profile(self) -> BehaviourProfile:
        """Percentiles of arrivals, stays and energies."""
        return load_model(BehaviourProfile, "behaviour", self.settings.behaviour.profile)

    @cached_property
    def fleet(self) -> FleetTable:
        """Cars crossed with chargers."""
        return fleet_table(self.settings.fleet)

    @cached_property
    def tariffs(self) -> tuple[Tariff, ...]:
        """The tariffs of the sites, by index; those that follow the market with the run's offer cap."""
        cap = self.price_cap
        return tuple(t.with_price_cap(cap) if t.needs_wholesale else t for t in self._own_tariffs)

    @cached_property
    def sources(self) -> Sources:
        """The user's files, opened when needed."""
        points = [t.settlement_point for t in self._own_tariffs if t.settlement_point]
        return Sources(self.files, self.settings, self.zone, points[0] if points else None)

    @cached_property
    def market(self) -> Market:
        """Parameters of generated market prices and of the real-time deviation."""
        return load_model(Market, "markets", self.settings.prices.market)

    @cached_property
    def follows_market(self) -> bool:
        """Whether any price comes from a market or a file."""
        files = self.files.prices is not None or self.files.export_prices is not None
        return files or any(t.needs_wholesale for t in self._own_tariffs)

    @cached_property
    def price_cap(self) -> float:
        """The offer cap that clips market prices: as set, else the file's maximum, else the market's."""
        if (chosen := self.settings.prices.price_cap_usd_per_kwh) is not None:
            return chosen
        tables = [t for t in (self.sources.prices, self.sources.export_prices) if t is not None]
        if tables:
            return max(t.max_usd_per_kwh for t in tables)
        return min(
            [
                self.market.price_cap_usd_per_kwh,
                *(t.price_cap_usd_per_kwh for t in self._own_tariffs if t.price_cap_usd_per_kwh),
            ]
        )

    @cached_property
    def day_ahead_spread(self) -> float:
        """Standard deviation of day-ahead prices within days: the file's, else the market's."""
        grid = self.sources.price_grid
        return self.market.spread_usd_per_kwh if grid is None else grid.spread_usd_per_kwh

    @cached_property
    def highest_import_usd_per_kwh(self) -> float:
        """The highest import price that can ever be in force."""
        return max(
            self.price_cap if self.files.prices and not t.needs_wholesale else t.highest_import_price_usd_per_kwh
            for t in self.tariffs
        )

    @cached_property
    def highest_export_usd_per_kwh(self) -> float:
        """The highest export price that can ever be in force."""
        if self.files.export_prices:
            return self.price_cap
        return max(
            self.price_cap if self.files.prices and not t.needs_wholesale else t.highest_export_price_usd_per_kwh
            for t in self.tariffs
        )

    @cached_property
    def programme(self) -> Programme | None:
        """The programme, if any."""
        if self.settings.programme.name == "none":
            return None
        from .programmes import load_programme

        return load_programme(self.settings.programme.name)

    @cached_property
    def emission_model(self) -> EmissionModel | None:
        """The emission model, if emissions are on."""
        chosen = self.settings.emissions
        return load_model(EmissionModel, "emissions", chosen.market) if chosen.enabled else None

    @cached_property
    def port_site(self) -> IntArray:
        """The meter of each port, `(N,)`."""
        per_site = self.settings.fleet.ports_per_site or self.settings.ports
        return np.arange(self.settings.ports, dtype=np.int64) // per_site

    @cached_property
    def ports_of_site(self) -> IntArray:
        """Ports behind each meter, `(S,)`."""
        return np.bincount(self.port_site)

    @cached_property
    def site_tariff(self) -> IntArray:
        """Tariff of each meter in the stated shares, `(S,)`."""
        share = np.array(list(self._tariff_shares.values()))
        return spread(share, self.settings.n_sites)

    @cached_property
    def highest_emission_kg_per_kwh(self) -> float:
        """The highest emission rate that can ever be in force; 0 without data."""
        if not self.settings.emissions.enabled:
            return 0.0
        if (table := self.sources.emissions) is not None:
            return float(table.moer_kg_per_kwh.max())
        return self.emission_model.highest_kg_per_kwh if self.emission_model else 0.0

    @cached_property
    def money(self) -> Money:
        """The run's constants, with the bound of contracts 3."""
        programme = self.programme
        highest = Highest(
            import_usd_per_kwh=self.highest_import_usd_per_kwh,
            export_usd_per_kwh=self.highest_export_usd_per_kwh,
            programme_usd_per_kwh=programme.rate_usd_per_kwh if programme else 0.0,
            emission_kg_per_kwh=self.highest_emission_kg_per_kwh,
            demand_usd_per_kw=highest_demand_usd_per_kw(self.tariffs),
        )
        s = self.settings
        return run_money(s.money, least_unserved_usd_per_kwh(highest, s.money, self.fleet, s.days, s.interval_minutes))

    @cached_property
    def dates(self) -> int:
        """Number of dates in the period."""
        return (self.settings.period_last - self.settings.period_first).days + 1

    @cached_property
    def frame(self) -> Callable[[date], Frame]:
        """`frame(date)`: what that date fixes by itself; the dates of a year are kept."""
        return lru_cache(maxsize=FRAMES)(self._make_frame)

    def _make_frame(self, day: date) -> Frame:
        s = self.settings
        start = datetime(day.year, day.month, day.day, s.start_hour, tzinfo=self.zone)
        times = StepTimes(start, s.interval_minutes, s.n_times)
        feeder_in, feeder_out = feeder_limits_kw(s, times)
        nothing = np.full(times.count, np.nan)
        return Frame(
            times=times,
            site_import_limit_kw=site_import_limit_kw(s, times, self.ports_of_site),
            site_export_limit_kw=site_export_limit_kw(s, times, self.ports_of_site),
            feeder_import_limit_kw=feeder_in,
            feeder_export_limit_kw=feeder_out,
            demand_rate_usd_per_kw=np.array([t.demand_rate_usd_per_kw(day) for t in self.tariffs]),
            import_usd_per_kwh=np.stack(
                [nothing if t.needs_wholesale else t.import_price_usd_per_kwh(times) for t in self.tariffs]
            ),
            export_usd_per_kwh=np.stack(
                [nothing if t.needs_wholesale else t.export_price_usd_per_kwh(times) for t in self.tariffs]
            ),
        )

    @cached_property
    def _own_tariffs(self) -> tuple[Tariff, ...]:
        return tuple(load_tariff(name) for name in self._tariff_shares)

    @cached_property
    def _tariff_shares(self) -> dict[str, float]:
        tariff = self.settings.site.tariff
        return {tariff: 1.0} if isinstance(tariff, str) else tariff


@lru_cache(maxsize=8)
def _prepared(settings_json: str, files: ScenarioFiles) -> World:
    return World(ScenarioSettings.model_validate_json(settings_json), files)


def prepare(settings: ScenarioSettings, files: ScenarioFiles | None = None) -> World:
    """The preset and the user's files made ready; the last few are kept, so files are read once."""
    return _prepared(settings.model_dump_json(), files or ScenarioFiles())
