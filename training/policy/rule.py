"""The rule that a network begins as, in a few numbers, each with a meaning: what `training.direct` searches.

A car charges in its cheapest steps, or when too few of them are left; it meets its site's own load, and sells, where
that pays more than buying the energy again in the hours that its own need leaves, and keeps what it has for the hours
that pay best. A running programme event pays beside the tariff. Under a demand charge a site fills a cap.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding.fields import DAY_H, HEADROOM_POINTS
from .columns import COLUMN, STARTS
from .levels import CAPS, LEVELS
from .margins import price
from .meter import OWN_LOAD_UNTIL
from .stay import event_pay, refill_rise, spare_hours

CAR = {
    "laxity": (0.03, 0.03),  # economic laxity, as a share of the steps left, below which a car begins to charge
    "haste": (20.0, 8.0),  # how soon it is then at full power, per unit of it
    "nothing_saved": (0.001, 0.001),  # $ per kWh: waiting for a cheaper step saves nothing
    "event": (1.0, 0.2),  # of what a running programme event pays, so much is counted
    "own_from": (0.03, 0.03),  # $ per kWh, above buying it again, from which a car begins to meet the own load
    "own_surely": (0.05, 0.03),  # and so much further does it fully
    "sold_from": (0.05, 0.03),  # the same of what is sold
    "sold_surely": (0.05, 0.03),
    "round_trip": (0.85, 0.05),  # of a kWh that is bought to be given back
    "crowding": (1.0, 0.2),  # how much longer its own need takes, since others charge in the same hours
    "refill_ahead": (0.0, 0.5),  # hours of refilling that are taken beside the need
    "spare_rate": (1.0, 0.5),  # per hour of export to spare after all hours that pay better
    "spare_share": (0.5, 0.5),  # sold where there is none to spare
}
"""A car's numbers: where a fresh network has them, and how far from there a search looks at first."""

SHIFTED = {"laxity": 0.03, "nothing_saved": 0.005, "own_from": 0.03, "sold_from": 0.03}
"""Which of them depend on what all cars share, and the scale of a slope for a search."""

AROUND = ("sine", "cosine", "plugged", "fleet_need", "headroom")
"""On what: the clock, the fleet, and the feeders' mean headroom over the day ahead."""

SITE = ("one", "level", "need", "peak_room", "typical_room", "sine", "cosine", "weekend", "plugged", "fleet_need")
"""What a site's caps are straight functions of: figures of `deadline_level`, then of the context."""

CAP = {"deadline": (0.25, 0.15, 0.1), "typical": (0.03, 0.03, 0.03)}
"""The caps of a fresh network, see `levels.cap_charging`; scales of a search, of the cap itself and of a slope."""

CAR_NUMBERS = len(CAR) + len(SHIFTED) * len(AROUND)
"""Numbers that are the cars'; a site's follow."""

NUMBERS = (
    *CAR,
    *(f"{name}_{figure}" for name in SHIFTED for figure in AROUND),
    *(f"{cap}_{figure}" for cap in CAP for figure in SITE),
)
"""Names of all numbers."""

_PLACE = {name: i for i, name in enumerate(NUMBERS)}
_SITE_CONTEXT = [
    STARTS["clock"],
    STARTS["clock"] + 1,
    *(STARTS[name] for name in ("weekend", "plugged", "fleet_need")),
]


def fresh_numbers() -> Tensor:
    """The numbers of a fresh network, in the order of `NUMBERS`."""
    cars = [*(start for start, _ in CAR.values()), *[0.0] * len(SHIFTED) * len(AROUND)]
    return torch.tensor([*cars, *(x for cap, *_ in CAP.values() for x in (cap, *[0.0] * (len(SITE) - 1)))])


def scales() -> Tensor:
    """How far a search looks at first, in the order of `NUMBERS`."""
    cars = [*(scale for _, scale in CAR.values()), *(scale for scale in SHIFTED.values() for _ in AROUND)]
    return torch.tensor([*cars, *(x for _, cap, slope in CAP.values() for x in (cap, *[slope] * (len(SITE) - 1)))])


