"""Ranking cars in array form: rising keys rounded to 1e-6, ties in port order (contracts 5)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .library import Library
from .tolerances import RANK_ROUNDING


def order_by(lib: Library, key: Any, here: Any) -> Any:
    """Port indices (B, N) in rising order of `key`; ports without a car come last."""
    rounded = lib.ops.where(here, lib.ops.floor(key * RANK_ROUNDING + 0.5), float("inf"))
    return lib.argsort(rounded)


def pick(lib: Library, column: Any, order: Any, rank: int) -> Any:
    """`column[b, order[b, rank]]` of each world, (B,)."""
    return lib.take(column, order[:, rank : rank + 1])[:, 0]


def unsorted(lib: Library, ranked: Any, order: Any) -> Any:
    """Values (B, N) given by rank, back in port order."""
    if lib.torch is not None:
        return ranked.gather(1, lib.torch.argsort(order, dim=1))
    out = np.empty(order.shape, ranked.dtype)
    np.put_along_axis(out, order, ranked, 1)
    return out
