"""Which car stands at which charger: the catalogue crossed with the fleet's chargers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scenario import FloatArray, IntArray
from .settings import FleetSettings
from .vehicles import load_catalogue, session_parameters

COLUMNS = (
    "capacity_kwh",
    "taper_soc",
    "battery_accept_kw",
    "max_charge_kw",
    "max_discharge_kw",
    "min_charge_kw",
    "min_discharge_kw",
    "step_kw",
    "charge_efficiency",
    "discharge_efficiency",
    "fixed_loss_kw",
)


@dataclass(frozen=True)
class FleetTable:
    """Session parameters of every charger (K) and car (M).

    Attributes:
        columns: name -> `(K, M)`.
        cumulative: `(K, M)` cumulative shares of the cars that use the charger.
        one_way_share, both_ways_share: `(K,)` shares among the ports of that kind, 0 for other chargers.
    """

    vehicles: tuple[str, ...]
    columns: dict[str, FloatArray]
    cumulative: FloatArray
    one_way_share: FloatArray
    both_ways_share: FloatArray

    @property
    def least_efficiency(self) -> float:
        """The least `charge_efficiency - fixed_loss / min_charge` of the fleet (contracts 3)."""
        eta, loss, least = (self.columns[c] for c in ("charge_efficiency", "fixed_loss_kw", "min_charge_kw"))
        return float((eta - loss / least).min())

    def pick_cars(self, u: FloatArray, charger: IntArray) -> IntArray:
        """The car of each uniform number, among those that suit the charger."""
        return np.asarray((u[:, None] >= self.cumulative[charger]).sum(axis=1), dtype=np.int64)

    def pick_chargers(self, rng: np.random.Generator, ports: int, v2g_share: float) -> IntArray:
        """The charger of each port: the stated shares as near as whole numbers allow, in random order."""
        both_ways = round(v2g_share * ports)
        one = spread(self.one_way_share, ports - both_ways)
        both = spread(self.both_ways_share, both_ways)
        return rng.permutation(np.concatenate([one, both]))


def spread(shares: FloatArray, count: int) -> IntArray:
    """`count` labels in the stated shares, as near as whole numbers allow, in order; empty without shares."""
    if not shares.any() or count == 0:
        return np.zeros(0, dtype=np.int64)
    edges = np.cumsum(shares) / shares.sum()
    return np.searchsorted(edges, (np.arange(count) + 0.5) / count, side="right").clip(max=len(shares) - 1)


def fleet_table(fleet: FleetSettings) -> FleetTable:
    """Cross the catalogue with the fleet's chargers.

    Raises:
        ValueError: a bidirectional charger, and no car of the catalogue that can export.
    """
    cars = load_catalogue(fleet.catalogue)
    chargers = [choice.model_copy(update={"name": name}) for name, choice in fleet.chargers.items()]
    rows = [[session_parameters(car, charger, charger.bidirectional) for car in cars] for charger in chargers]
    columns = {name: np.array([[car[name] for car in charger] for charger in rows]) for name in COLUMNS}
    both_ways = np.array([charger.bidirectional for charger in chargers])
    car_share = np.array([car.share for car in cars])
    suited = car_share * (~both_ways[:, None] | (columns["max_discharge_kw"] > 0))
    if not suited.any(axis=1).all():
        raise ValueError(
            f"fleet.chargers has a bidirectional one, but no car of the catalogue {fleet.catalogue!r} can "
            "export; set fleet.v2g_share to 0 and drop it"
        )
    charger_share = np.array([charger.share for charger in chargers])
    return FleetTable(
        vehicles=tuple(car.name for car in cars),
        columns=columns,
        cumulative=_cumulative(suited),
        one_way_share=np.where(both_ways, 0.0, charger_share),
        both_ways_share=np.where(both_ways, charger_share, 0.0),
    )


def _cumulative(share: FloatArray) -> FloatArray:
    total = np.cumsum(share, axis=1) / share.sum(axis=1, keepdims=True)
    # No uniform number may fall behind the last car with a share, whatever the rounding of the sum.
    return np.where(total >= total[:, -1:], np.inf, total)
