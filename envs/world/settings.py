"""What a scenario preset may say: every key, its unit, its default and its rule.

A preset is a TOML file; every key can be overridden (`--set feeder.import_limit_kw=120`). Limits and
loads that belong to the fleet are given per port, so that `--set ports=60` scales them; an absolute
figure wins where given.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from .calendar import time_zone
from .vehicles import Charger

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Hour = Annotated[float, Field(ge=0.0, le=24.0)]
Window = Annotated[tuple[Hour, Hour], Strict(False)]
Months = Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Strict(False)]
Socs = Annotated[tuple[Annotated[float, Field(gt=0.0, le=0.995)], ...], Strict(False), Field(min_length=1)]
Shares = Annotated[tuple[NotNegative, ...], Strict(False), Field(min_length=1)]
Limit = Positive | Literal["none"]


class Section(BaseModel):
    """A strict, frozen table of settings that refuses unknown keys."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class ChargerChoice(Charger):
    """One kind of charger and its share of the ports of its kind, one-way or bidirectional."""

    share: Share = 1.0
    bidirectional: bool = False


class FleetSettings(Section):
    """Cars and chargers."""

    ports_per_site: Annotated[int, Field(ge=0)] = 1  # 0: every port behind one meter
    catalogue: str = "us-2026"
    chargers: Annotated[dict[str, ChargerChoice], Field(min_length=1)]  # by name
    v2g_share: Share = 0.0  # of the ports: a bidirectional charger, used by cars that can export
    soc_unknown_share: Share = 0.0  # of the stays: J1772 tells no SoC
    export_consent_share: Share = 1.0  # of the drivers of bidirectional cars
    reserve_soc: Share = 0.3  # no export below
    min_soc: Share = 0.2  # charges at once below
    target_socs: Socs = (0.8, 0.9, 0.995)  # what drivers want, in the shares below
    target_shares: Shares = (0.35, 0.4, 0.25)

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if len(self.target_socs) != len(self.target_shares) or not sum(self.target_shares) > 0:
            raise ValueError(f"target_shares is {self.target_shares}; give one share to each of {self.target_socs}")
        for wanted, both_ways in ((1.0 - self.v2g_share, False), (self.v2g_share, True)):
            share = sum(c.share for c in self.chargers.values() if c.bidirectional is both_ways)
            if wanted > 0 and not share > 0:
                raise ValueError(
                    f"v2g_share is {self.v2g_share:g} but no charger with bidirectional = "
                    f"{str(both_ways).lower()} has a share; add one, or change v2g_share"
                )
        return self


class BehaviourSettings(Section):
    """When cars come and go and what they need; the figures stand in the profile."""

    kind: Literal["home", "workplace"] = "home"  # home: each port has its own car; workplace: any free port
    profile: str = "elaad-home"
    sessions_per_port_day: Annotated[float, Field(ge=0.0, le=6.0)] = 0.8
    weekend_sessions_per_port_day: Annotated[float, Field(ge=0.0, le=6.0)] = 0.8
    misreport: Literal["off", "acn"] = "off"
    # Drivers who say anything, and under `acn` no more than in the profile; the others get the defaults.
    claimed_share: Share = 1.0
    default_stay_h: Positive = 8.0
    default_target_soc: Annotated[float, Field(gt=0.0, le=0.995)] = 0.8


class SiteSettings(Section):
    """What lies behind a meter."""

    tariff: str | dict[str, Share] = "sdge-ev-tou-5"  # a name, or names with their shares of the sites
    panel_kw: Limit = "none"
    panel_kw_per_port: Limit = "none"
    transformer_kw: Limit = "none"
    transformer_kw_per_port: Limit = "none"
    transformer_hot_share: Share = 1.0  # of its rating in hot hours
    transformer_hot_local_hours: Window = (13.0, 20.0)
    transformer_hot_months: Months = (6, 7, 8, 9)
    export_limit_kw: Limit = "none"
    export_limit_kw_per_port: Limit = "none"
    base_load: Literal["home", "workplace", "none"] = "home"
    base_load_kwh_per_day: NotNegative = 25.0  # of a site; ignored where per port is given
    base_load_kwh_per_day_per_port: NotNegative = 0.0
    pv_share: Share = 0.0  # of the sites
    pv_kw: NotNegative = 6.0  # of a site that has it
    fixed_charge_by_cars: bool = False  # True: the meter is there for the cars alone


