"""What every dated record (tariff, programme, vehicle catalogue) has in common."""

from __future__ import annotations

from datetime import date
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

UNIT_SLIP_USD_PER_KWH = 20.0  # twice the highest offer cap any US market has had ($9/kWh, ERCOT until 2021)

T = TypeVar("T")


def _row(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Rows = Annotated[tuple[T, ...], BeforeValidator(_row)]  # TOML has lists, frozen records want tuples
Pair = Annotated[tuple[T, T], BeforeValidator(_row)]


def _price(value: float) -> float:
    if abs(value) > UNIT_SLIP_USD_PER_KWH:
        raise ValueError(
            f"{value:g} looks like cents or $/MWh; prices are $/kWh, within ±{UNIT_SLIP_USD_PER_KWH:g}: "
            "divide cents by 100, $/MWh by 1,000"
        )
    return value


def _iso(value: object) -> object:
    return date.fromisoformat(value) if isinstance(value, str) else value


Date = Annotated[date, BeforeValidator(_iso)]
Price = Annotated[float, Field(allow_inf_nan=False), AfterValidator(_price)]  # $/kWh
Month = Annotated[int, Field(ge=1, le=12)]


class Part(BaseModel):
    """A strict, frozen piece of a record: unknown keys are refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Record(Part):
    """A dated record with a source: data that somebody else can check."""

    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    effective: Date
    source: str = Field(min_length=1)  # where the figures were read
    note: str = ""  # what is assumed, constructed or left out
