"""What arguments look like to compiled code: equal types share one object, so that they are looked up once."""

from __future__ import annotations

from typing import Any

import numpy as np

_KNOWN: dict[Any, object] = {}


def layout_of(*records: Any) -> object:
    """One object for all arrays and numbers, in nested tuples, of the same types: as Numba tells types apart.

    Each fresh day is a bank of its own, and Numba takes milliseconds to find out that nothing has changed.
    """
    return _KNOWN.setdefault(_signature(records), object())


def _signature(value: Any) -> Any:
    if isinstance(value, tuple):
        return type(value), tuple(_signature(part) for part in value)
    if not isinstance(value, np.ndarray):
        return type(value)
    f = value.flags
    order = "C" if f.c_contiguous else "F" if f.f_contiguous else "A"
    return value.dtype, value.ndim, order, f.writeable, f.aligned
