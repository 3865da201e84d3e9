"""What a connector told: readings by the time at which they were taken, the newest of each, none of the future."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

FUTURE_S = 30.0
"""By which a station's clock may be ahead; a reading of later than that is dropped, or none after it would count."""

FACTOR = {"kWh": 1.0, "Wh": 1e-3, "kW": 1.0, "W": 1e-3, "Percent": 1e-2, None: None}
USUAL_UNIT = {"Power.Active.Import": "W", "Power.Active.Export": "W", "SoC": "Percent",
              "Energy.Active.Import.Register": "Wh", "Energy.Active.Export.Register": "Wh"}  # fmt: skip
"""What a measurand is in where a message gives no unit."""

LINES = ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N")


class Reading(NamedTuple):
    """A value with the time at which it was taken, Unix seconds."""

    value: float
    at_s: float


NOTHING = Reading(math.nan, -math.inf)


class Needs(NamedTuple):
    """What a car says of itself by ISO 15118, which 2.x hands on; NaN: it does not."""

    departs_s: float = math.nan  # Unix seconds
    asked_kwh: float = math.nan  # at the battery, from when it was said
    capacity_kwh: float = math.nan
    target_soc: float = math.nan
    discharge_kw: float = math.nan  # at most; 0: it cannot


NOTHING_SAID = Needs()


@dataclass
class Connector:
    """What is known of a connector (1.6) or an EVSE (2.x).

    Attributes:
        plugged: 1 a car, 0 none; NaN unknown.
        readings: the newest of each measurand, kW, kWh and shares of 1.
        transaction: that runs; None: none.
        begun_kwh: registers of import minus export at its begin.
        needs: what the car said.
    """

    plugged: Reading = NOTHING
    readings: dict[str, Reading] = field(default_factory=dict)
    transaction: int | str | None = None
    begun_kwh: float = math.nan
    needs: Needs = NOTHING_SAID

    def tell_plugged(self, plugged: float, at_s: float, now_s: float) -> bool:
        """Take in whether a car is there; returns whether another one may be there now."""
        if not _usable(at_s, now_s) or at_s < self.plugged.at_s:
            return False
        gone = plugged == 0.0 and self.plugged.value != 0.0
        self.plugged = Reading(plugged, at_s)
        if gone:
            self.forget_car()
        return gone

    def forget_car(self) -> None:
        """The car has gone, and with it all that was known of it."""
        self.readings.clear()
        self.transaction = None
        self.begun_kwh, self.needs = math.nan, NOTHING_SAID

    def begin(self, transaction: int | str, register_kwh: float) -> None:
        """A transaction has begun."""
        self.transaction, self.begun_kwh = transaction, register_kwh

    def take(self, values: Iterable[Mapping[str, Any]], now_s: float) -> None:
        """Take in meter values as messages hold them, `{timestamp, sampled_value: [...]}`; repeats change nothing."""
        for value in values:
            at_s = seconds_of(value.get("timestamp"))
            if not _usable(at_s, now_s):
                continue
            for name, number in _measured(value.get("sampled_value", [])).items():
                if at_s >= self.readings.get(name, NOTHING).at_s:
                    self.readings[name] = Reading(number, at_s)

    @property
    def power_kw(self) -> Reading:
        """Import minus export, as old as the older of both."""
        drawn, given = (self.readings.get(f"Power.Active.{way}", NOTHING) for way in ("Import", "Export"))
        if math.isnan(drawn.value) or math.isnan(given.value):
            return drawn if math.isnan(given.value) else Reading(-given.value, given.at_s)
        return Reading(drawn.value - given.value, min(drawn.at_s, given.at_s))

    @property
    def soc(self) -> Reading:
        """State of charge."""
        return self.readings.get("SoC", NOTHING)

    @property
    def moved_kwh(self) -> float:
        """Import minus export since the begin of the transaction, at the meter; NaN unknown."""
        drawn, given = (
            self.readings.get(f"Energy.Active.{way}.Register", NOTHING).value for way in ("Import", "Export")
        )
        return drawn - (0.0 if math.isnan(given) else given) - self.begun_kwh


def seconds_of(text: Any) -> float:
    """Unix seconds of a message's time; NaN where it is none, or has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return math.nan
    return math.nan if moment.tzinfo is None else moment.timestamp()


def _usable(at_s: float, now_s: float) -> bool:
    return at_s <= now_s + FUTURE_S


def _measured(samples: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """The values of one moment by measurand; lines are summed where no total is told."""
    totals: dict[str, float] = {}
    lines: dict[str, dict[str, float]] = {}
    for sample in samples:
        name = sample.get("measurand") or "Energy.Active.Import.Register"
        number = _number(sample, name)
        if math.isnan(number):
            continue
        if (phase := sample.get("phase")) in LINES:
            lines.setdefault(name, {})[phase[:2]] = number
        elif phase is None:
            totals[name] = number
    return {name: sum(parts.values()) for name, parts in lines.items()} | totals


def _number(sample: Mapping[str, Any], name: str) -> float:
    """A sample in kW, kWh or a share; NaN where it is none of them."""
    unit = sample.get("unit")
    given = sample.get("unit_of_measure") or {}
    unit = given.get("unit", unit) or USUAL_UNIT.get(name)
    factor = FACTOR.get(unit)
    if factor is None or name not in USUAL_UNIT:
        return math.nan
    try:
        number = float(sample.get("value", math.nan)) * factor * 10.0 ** int(given.get("multiplier") or 0)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def needs_of(told: Mapping[str, Any]) -> Needs:
    """The `chargingNeeds` of a message; 2.1 tells more of them than 2.0.1."""
    parameters = {way: told.get(f"{way}_charging_parameters") or {} for way in ("ac", "dc", "v2x")}
    ac, dc, v2x = parameters.values()
    asked_wh = _first(v2x.get("ev_target_energy_request"), dc.get("energy_amount"), ac.get("energy_amount"))
    can = "BPT" in str(told.get("requested_energy_transfer", ""))
    return Needs(
        departs_s=seconds_of(told.get("departure_time")),
        asked_kwh=asked_wh / 1000.0,
        capacity_kwh=_first(dc.get("ev_energy_capacity")) / 1000.0,
        target_soc=_first(v2x.get("target_soc")) / 100.0,
        discharge_kw=_first(v2x.get("max_discharge_power")) / 1000.0 if can else 0.0,
    )


def _first(*numbers: Any) -> float:
    """The first that was told; NaN where none was."""
    return next((float(number) for number in numbers if number is not None), math.nan)