def wishes(ports: Tensor, context: Tensor, numbers: Tensor) -> Tensor:
    """What each car would do by itself (B, N): charge up to 1, export down to -1 (`meter.meter_export`).

    Args:
        ports: (B, N, K) as encoded.
        context: (B, M).
        numbers: (R,) for all worlds, or (B, R).
    """

    shifts = _shifts(context, numbers)

    def number(name: str) -> Tensor:
        return numbers[..., _PLACE[name], None] + shifts.get(name, 0.0)

    def field(name: str) -> Tensor:
        return ports[..., COLUMN[name]]

    def rises(gain: Tensor, kind: str) -> Tensor:
        width = torch.clamp(number(f"{kind}_surely"), min=1e-3)
        return torch.clamp((gain - number(f"{kind}_from")) / width, 0.0, 1.0)

    buy, saving, paid = price(field("import_price")), price(field("saving")), number("event") * event_pay(context)
    taken = field("hours_needed") * DAY_H * number("crowding") + number("refill_ahead")
    refill = (buy - saving + refill_rise(ports, context, taken)) / torch.clamp(number("round_trip"), min=0.1)
    short = torch.clamp(number("haste"), min=0.0) * (number("laxity") - field("economic_laxity"))
    cheapest = 1.0 - (saving + paid) / torch.clamp(number("nothing_saved"), min=1e-4)
    # Where a peak is paid for, a site's cap says when its cars charge.
    pays_peak = (field("peak_room") != 1.0).to(ports.dtype)
    wanted = torch.maximum(torch.maximum(short, cheapest), pays_peak)
    charge = torch.where(field("need") > 0, torch.clamp(wanted, 0.0, 1.0), 0.0)
    able = (field("can_export_kw") > 0) * (1.0 - charge)
    spare = torch.clamp(number("spare_rate") * spare_hours(ports, context) + number("spare_share"), 0.0, 1.0)
    own = OWN_LOAD_UNTIL * rises(buy + paid - refill, "own")
    paid_sold = paid * context[:, STARTS["event_pays_export"], None]
    sold = rises(price(field("export_price")) + paid_sold - refill, "sold") * spare
    return charge - able * torch.maximum(own, sold)


def _shifts(context: Tensor, numbers: Tensor) -> dict[str, Tensor]:
    """By how much the numbers of `SHIFTED` are moved by what all cars share, (B, 1) each."""
    clock, headroom = STARTS["clock"], STARTS["headroom"]
    figures = torch.cat([
        context[:, [clock, clock + 1, STARTS["plugged"], STARTS["fleet_need"]]],
        context[:, headroom : headroom + HEADROOM_POINTS].mean(1, keepdim=True),
    ], 1)  # fmt: skip
    weights = numbers[..., len(CAR) : CAR_NUMBERS].unflatten(-1, (len(SHIFTED), len(AROUND)))  # type: ignore[no-untyped-call]
    moved = (figures[:, None] * weights).sum(-1)
    return {name: moved[:, i, None] for i, name in enumerate(SHIFTED)}


def caps(levels: Tensor, context: Tensor, numbers: Tensor) -> Tensor:
    """A site's caps (B, S, CAPS).

    Args:
        levels: (B, S, LEVELS) of `deadline_level`.
        context: (B, M).
        numbers: (R,) for all worlds, or (B, R).
    """
    common = context[:, None, _SITE_CONTEXT].expand(-1, levels.shape[1], -1)
    figures = torch.cat([torch.ones_like(levels[..., :1]), levels[..., : LEVELS - 1], common], -1)
    weights: Tensor = numbers[..., CAR_NUMBERS:].unflatten(-1, (CAPS, len(SITE)))  # type: ignore[no-untyped-call]
    told: Tensor = figures @ weights.transpose(-1, -2)
    return told
