"""The import limits in array form: full power to few by least laxity; see `import_kernels.share_imports`."""

from __future__ import annotations

from typing import Any

from ..snapshot import Snapshot
from .array_fleet import Fleet, Tools
from .array_rooms import Rooms
from .ranking import order_by, pick, unsorted
from .reasons import Reason


def raise_to_mandatory(t: Tools, fleet: Fleet, want: Any, must: Any) -> Any:
    """Wishes raised to what is mandatory, on the charger's step; exports stay."""
    raised = t.port.floor_to_step(t.lib.ops.maximum(want, must), fleet.step, t.rounding)
    return t.lib.ops.where(want >= 0, raised, want)


def imports_fit(t: Tools, want: Any, rooms: Rooms) -> Any:
    """Whether the imports of a world keep all limits of this step (B,)."""
    drawn = t.lib.ops.maximum(want, 0.0)
    fits = (t.sites.total(drawn) <= rooms.sites).all(1)
    return fits & (t.feeders.total(drawn) <= rooms.feeders).all(1)


def economic_laxity(t: Tools, fleet: Fleet, snapshot: Snapshot) -> Any:
    """Slots left in the stay at or below the present price, minus slots needed (contracts 5)."""
    c = snapshot.context
    now = c.import_price_now_usd_per_kwh[..., None]
    cheap = c.import_price_usd_per_kwh.window(t.horizon) <= now
    cheap[..., 0] = True
    slots = cheap.cumsum(-1)[:, snapshot.sites.tariff[snapshot.port_site]]
    last = t.lib.ops.minimum(fleet.left, t.horizon) - 1
    return t.lib.take(slots.reshape(-1, t.horizon), last.reshape(-1, 1)).reshape(last.shape) - fleet.need


def share_imports(
    t: Tools, fleet: Fleet, want: Any, must: Any, economic: Any, why: Any, rooms: Rooms
) -> tuple[Any, Any]:
    """Give the import limits to the mandatory power by least laxity, then to the elective by least economic laxity.

    Full power to few, not a trickle to many: who cannot have its minimum is passed over and the next one is tried.
    """
    o = t.lib.ops
    capped = _cap_at_draw(t, fleet, want)
    want, why = capped, why | (want > capped) * int(Reason.BOX)
    limit = o.maximum(want, 0.0)
    share = limit * 0
    for key, aim in ((fleet.left - fleet.need, o.minimum(must, limit)), (economic, limit)):
        share, rooms = _serve(t, fleet, order_by(t.lib, key, fleet.here), aim, share, rooms)
    why = why | ((want >= 0) & (share < want)) * int(Reason.IMPORT_LIMIT)
    return o.where(want >= 0, share, want), why


def _cap_at_draw(t: Tools, fleet: Fleet, want: Any) -> Any:
    """Offer a car in its taper no more than it takes, on the charger's step: room is scarce."""
    o, f = t.lib.ops, fleet
    most = t.car.draw(f.soc, f.known, f.max_charge, f.taper, f.accept, f.eta_in, f.loss)
    return o.minimum(want, o.maximum(t.port.ceil_to_step(most, f.step, t.rounding), f.min_charge))


def _serve(t: Tools, fleet: Fleet, order: Any, aim: Any, share: Any, rooms: Rooms) -> tuple[Any, Rooms]:
    """Raise shares toward `aim` (B, N) in the given order of ports while the rooms last."""
    o, lib, served = t.lib.ops, t.lib, []
    sites, feeders = rooms
    site_of, feeder_of = t.sites.index[order], t.feeders.index[order]
    for rank in range(order.shape[1]):
        has, goal, step, least = (pick(lib, x, order, rank) for x in (share, aim, fleet.step, fleet.min_charge))
        room = o.minimum(pick(lib, sites, site_of, rank), pick(lib, feeders, feeder_of, rank))
        give = t.port.floor_to_step(o.minimum(goal, has + o.maximum(room, 0.0)), step, t.rounding)
        passed = (goal <= has) | (give <= has) | (give * (1.0 + t.rounding) < least)
        more = o.where(passed, 0.0, give - has)
        sites = lib.less_at(sites, site_of[:, rank : rank + 1], more)
        feeders = lib.less_at(feeders, feeder_of[:, rank : rank + 1], more)
        served.append(o.where(passed, has, give))
    return unsorted(lib, served, order), Rooms(sites, feeders)
