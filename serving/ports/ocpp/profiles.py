"""A leased set-point as a charging profile of OCPP 1.6, 2.0.1 or 2.1, as plain tables with the fields' own names.

Export can be said in 2.1 alone, as a V2X period in the mode `CentralSetpoint` (2.1, Q03); before that a limit has no
sign, so an export is refused and never turned into a charge. A limit of 0 stays a limit of 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal


class Version(StrEnum):
    """Of OCPP."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"


STACK_LEVEL = 5
"""Above a station's own default profiles, which lie at 0, so that those rule again when this one has ended."""

CLOCK_MARGIN_S = 300
"""A profile begins so long before it is sent, so that a station whose clock is behind obeys at once."""

ROUNDING = 1e-6
PURPOSE = "TxProfile"

Table = dict[str, Any]


class Unsayable(ValueError):
    """A set-point that this version has no words for."""


@dataclass(frozen=True)
class Outlet:
    """Where a set-point goes.

    Args:
        version: that the station speaks.
        connector: number of the connector (1.6) or the EVSE (2.x), which is also the profile's.
        unit: in which the station takes limits.
        voltage_v: phase to neutral; for limits in A.
        phases: that the charger uses; for limits in A.
    """

    version: Version
    connector: int
    unit: Literal["W", "A"] = "W"
    voltage_v: float = 230.0
    phases: int = 1


def charging_profile(
    outlet: Outlet, setpoint_kw: float, sent_s: float, until_s: float, transaction: int | str
) -> Table:
    """The profile of a set-point, which ends with its lease.

    Args:
        outlet: where it goes.
        setpoint_kw: at the grid side, positive = import.
        sent_s: when it is sent, Unix seconds.
        until_s: the end of the lease, Unix seconds.
        transaction: of the car.

    Raises:
        Unsayable: the version cannot say it.
        ValueError: it is no number, or its lease has ended.
    """
    if not math.isfinite(setpoint_kw) or until_s <= sent_s:
        raise ValueError(f"a set-point of {setpoint_kw} kW until {until_s - sent_s:.0f} s from now cannot be sent")
    begin_s = math.floor(sent_s) - CLOCK_MARGIN_S
    schedule: Table = {
        "start_schedule": _time(begin_s),
        "duration": max(math.floor(until_s) - begin_s, 1),
        "charging_rate_unit": outlet.unit,
        "charging_schedule_period": [{"start_period": 0, **_period(outlet, setpoint_kw)}],
    }
    common: Table = {
        "stack_level": STACK_LEVEL,
        "charging_profile_purpose": PURPOSE,
        "charging_profile_kind": "Absolute",
        "valid_to": _time(math.floor(until_s)),
        "transaction_id": transaction,
    }
    if outlet.version is Version.V16:
        return {"charging_profile_id": outlet.connector, "charging_schedule": schedule, **common}
    schedule["id"] = outlet.connector
    if outlet.version is Version.V21:
        # Cut off from us, a station ends the lease by its own count of time as well.
        common |= {"max_offline_duration": max(math.ceil(until_s - sent_s), 1), "invalid_after_offline_duration": True}
    return {"id": outlet.connector, "charging_schedule": [schedule], **common}


def _period(outlet: Outlet, setpoint_kw: float) -> Table:
    amount = _amount(outlet, abs(setpoint_kw))
    if setpoint_kw < 0.0 and amount > 0.0:
        if outlet.version is not Version.V21:
            raise Unsayable(f"OCPP {outlet.version} cannot say an export")
        # With a set-point below 0 and nothing else: a limit beside it would be one of charging.
        return {"operation_mode": "CentralSetpoint", "setpoint": -amount}
    period: Table = {"limit": amount}
    if outlet.unit == "A":
        period["number_phases"] = outlet.phases
    if outlet.version is Version.V21:
        period["operation_mode"] = "ChargingOnly"
    return period


def _amount(outlet: Outlet, power_kw: float) -> float:
    """W or A in the steps of 0.1 that messages have, rounded towards 0: no limit of a site is passed by rounding."""
    watts = 1000.0 * power_kw
    amount = watts / (outlet.voltage_v * outlet.phases) if outlet.unit == "A" else watts
    return math.floor(10.0 * amount + ROUNDING) / 10.0


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
