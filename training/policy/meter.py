"""Export that knows the meter: first the site's own load, then, past a kink, the grid."""

from __future__ import annotations

import torch
from torch import Tensor

from .columns import COLUMN
from .pools import Groups

OWN_LOAD_UNTIL, GRID_FROM = 1.0 / 3.0, 0.6
"""Between them the export stays at the site's own load: a step between two prices."""


def meter_export(wish: Tensor, ports: Tensor, mask: Tensor, site: Groups) -> Tensor:
    """Share of the export that a car can give now, from a wish in [0, 1].

    Up to `OWN_LOAD_UNTIL` it rises to the car's part of the site's net load, which is worth the import price, stays
    there to `GRID_FROM`, and rises to full export, which is worth the export price.

    Args:
        wish: (B, N).
        ports: (B, N, K) as encoded.
        mask: (B, N).
        site: the site of each port.
    """
    give = ports[..., COLUMN["can_export_kw"]] * mask
    # The load is told relative to the full set-point, which a full car does not tell: its export stands in.
    full = torch.maximum(ports[..., COLUMN["can_charge_kw"]], give)
    load = torch.clamp(ports[..., COLUMN["site_load"]], min=0.0) * full
    together = torch.clamp(site.each(site.total(give)), min=1e-6)
    own = torch.clamp(load / together, 0.0, 1.0)
    first = torch.clamp(wish / OWN_LOAD_UNTIL, max=1.0)
    rest = torch.clamp((wish - GRID_FROM) / (1.0 - GRID_FROM), min=0.0)
    # On the flat the export price still tells where to leave it: forward flat, backward a slope.
    lean = torch.clamp(wish, OWN_LOAD_UNTIL, GRID_FROM)
    return own * first + (1.0 - own) * (rest + lean - lean.detach())
