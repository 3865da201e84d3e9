"""Sharing a limit between cars one after the other: what is left of it, and who gets it.

Symbols: `B` worlds, `N` ports, `G` groups (sites or feeders). `group` is the group of each port, `(N,)`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...envs.snapshot import Snapshot

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Level(NamedTuple):
    """The limits of one level, sites or feeders, and what they leave for the cars now."""

    group: Index  # (N,)
    room_kw: Array  # (B, G), not below 0


def levels(snapshot: Snapshot) -> tuple[Level, Level]:
    """Sites, then feeders: their import limits less the load without cars."""
    site, feeder = snapshot.sites, snapshot.feeders
    site_room = np.maximum(site.import_limit_kw.now() - site.net_load_kw, 0.0)
    feeder_room = np.maximum(feeder.import_limit_kw.now() - feeder.net_load_kw, 0.0)
    return Level(snapshot.port_site, site_room), Level(site.feeder[snapshot.port_site], feeder_room)


def in_turn(wanted_kw: Array, order: Array, level: Level) -> Array:
    """Serve each group's cars in ascending `order`, ties by port, while its room lasts; kW `(B, N)`."""
    before = _running(wanted_kw, order, level.group)
    return np.clip(level.room_kw[:, level.group] - before, 0.0, wanted_kw)


def rotated(wanted_kw: Array, level: Level, slot: Index) -> Array:
    """The cyclic order of a round: each slot begins where the last one's cars that fit have ended.

    Args:
        wanted_kw: what the cars want, `(B, N)`; those that want something are on the round.
        level: the limit that is shared.
        slot: number of the present time slot, `(B,)`.

    Returns:
        Place in the round, 0 is served first, `(B, N)`.
    """
    on_round = (wanted_kw > 0.0).astype(float)
    by_port = np.broadcast_to(np.arange(on_round.shape[1], dtype=float), on_round.shape)
    fit = (in_turn(wanted_kw, by_port, level) >= wanted_kw) * on_round
    cars, places = _total(on_round, level), np.maximum(_total(fit, level), 1.0)
    place = _running(on_round, by_port, level.group)
    first = slot[:, None] * places[:, level.group]
    rotated_place: Array = np.mod(place - first, np.maximum(cars, 1.0)[:, level.group])
    return rotated_place


def _running(values: Array, order: Array, group: Index) -> Array:
    """Sum of `values` (B, N) over the cars of the same group that come earlier in `order`."""
    sequence = np.lexsort((order, np.broadcast_to(group, values.shape)), axis=-1)
    arranged = np.take_along_axis(values, sequence, axis=1)
    before = np.cumsum(arranged, axis=1) - arranged
    ascending = np.sort(group)
    before -= before[:, np.searchsorted(ascending, ascending)]
    result = np.empty_like(before)
    np.put_along_axis(result, sequence, before, axis=1)
    return result


def _total(values: Array, level: Level) -> Array:
    worlds, groups = level.room_kw.shape
    cell = np.arange(worlds)[:, None] * groups + level.group
    sums: Array = np.bincount(cell.ravel(), values.ravel(), worlds * groups).astype(float)
    return sums.reshape(worlds, groups)
