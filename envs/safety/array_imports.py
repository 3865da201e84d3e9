"""The import limits in array form: full power to few by least laxity; see `import_kernels.share_imports`."""

from __future__ import annotations

from typing import Any

from ..snapshot import Snapshot
from .array_fleet import Fleet, Tools
from .array_rooms import Rooms
from .array_serve import serve
from .ranking import order_by
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
    last = t.lib.ops.minimum(fleet.left, t.horizon) - 1
    world = t.lib.count(0, snapshot.n_worlds, last)[:, None]
    return cheap.cumsum(-1)[world, snapshot.sites.tariff[snapshot.port_site], last] - fleet.need


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
        share, rooms = serve(t, fleet, order_by(t.lib, key, fleet.here), aim, share, rooms)
    why = why | ((want >= 0) & (share < want)) * int(Reason.IMPORT_LIMIT)
    return o.where(want >= 0, share, want), why


def _cap_at_draw(t: Tools, fleet: Fleet, want: Any) -> Any:
    """Offer a car in its taper no more than it takes, on the charger's step: room is scarce."""
    o, f = t.lib.ops, fleet
    most = t.car.draw(f.soc, f.known, f.max_charge, f.taper, f.accept, f.eta_in, f.loss)
    return o.minimum(want, o.maximum(t.port.ceil_to_step(most, f.step, t.rounding), f.min_charge))
