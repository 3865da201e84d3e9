"""The rule that a network begins as, in a few numbers, each with a meaning: what `training.direct` searches.

A car charges in its cheapest steps, or when too few of them are left; it meets its site's own load, and sells, where
that pays more than buying the energy again in the hours that its own need leaves, and keeps what it has for the hours
that pay best. A running programme event pays beside the tariff. Under a demand charge a site fills a cap.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding.fields import HEADROOM_POINTS
from .columns import STARTS
from .levels import CAPS, LEVELS

CAR = {
    "laxity": (0.02, 0.015),  # economic laxity, as a share of the steps left, below which a car begins to charge
    "haste": (200.0, 50.0),  # how soon it is then at full power, per unit of it: less power, the same fixed loss
    "nothing_saved": (0.0002, 0.0005),  # $ per kWh: waiting for a cheaper step saves nothing
    "event": (1.0, 0.2),  # of what a running programme event pays, so much is counted
    "own_from": (0.024, 0.01),  # $ per kWh, above buying it again, from which a car meets the own load: its wear
    "sold_from": (0.03, 0.015),  # the same of what is sold
    "fill_from": (0.03, 0.02),  # the same of what is bought to be sold
    "sun_from": (0.005, 0.01),  # $ per kWh, above what the sun's surplus earns, from which it is kept
    "surely": (0.005, 0.01),  # and so much further a car does so fully
    "round_trip": (0.76, 0.03),  # of a kWh that is bought to be given back
    "fixed_loss_kw": (0.17, 0.05),  # and what giving loses besides
    "crowding": (1.0, 0.1),  # how much longer its own need takes, since others charge in the same hours
    "refill_ahead": (0.0, 0.2),  # hours of refilling that are taken beside the need
    "planned": (1.0, 0.2),  # of what the better hours will take, so much is refilled first
    "spare_rate": (2.0, 1.0),  # per hour of export to spare after all hours that pay better
    "spare_share": (0.5, 0.3),  # sold where there is none to spare
}
"""A car's numbers: where a fresh network has them, and how far from there a search looks at first.

The losses are those of the catalogue's cars and chargers (0.89 either way, 0.17 kW; configs/presets/vehicles), the
wear is what a kWh out of the battery costs: told as they are, the thresholds fit every price level. On 96 validation
days of home-texas they alone took the fresh rule from 92.9 to 93.6 % captured, full power at once to 94.1 %, the sun
to 94.5 %; in home-california hours cut as the clock cuts them, no keeping beyond the next refill, and refills that
better hours take brought 95.0 to 95.7 %.
"""

SHIFTED = {"laxity": 0.015, "nothing_saved": 0.001, "own_from": 0.01, "sold_from": 0.01}
"""Which of them depend on what all cars share, and the scale of a slope for a search."""

AROUND = ("sine", "cosine", "plugged", "fleet_need", "headroom")
"""On what: the clock, the fleet, and the feeders' mean headroom over the day ahead."""

SITE = ("one", "need", "peak_room", "planned_room", "sine", "cosine", "weekend", "plugged", "fleet_need")
"""What a site's cap is a straight function of: figures of `site_levels`, then of the context."""

CAP = {"planned": (0.005, 0.02, 0.02)}
"""The cap of a fresh network, see `levels.cap_charging`; scales of a search, of the cap itself and of a slope.

The level is planned with what is expected, and the peak of days that may come is above the peak of the expected one:
on 384 days of the depot a level 1.5 % above it cost least.

Tried and not kept, layers that learn from hindsight what to add to it (quantile regression on what a known day would
have needed at each step of 1,024 played days): 1.0 to 1.8 % more captured on 400 unseen generated days, as much as by
boosted trees that see everything, or by searching their mixture in dollars; but up to 12 % less on real days at JPL.
What they learn is who will still come, and other sites have other drivers.
"""

EVEN = {"even": (0.0, 1.0)}
"""How much of its cap a site shares out evenly, 0 to 1; below 0 is 0. Who trusts drivers fills it by laxity alone.

On 200 days of the depot with false words a day cost $117 at 0, 103 at 1 and 102 with the cap raised by a fifth too
(charging at once 110, `round_robin` 103); with true ones 76 at 0 and 80 at .1.
"""

CAR_NUMBERS = len(CAR) + len(SHIFTED) * len(AROUND)
"""Numbers that are the cars'; a site's follow."""

NUMBERS = (
    *CAR,
    *(f"{name}_{figure}" for name in SHIFTED for figure in AROUND),
    *(f"{cap}_{figure}" for cap in CAP for figure in SITE),
    *EVEN,
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
    sites = [x for cap, *_ in CAP.values() for x in (cap, *[0.0] * (len(SITE) - 1))]
    return torch.tensor([*cars, *sites, *(start for start, _ in EVEN.values())])


def scales() -> Tensor:
    """How far a search looks at first, in the order of `NUMBERS`."""
    cars = [*(scale for _, scale in CAR.values()), *(scale for scale in SHIFTED.values() for _ in AROUND)]
    sites = [x for _, cap, slope in CAP.values() for x in (cap, *[slope] * (len(SITE) - 1))]
    return torch.tensor([*cars, *sites, *(scale for _, scale in EVEN.values())])


class Numbers:
    """The cars' numbers by name, (1,) or (B, 1) each, those of `SHIFTED` as what all cars share moves them.

    Args:
        context: (B, M) as encoded.
        numbers: (R,) for all worlds, or (B, R).
    """

    def __init__(self, context: Tensor, numbers: Tensor) -> None:
        self._numbers, self._shifts = numbers, _shifts(context, numbers)

    def __call__(self, name: str) -> Tensor:
        return self._numbers[..., _PLACE[name], None] + self._shifts.get(name, 0.0)


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
    """A site's cap (B, S, CAPS).

    Args:
        levels: (B, S, LEVELS) of `site_levels`.
        context: (B, M).
        numbers: (R,) for all worlds, or (B, R).
    """
    # By columns: a list as index becomes a constant, which torch's exporter does not let into a branch (`by_rule`).
    common = torch.stack([context[:, place] for place in _SITE_CONTEXT], 1)[:, None].expand(-1, levels.shape[1], -1)
    figures = torch.cat([torch.ones_like(levels[..., :1]), levels[..., : LEVELS - 1], common], -1)
    weights: Tensor = numbers[..., CAR_NUMBERS : _PLACE["even"]].unflatten(-1, (CAPS, len(SITE)))  # type: ignore[no-untyped-call]
    told: Tensor = figures @ weights.transpose(-1, -2)
    return told


def evenness(numbers: Tensor) -> Tensor:
    """How much of a cap is shared out evenly, (1,) or (B, 1) of the numbers (R,) or (B, R)."""
    return torch.clamp(numbers[..., _PLACE["even"], None], 0.0, 1.0)