class FeederSettings(Section):
    """The shared line above the meters."""

    import_limit_kw: Limit = "none"
    import_limit_kw_per_port: Limit = "none"
    export_limit_kw: Limit = "none"
    export_limit_kw_per_port: Limit = "none"
    other_load_kw_per_port: NotNegative = 0.0  # mean of what others draw from the feeder


class PriceSettings(Section):
    """Market prices; they matter where a tariff passes them through."""

    kind: Literal["day_ahead", "real_time"] = "day_ahead"
    market: str = "caiso-sp15"  # parameters of the generator
    published_local_hour: Hour = 13.0
    price_cap_usd_per_kwh: Positive | None = None  # None: the market's


class ProgrammeSettings(Section):
    """The payment programme the fleet is enrolled in."""

    name: str = "none"


class EmissionSettings(Section):
    """Marginal emissions."""

    enabled: bool = True
    market: str = "caiso"
    issued_h: Annotated[float, Field(ge=0.0, le=24.0)] = 3.0  # reach of each issued forecast


class MoneySettings(Section):
    """Prices of a run that are no market's (contracts 3 and 4)."""

    unserved_usd_per_kwh: Positive | None = None  # None: the least allowed, and at least 2
    early_leave_usd_per_kwh: NotNegative = 0.60
    overload_usd_per_kwh: NotNegative | None = None  # None: as unserved
    carbon_usd_per_kg: NotNegative = 0.0
    wear_usd_per_kwh: NotNegative = 0.02
    calendar_wear_usd_per_kwh: NotNegative = 0.0
    billing_peak_kw: NotNegative = 0.0  # the bill's peak so far this month, each site


class ReserveSettings(Section):
    """What the look-ahead keeps back for the unknown; a setting with a measured price."""

    headroom_factor: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    expected_arrivals_factor: Annotated[float, Field(ge=0.0, le=3.0)] = 1.0


class ScenarioSettings(Section):
    """A whole scenario preset."""

    name: str
    description: str
    timezone: str
    start_hour: Annotated[int, Field(ge=0, le=23)] = 12
    days: Annotated[int, Field(ge=1, le=14)] = 1
    interval_minutes: Literal[5, 15, 60] = 15
    lookahead_hours: Annotated[int, Field(ge=1, le=48)] = 24
    period_first: date
    period_last: date
    ports: Annotated[int, Field(ge=1, le=1_000_000)] = 25
    fleet: FleetSettings
    behaviour: BehaviourSettings = BehaviourSettings()
    site: SiteSettings = SiteSettings()
    feeder: FeederSettings = FeederSettings()
    prices: PriceSettings = PriceSettings()
    programme: ProgrammeSettings = ProgrammeSettings()
    emissions: EmissionSettings = EmissionSettings()
    money: MoneySettings = MoneySettings()
    reserve: ReserveSettings = ReserveSettings()
    peaker_window_local_hours: Window = (17.0, 21.0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        time_zone(self.timezone)
        if self.period_first > self.period_last:
            raise ValueError(f"period_first {self.period_first} lies after period_last {self.period_last}; swap them")
        return self

    @property
    def n_steps(self) -> int:
        """T, the steps of an episode."""
        return self.days * 24 * 60 // self.interval_minutes

    @property
    def n_times(self) -> int:
        """L = T + H, with the look-ahead."""
        return self.n_steps + self.lookahead_hours * 60 // self.interval_minutes

    @property
    def n_sites(self) -> int:
        """S, the meters."""
        per_site = self.fleet.ports_per_site or self.ports
        return -(-self.ports // per_site)


def limit_kw(absolute: float | str, per_port: float | str, ports: int) -> float:
    """The limit in kW: the absolute figure where given, else per port times ports, else infinite."""
    if absolute != "none":
        return float(absolute)
    return float("inf") if per_port == "none" else float(per_port) * ports
