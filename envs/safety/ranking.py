"""Ranking cars in array form: rising keys rounded to 1e-6, ties in port order (contracts 5)."""

from __future__ import annotations

from typing import Any

import numpy as np

RANK_ROUNDING = 1e6


def order_by(lib: Any, key: Any, here: Any) -> Any:
    """Port indices (B, N) in rising order of `key`; ports without a car come last."""
    rounded = lib.floor(key * RANK_ROUNDING + 0.5)
    if lib.torch is not None:
        return lib.torch.argsort(lib.torch.where(here, rounded, float("inf")), dim=1, stable=True)
    return np.argsort(np.where(here, rounded, np.inf), axis=1, kind="stable")


def pick(lib: Any, column: Any, index: Any) -> Any:
    """The value of one port per world, (B,); `index` is (B, 1)."""
    return lib.take(column, index)[:, 0]


def unsorted(lib: Any, ranked: list[Any], order: Any) -> Any:
    """Values given by rank, back in port order (B, N)."""
    if lib.torch is not None:
        stacked = lib.torch.stack(ranked, 1)
        return stacked.gather(1, lib.torch.argsort(order, dim=1))
    return np.take_along_axis(np.stack(ranked, 1), np.argsort(order, axis=1), 1)
