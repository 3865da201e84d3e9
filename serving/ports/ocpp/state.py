"""From what chargers told to the tables of a site."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...messages.columns import RequestError
from ...messages.fields import PORT_KEYS, READINGS
from .profiles import Version
from .site import ChargerSettings, OcppSettings
from .telemetry import Connector, Reading

Table = dict[str, Any]

PARAMETERS = (
    "max_charge_kw", "step_kw", "charge_efficiency", "discharge_efficiency", "reserve_soc",
)  # fmt: skip

OURS = ("id", "site", "plugged", "plugged_age_s", "last_setpoint_kw", "last_setpoint_age_s", "max_discharge_kw")
"""Columns that nobody but the chargers can tell."""

AGED = {"soc": "soc_age_s", "power_kw": "power_age_s"}


class Held(NamedTuple):
    """What a charger has accepted."""

    setpoint_kw: float  # NaN: released
    since_s: float
    until_s: float
    transaction: int | str | None


@dataclass(frozen=True)
class Told:
    """What is known of a charger at one moment.

    Args:
        charger: of the settings.
        connector: what it told.
        version: that its station speaks, or spoke last; None: it never came.
        seen_s: when anything was heard of its station.
        held: what it has accepted; None: nothing.
    """

    charger: ChargerSettings
    connector: Connector
    version: Version | None
    seen_s: float
    held: Held | None


def site_document(told: Sequence[Told], settings: OcppSettings, beside: Mapping[str, Any], now_s: float) -> Table:
    """The tables of a site, true now.

    Args:
        told: of every charger.
        settings: of the site.
        beside: tables from elsewhere; its `sites` take the place of those of the settings, its `ports` tell what
            chargers do not: SoC by telematics, what drivers say, overrides, consent.
        now_s: Unix seconds.
    """
    ports = completed(port_columns(told, now_s), beside.get("ports"))
    return {"sites": _sites(settings), **beside, "ports": ports}


def port_columns(told: Sequence[Told], now_s: float) -> Table:
    """The columns of the table `ports`."""
    cars = [one.connector for one in told]
    soc, power = [car.soc for car in cars], [car.power_kw for car in cars]
    plugged = [Reading(0.0, max(one.connector.plugged.at_s, one.seen_s)) for one in told]
    return {
        **{name: [getattr(one.charger, name) for one in told] for name in PARAMETERS},
        "min_charge_kw": [one.charger.least_charge_kw for one in told],
        "id": [one.charger.id for one in told],
        "site": [one.charger.site for one in told],
        "plugged": [_flag(car.plugged.value) for car in cars],
        "plugged_age_s": _ages(plugged, now_s),
        "export_consent": [one.charger.export_consent for one in told],
        "soc": [_or_none(reading.value) for reading in soc],
        "soc_age_s": _ages(soc, now_s),
        "power_kw": [_or_none(reading.value) for reading in power],
        "power_age_s": _ages(power, now_s),
        "need_kwh": [_or_none(_need_kwh(one)) for one in told],
        "departs_in_s": [_or_none(car.needs.departs_s - now_s) for car in cars],
        "target_soc": [_sure(one.connector.needs.target_soc, 0.01, one.charger.target_soc) for one in told],
        "capacity_kwh": [_sure(one.connector.needs.capacity_kwh, 1.0, one.charger.capacity_kwh) for one in told],
        "max_discharge_kw": [_discharge_kw(one) for one in told],
        "last_setpoint_kw": [_or_none(_in_force(one.held, now_s)) for one in told],
        "last_setpoint_age_s": [_stood_s(one.held, now_s) for one in told],
    }


def completed(ports: Table, others: Any) -> Table:
    """The columns with what another table tells of the same ports.

    A reading of the charger's own stands before another's; what drivers and settings say is the other's to change.

    Raises:
        RequestError: a column of the other table has another length than its ids.
    """
    if not isinstance(others, Mapping) or not isinstance(others.get("id"), list):
        return ports
    row = {name: at for at, name in enumerate(others["id"])}
    at = [row.get(name) for name in ports["id"]]
    theirs = {name: _of_rows(column, name, at, len(row)) for name, column in others.items() if name in PORT_KEYS}
    made = dict(ports)
    for name, other in theirs.items():
        if name not in OURS and name not in AGED.values():
            mine = made.get(name, [None] * len(at))
            made[name] = _either(mine, other) if name in READINGS else _either(other, mine)
    for name, age in AGED.items():
        told = theirs.get(age, [None] * len(at))
        made[age] = [b if own is None else a for own, a, b in zip(ports[name], ports[age], told, strict=True)]
    return made


def _of_rows(column: Any, name: str, rows: Sequence[int | None], length: int) -> list[Any]:
    """A column of another table in the order of our ports; None where it tells nothing."""
    if not isinstance(column, list | np.ndarray) or len(column) != length:
        raise RequestError(f"ports.{name}", f"should be a list of {length} rows, as ids make it")
    values = column.tolist() if isinstance(column, np.ndarray) else column
    found = [None if row is None else values[row] for row in rows]
    return [None if isinstance(value, float) and math.isnan(value) else value for value in found]


def _either(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    return [b if a is None else a for a, b in zip(first, second, strict=True)]


def _sites(settings: OcppSettings) -> Table:
    sites = settings.sites
    return {
        "id": [site.id for site in sites],
        "net_load_kw": [site.net_load_kw for site in sites],
        "import_limit_kw": [[site.import_limit_kw] for site in sites],
        "export_limit_kw": [[site.export_limit_kw] for site in sites],
    }


def _flag(value: float) -> bool | None:
    return None if math.isnan(value) else value == 1.0


def _need_kwh(one: Told) -> float:
    """What was asked less what came since, at the battery; NaN where nothing was asked."""
    moved = one.connector.moved_kwh
    came = 0.0 if math.isnan(moved) else moved
    factor = one.charger.charge_efficiency if came > 0.0 else 1.0 / one.charger.discharge_efficiency
    return one.connector.needs.asked_kwh - factor * came


def _discharge_kw(one: Told) -> float:
    """What can be exported: where the version can say it, and the car does not say otherwise."""
    if one.version is not Version.V21:
        return 0.0
    said = one.connector.needs.discharge_kw
    return one.charger.max_discharge_kw if math.isnan(said) else min(said, one.charger.max_discharge_kw)


def _in_force(held: Held | None, now_s: float) -> float:
    return math.nan if held is None or now_s >= held.until_s else held.setpoint_kw


def _stood_s(held: Held | None, now_s: float) -> float | None:
    """How long it has stood; a lease that has ended released its car then."""
    if held is None:
        return None
    return max(now_s - (held.since_s if now_s < held.until_s else held.until_s), 0.0)


def _ages(readings: Sequence[Reading], now_s: float) -> list[float | None]:
    return [max(now_s - reading.at_s, 0.0) if math.isfinite(reading.at_s) else None for reading in readings]


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _sure(told: float, least: float, otherwise: float | None) -> float | None:
    """What the car told, where that can be true."""
    return told if math.isfinite(told) and told >= least else otherwise
