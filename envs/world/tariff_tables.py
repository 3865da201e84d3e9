"""The pieces of a tariff: periods, seasons and export credits, as tables by month, day type and quarter."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from .calendar import StepTimes
from .records import Date, Month, Pair, Part, Price, Rows
from .scenario import FloatArray

SLOT_MINUTES = 15
SLOTS_PER_HOUR = 60 // SLOT_MINUTES
SLOTS_PER_DAY = 24 * SLOTS_PER_HOUR
DAY_TYPES: dict[str, tuple[int, ...]] = {"all": (0, 1), "weekday": (0,), "weekend": (1,)}
DAY_NAMES = ("weekday", "weekend")

Hour = Annotated[float, Field(ge=0, le=24)]


class Period(Part):
    """Hours of the wall clock that share a price; `hours` are half-open ranges on the quarter hour."""

    name: str
    days: Literal["all", "weekday", "weekend"] = "all"
    hours: Rows[Pair[Hour]]
    usd_per_kwh: Price

    @field_validator("hours")
    @classmethod
    def _ranges(cls, hours: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        for start, end in hours:
            if start >= end:
                raise ValueError(
                    f"hours [{start:g}, {end:g}] end before they start; split at midnight: [[21, 24], [0, 6]]"
                )
            if (start * SLOTS_PER_HOUR) % 1 or (end * SLOTS_PER_HOUR) % 1:
                raise ValueError(f"hours [{start:g}, {end:g}] are off the quarter hour; use multiples of 0.25")
        return hours


class Season(Part):
    """Months with one set of periods and one demand rate ($/kW of the billing month's peak)."""

    name: str
    months: Rows[Month] = Field(min_length=1)
    demand_usd_per_kw: float = Field(default=0.0, ge=0, le=200)
    periods: Rows[Period] = Field(min_length=1)

    @cached_property
    def table_usd_per_kwh(self) -> FloatArray:
        """Price by day type (weekday, weekend) and quarter hour, `(2, 96)`.

        Raises:
            ValueError: an hour is covered twice or not at all.
        """
        table = np.full((2, SLOTS_PER_DAY), np.nan)
        for period in self.periods:
            for day in DAY_TYPES[period.days]:
                for start, end in period.hours:
                    slots = table[day, round(start * SLOTS_PER_HOUR) : round(end * SLOTS_PER_HOUR)]
                    if not np.isnan(slots).all():
                        raise ValueError(
                            f"season {self.name!r}: period {period.name!r} covers {DAY_NAMES[day]} hours in "
                            f"[{start:g}, {end:g}] that another period has; every hour belongs to exactly one"
                        )
                    slots[:] = period.usd_per_kwh
        self._refuse_gaps(table)
        return table

    def _refuse_gaps(self, table: FloatArray) -> None:
        for day, name in enumerate(DAY_NAMES):
            missing = np.flatnonzero(np.isnan(table[day]))
            if len(missing):
                hour = missing[0] / SLOTS_PER_HOUR
                raise ValueError(
                    f"season {self.name!r}: no period covers {hour:g} h of a {name}; every hour belongs to exactly one"
                )


class NoExport(Part):
    """Export is not paid."""

    kind: Literal["none"] = "none"


class NetBilling(Part):
    """Export credits by month, day type and hour, from an avoided-cost table; `(12, 24)` each."""

    kind: Literal["net_billing"] = "net_billing"
    title: str = Field(min_length=1)
    effective: Date
    source: str = Field(min_length=1)
    note: str = ""
    eligible_plans: Rows[str] = Field(min_length=1)  # import plans that the utility pairs with these credits
    weekday_usd_per_kwh: Rows[Rows[Price]]
    weekend_usd_per_kwh: Rows[Rows[Price]]

    @field_validator("weekday_usd_per_kwh", "weekend_usd_per_kwh")
    @classmethod
    def _shape(cls, rows: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        lengths = [len(row) for row in rows]
        if lengths != [24] * 12:
            raise ValueError(f"rows have lengths {lengths}; give 12 rows (January first) of 24 hourly prices")
        return rows

    @cached_property
    def table_usd_per_kwh(self) -> FloatArray:
        """Credit by month, day type and quarter hour, `(12, 2, 96)`."""
        hourly = np.array([self.weekday_usd_per_kwh, self.weekend_usd_per_kwh]).transpose(1, 0, 2)
        return np.repeat(hourly, SLOTS_PER_HOUR, axis=2)


class PassThroughExport(Part):
    """Export paid at a share of the wholesale price, charged where that is negative; without delivery."""

    kind: Literal["pass_through"] = "pass_through"
    share: float = Field(default=1.0, gt=0, le=1)


Export = Annotated[NoExport | NetBilling | PassThroughExport, Field(discriminator="kind")]


def look_up(table: FloatArray, times: StepTimes) -> FloatArray:
    """Mean of a `(12, 2, 96)` table over each step, by wall clock; an hour may hold two prices."""
    slots = max(1, times.interval_minutes // SLOT_MINUTES)
    fine = times if slots == 1 else StepTimes(times.start, SLOT_MINUTES, times.count * slots)
    slot = (fine.local_hour * SLOTS_PER_HOUR).astype(np.int64)
    prices = table[fine.month - 1, fine.is_weekend.astype(np.int64), slot]
    return np.asarray(prices.reshape(times.count, slots).mean(axis=1), dtype=np.float64)
