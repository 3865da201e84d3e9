"""What each car would do by itself, from a few numbers (`rule`): charge up to 1, export down to -1."""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding.fields import DAY_H, ENERGY_SCALE, POWER_SCALE
from .columns import COLUMN, STARTS
from .levels import pays_peak
from .margins import price
from .meter import OWN_LOAD_UNTIL, OwnLoad, net_load
from .rule import Numbers
from .stay import SAME_USD_PER_KWH, Stay, event_pay, hours_above, next_best

LEAST_KW = 0.05
"""Below it a power counts as this one, where a fixed loss is shared out."""


def wishes(ports: Tensor, context: Tensor, own: OwnLoad, numbers: Tensor) -> Tensor:
    """What each car would do by itself (B, N): charge up to 1, export down to -1 (`meter.meter_export`).

    Args:
        ports: (B, N, K) as encoded.
        context: (B, M).
        own: of `meter.own_load`.
        numbers: (R,) for all worlds, or (B, R).
    """
    return _Cars(ports, context, own, Numbers(context, numbers)).wish()


class _Cars:
    """The cars of one observation under one rule; all figures are (B, N), dollars per kWh at the charger."""

    def __init__(self, ports: Tensor, context: Tensor, own: OwnLoad, numbers: Numbers) -> None:
        self._ports, self._own, self._number = ports, own, numbers
        self._stay = Stay(ports, context)
        self._buy, self._sell = price(self._field("import_price")), price(self._field("export_price"))
        self._saving = price(self._field("saving"))
        self._event = numbers("event") * event_pay(context)
        self._event_sold = self._event * context[:, STARTS["event_pays_export"], None]
        self._give = self._field("can_export_kw")
        self._own_need_h = self._field("hours_needed") * DAY_H * numbers("crowding") + numbers("refill_ahead")
        self._round_trip = torch.clamp(numbers("round_trip"), min=0.1)
        have_kwh = self._field("spare") * self._field("capacity_kwh") * ENERGY_SCALE
        self._have_h = have_kwh / torch.clamp(self._give * POWER_SCALE, min=1.0)
        self._last = self._refill(self._own_need_h)  # of the hours that its own need takes
        self._coming = self._stay.until_refill(self._last)

    def wish(self) -> Tensor:
        needed = torch.maximum(self._for_need(), self._from_sun())
        charge = torch.where(self._field("need") > 0, torch.clamp(needed, 0.0, 1.0), 0.0)
        charge = torch.maximum(charge, self._to_sell())
        return charge - (self._give > 0) * (1.0 - charge) * torch.maximum(self._own_load(), self._sold())

    def _for_need(self) -> Tensor:
        """In the cheapest steps, or when too few of them are left."""
        short = torch.clamp(self._number("haste"), min=0.0) * (self._number("laxity") - self._field("economic_laxity"))
        cheapest = 1.0 - (self._saving + self._event) / torch.clamp(self._number("nothing_saved"), min=1e-4)
        # Where a peak is paid for, a site's cap says when its cars charge.
        return torch.maximum(torch.maximum(short, cheapest), pays_peak(self._ports).to(short.dtype))

    def _from_sun(self) -> Tensor:
        """What the site has too much of, where that earns less than the need's last hour costs."""
        surplus = -net_load(self._ports) / torch.clamp(self._field("can_charge_kw"), min=1e-3)
        return torch.clamp(surplus, 0.0, 1.0) * self._rises(self._last - self._sell, "sun")

    def _to_sell(self) -> Tensor:
        """Buy for the best hour that what the car has does not serve."""
        # An hour as cheap as this one takes nothing away: it is bought now and not then.
        coming = self._stay.until_refill(self._buy - 2.0 * SAME_USD_PER_KWH)
        best = next_best(coming, self._stay.export_price[:, 1:], self._have_h)
        gain = best - self._lossy(self._buy / self._round_trip, self._give)
        return self._rises(gain, "fill") * (self._give > 0) * (self._field("room") > 0)

    def _own_load(self) -> Tensor:
        """Meet the own load where that pays more than buying the energy again."""
        grid = self._own.given - self._own.met
        paid = (self._buy * self._own.met + self._sell * grid) / torch.clamp(self._own.given, min=1e-4)
        dearer_h = hours_above(self._coming, self._stay.coming_import_price, self._buy) * self._own.met
        better_h = torch.maximum(self._better_h(self._buy), dearer_h)
        costs = self._lossy(self._again(better_h), self._own.given * self._give)
        return OWN_LOAD_UNTIL * self._rises(paid + self._event - costs, "own")

    def _sold(self) -> Tensor:
        """Sell where that pays more than buying the energy again, and no coming hour pays better for it."""
        better_h = self._better_h(self._stay.export_price[:, :1].expand_as(self._give))
        spare = self._number("spare_rate") * (self._have_h - better_h) + self._number("spare_share")
        gain = self._sell + self._event_sold - self._lossy(self._again(better_h), self._give)
        return self._rises(gain, "sold") * torch.clamp(spare, 0.0, 1.0)

    def _better_h(self, usd_per_kwh: Tensor) -> Tensor:
        """Hours before the next refill in which selling pays more than this."""
        return hours_above(self._coming, self._stay.coming_export_price, usd_per_kwh)

    def _again(self, better_h: Tensor) -> Tensor:
        """What a kWh that is given now costs to buy again, after what the better hours will take."""
        planned = torch.minimum(self._have_h, better_h) * self._number("planned")
        return self._refill(self._own_need_h + planned / self._round_trip) / self._round_trip

    def _refill(self, hours: Tensor) -> Tensor:
        """What a kWh costs in the stay, once the cheapest `hours` are taken."""
        return self._buy - self._saving + self._stay.refill_rise(hours)

    def _lossy(self, usd_per_kwh: Tensor, share_of_scale: Tensor) -> Tensor:
        """With the converter's fixed loss, which weighs the more, the less is given."""
        kw = torch.clamp(share_of_scale * POWER_SCALE, min=LEAST_KW)
        return usd_per_kwh * (1.0 + torch.clamp(self._number("fixed_loss_kw"), min=0.0) / kw)

    def _rises(self, gain: Tensor, kind: str) -> Tensor:
        width = torch.clamp(self._number("surely"), min=1e-3)
        return torch.clamp((gain - self._number(f"{kind}_from")) / width, 0.0, 1.0)

    def _field(self, name: str) -> Tensor:
        return self._ports[..., COLUMN[name]]
