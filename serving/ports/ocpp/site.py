"""What an OCPP site's settings file says: who may connect, and what no charger tells of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ....configs.load import load_model
from ....envs.world.settings import NotNegative, Positive, Section, Share
from .profiles import Outlet, Version

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9*_.|@-]+$")]


LEAST_A = 6.0


class ChargerSettings(Section):
    """One connector (1.6) or EVSE (2.x) and the car that it is taken for."""

    id: Name  # of the port, in requests and answers
    station: Name  # the identity by which it connects
    connector: Annotated[int, Field(ge=1, le=1000)] = 1
    site: Name = "site"
    unit: Literal["W", "A"] = "W"
    voltage_v: Annotated[float, Field(ge=100, le=1000)] = 230.0
    phases: Annotated[int, Field(ge=1, le=3)] = 1
    max_charge_kw: Positive
    max_discharge_kw: NotNegative = 0.0  # counts where the station speaks 2.1
    min_charge_kw: NotNegative | None = None  # None: 6 A on all its phases
    step_kw: NotNegative = 0.0
    capacity_kwh: Positive  # where the car does not tell its own
    charge_efficiency: Annotated[float, Field(ge=0.5, le=1.0)] = 0.9
    discharge_efficiency: Annotated[float, Field(ge=0.5, le=1.0)] = 0.9
    export_consent: bool = False
    target_soc: Annotated[float, Field(gt=0.0, le=0.995)] | None = None  # None: the service's default
    reserve_soc: Share = 0.3

    @property
    def least_charge_kw(self) -> float:
        """Below it the charger pauses (IEC 61851)."""
        return LEAST_A * self.voltage_v * self.phases / 1000.0 if self.min_charge_kw is None else self.min_charge_kw

    def outlet(self, version: Version) -> Outlet:
        """Where its set-points go."""
        return Outlet(version, self.connector, self.unit, self.voltage_v, self.phases)


class StationSettings(Section):
    """A station that may connect with a password (OCPP security profile 1)."""

    id: Name
    password_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SiteSettings(Section):
    """Limits of one meter; `state.json` of the folder `tables` stands above them, as series."""

    id: Name = "site"
    import_limit_kw: Positive | None = None
    export_limit_kw: NotNegative | None = None
    net_load_kw: float = 0.0


class OcppSettings(Section):
    """A whole file."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9000
    heartbeat_s: Annotated[int, Field(ge=10, le=86400)] = 300
    answer_s: Positive = 10.0  # that a station may take to answer
    id_tags: tuple[str, ...] = ()  # who may charge; empty: everybody
    tables: Path | None = None  # folder with a `state.json` whose other tables stand beside the chargers' own
    stations: tuple[StationSettings, ...] = ()
    sites: tuple[SiteSettings, ...] = (SiteSettings(),)
    chargers: Annotated[tuple[ChargerSettings, ...], Field(min_length=1)]

    @field_validator("chargers")
    @classmethod
    def _each_once(cls, chargers: tuple[ChargerSettings, ...]) -> tuple[ChargerSettings, ...]:
        for what, names in (
            ("id", [one.id for one in chargers]),
            ("station and connector", [f"{one.station} {one.connector}" for one in chargers]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} stands twice; each charger has its own")
        return chargers

    @model_validator(mode="after")
    def _known_sites(self) -> OcppSettings:
        sites = {site.id for site in self.sites}
        for charger in self.chargers:
            if charger.site not in sites:
                raise ValueError(f"charger {charger.id!r} names site {charger.site!r}; the file has {', '.join(sites)}")
        return self

    def password_of(self, station: str) -> str | None:
        """SHA-256 of a station's password; None: it needs none."""
        return next((one.password_sha256 for one in self.stations if one.id == station), None)


def load_site(file: Path) -> OcppSettings:
    """The settings of a site.

    Raises:
        ConfigError: the file cannot be read, or breaks a rule.
    """
    return load_model(OcppSettings, "serving", file)
