"""Tariffs: dated prices of import, export and demand, read from files and laid over the steps of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from ...configs.load import load_model
from .calendar import StepTimes, time_zone
from .records import UNIT_SLIP_USD_PER_KWH, Price, Record, Rows
from .scenario import FloatArray
from .tariff_tables import SLOTS_PER_DAY, Export, NetBilling, NoExport, PassThroughExport, Season, look_up


class Tariff(Record):
    """One plan of one utility: what a kWh costs and earns at every step, and what a peak kW costs.

    `time_of_use` prices come from `seasons`; `pass_through` prices are wholesale at `settlement_point` plus
    `delivery_usd_per_kwh`. Only the pairs of import and export in `permitted_exports` are valid.
    """

    utility: str
    plan: str  # the utility's own name of the plan
    timezone: str
    kind: Literal["time_of_use", "pass_through"]
    fixed_usd_per_day: float = Field(default=0.0, ge=0, le=100)
    seasons: Rows[Season] = ()
    settlement_point: str | None = None
    delivery_usd_per_kwh: Price = 0.0
    price_cap_usd_per_kwh: Price | None = None  # the market's offer cap on the wholesale price
    demand_usd_per_kw: float = Field(default=0.0, ge=0, le=200)  # of a pass-through tariff; seasons have their own
    permitted_exports: Rows[Literal["none", "net_billing", "pass_through"]] = ("none",)
    export: Export = NoExport()

    @field_validator("timezone")
    @classmethod
    def _zone(cls, name: str) -> str:
        time_zone(name)
        return name

    @model_validator(mode="before")
    @classmethod
    def _valid_pair(cls, data: object) -> object:
        # Before the fields: of all that is wrong with an export that the plan forbids, the pair is named.
        if isinstance(data, dict) and isinstance(data.get("export"), dict):
            kind = data["export"].get("kind")
            permitted = data.get("permitted_exports", ["none"])
            if isinstance(kind, str) and isinstance(permitted, list | tuple) and kind not in permitted:
                raise ValueError(
                    f"{data.get('name')!r} cannot be paired with export {kind!r}; its plan permits "
                    f"{', '.join(map(str, permitted))}: choose another tariff by its `permitted_exports`"
                )
        return data

    @model_validator(mode="after")
    def _consistent(self) -> Tariff:
        if self.kind == "time_of_use":
            self._check_time_of_use()
        else:
            self._check_pass_through()
        if isinstance(self.export, NetBilling) and self.plan not in self.export.eligible_plans:
            raise ValueError(
                f"plan {self.plan!r} cannot be paid {self.export.title!r}; "
                f"that needs {', '.join(self.export.eligible_plans)}"
            )
        if self.needs_wholesale and self.price_cap_usd_per_kwh is None:
            raise ValueError("price_cap_usd_per_kwh is missing; a price that follows the market names its offer cap")
        return self

    def _check_time_of_use(self) -> None:
        months = sorted(month for season in self.seasons for month in season.months)
        if months != list(range(1, 13)):
            raise ValueError(f"the seasons have months {months}; every month 1 to 12 belongs to exactly one season")
        for season in self.seasons:
            _ = season.table_usd_per_kwh  # refuses gaps and overlaps now, not at the first use
        if self.demand_usd_per_kw:
            raise ValueError("demand_usd_per_kw stands at the top of a time_of_use tariff; put it into its seasons")

    def _check_pass_through(self) -> None:
        if self.seasons:
            raise ValueError("a pass_through tariff has no seasons; drop them or set kind = 'time_of_use'")
        if not self.settlement_point:
            raise ValueError("settlement_point is missing; name the price that is passed through, e.g. 'LZ_HOUSTON'")

    @property
    def needs_wholesale(self) -> bool:
        """Whether a price follows the wholesale market, so that it is unknown before publication."""
        return self.kind == "pass_through" or isinstance(self.export, PassThroughExport)

    @cached_property
    def import_table_usd_per_kwh(self) -> FloatArray:
        """Time-of-use price by month, day type (weekday, weekend) and quarter hour, `(12, 2, 96)`."""
        table = np.empty((12, 2, SLOTS_PER_DAY))
        for season in self.seasons:
            for month in season.months:
                table[month - 1] = season.table_usd_per_kwh
        return table

    def import_price_usd_per_kwh(self, times: StepTimes, wholesale_usd_per_kwh: FloatArray | None = None) -> FloatArray:
        """Price of a kWh taken from the grid at each step, `(L,)`.

        Raises:
            ValueError: the tariff follows the market and the wholesale prices are missing, of another length,
                not finite, or above the cap.
        """
        if self.kind == "time_of_use":
            return look_up(self.import_table_usd_per_kwh, times)
        return self._wholesale(times, wholesale_usd_per_kwh) + self.delivery_usd_per_kwh

    def export_price_usd_per_kwh(self, times: StepTimes, wholesale_usd_per_kwh: FloatArray | None = None) -> FloatArray:
        """Price paid for a kWh given to the grid at each step, `(L,)`; raises as the import price does."""
        if isinstance(self.export, NetBilling):
            return look_up(self.export.table_usd_per_kwh, times)
        if isinstance(self.export, PassThroughExport):
            return self.export.share * self._wholesale(times, wholesale_usd_per_kwh)
        return np.zeros(times.count)

    def _wholesale(self, times: StepTimes, prices: FloatArray | None) -> FloatArray:
        if prices is None:
            raise ValueError(f"tariff {self.name!r} follows {self.settlement_point}; give its wholesale prices")
        values = np.asarray(prices, dtype=np.float64)
        if values.shape != (times.count,):
            raise ValueError(f"wholesale prices have shape {values.shape}; give one per step, ({times.count},)")
        if not np.isfinite(values).all():
            raise ValueError("wholesale prices hold NaN or infinity; fill or refuse gaps before they reach a tariff")
        cap = self.price_cap_usd_per_kwh
        assert cap is not None  # checked with needs_wholesale
        if values.size and values.max() > cap + 1e-9:
            slip = " (it looks like $/MWh: divide by 1,000)" if values.max() > UNIT_SLIP_USD_PER_KWH else ""
            raise ValueError(
                f"wholesale price {values.max():g} $/kWh is above the cap {cap:g}{slip}; clip it, or "
                "give the tariff the cap of its price file: with_price_cap"
            )
        return values

    def with_price_cap(self, usd_per_kwh: float) -> Tariff:
        """The same tariff on a market with another offer cap, e.g. the maximum of a price file."""
        return Tariff.model_validate({**dict(self), "price_cap_usd_per_kwh": float(usd_per_kwh)})

    def season_of(self, day: date) -> Season | None:
        """The season of a local date; None for a pass-through tariff."""
        return next((season for season in self.seasons if day.month in season.months), None)

    def demand_rate_usd_per_kw(self, day: date) -> float:
        """Demand charge of the billing month in which that local date lies, $/kW of its peak."""
        season = self.season_of(day)
        return season.demand_usd_per_kw if season else self.demand_usd_per_kw

    @cached_property
    def highest_import_price_usd_per_kwh(self) -> float:
        """The most a kWh from the grid can ever cost: over the whole year, or cap plus delivery."""
        if self.kind == "time_of_use":
            return float(self.import_table_usd_per_kwh.max())
        assert self.price_cap_usd_per_kwh is not None  # checked with needs_wholesale
        return self.price_cap_usd_per_kwh + self.delivery_usd_per_kwh

    @cached_property
    def highest_export_price_usd_per_kwh(self) -> float:
        """The most a kWh to the grid can ever earn: over the whole year, or the share of the cap."""
        if isinstance(self.export, NetBilling):
            return float(self.export.table_usd_per_kwh.max())
        if isinstance(self.export, PassThroughExport):
            return self.export.share * (self.price_cap_usd_per_kwh or 0.0)
        return 0.0

    @property
    def highest_price_usd_per_kwh(self) -> float:
        """The highest of all import and export prices (contracts 1 and 3), never of the day."""
        return max(self.highest_import_price_usd_per_kwh, self.highest_export_price_usd_per_kwh)


def load_tariff(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Tariff:
    """The tariff of that preset name, or of the user's own TOML file.

    Raises:
        ConfigError: no such preset or file, or a figure that a rule of the tariff refuses.
    """
    return load_model(Tariff, "tariffs", name_or_path, overrides)
