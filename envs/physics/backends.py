"""The three back ends of the port model; their libraries are loaded by name when used, so that serving stays thin.

NumPy is the reference and what serving runs; Numba compiles the same bodies for scalars inside loops over worlds;
torch makes them differentiable and runs them on a GPU.
"""

from __future__ import annotations

import importlib
import math
from functools import cache
from typing import Any

import numpy as np

from ..ledger import LedgerModel, make_ledger_model
from .port import Operations, PortModel, make_port_model

ROUNDING = {8: 1e-9, 4: 1e-5}
"""Relative room in which a power counts as on its current step, by the bytes of the numbers that it was stored in."""


def rounding_of(array: Any) -> float:
    """`ROUNDING` of what `array`, NumPy's or torch's, holds."""
    return ROUNDING[array.dtype.itemsize]


def _everywhere(_condition: Any, function: Any, a: Any, b: Any) -> Any:
    """`Operations.where_needed` of arrays: one pass over all is cheaper than to pick."""
    return function(a, b)


def numpy_operations() -> Operations:
    """NumPy's operations."""
    return Operations(
        np.where, np.minimum, np.maximum, lambda x: np.exp(-np.maximum(x, 0.0)), np.log,
        lambda x: np.log(np.maximum(x, 1.0)), np.sqrt, np.floor, float, _everywhere,
    )  # fmt: skip


def torch_operations() -> Operations:
    """torch's operations; literals become tensors where torch wants them."""
    torch: Any = importlib.import_module("torch")

    def bound(clamp: str, pair: Any) -> Any:
        def apply(a: Any, b: Any) -> Any:
            if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
                return pair(a, b)
            tensor, number = (a, b) if isinstance(a, torch.Tensor) else (b, a)
            return torch.clamp(tensor, **{clamp: number})

        return apply

    return Operations(
        torch.where, bound("max", torch.minimum), bound("min", torch.maximum),
        lambda x: torch.exp(-torch.clamp(x, min=0.0)), torch.log, lambda x: torch.log(torch.clamp(x, min=1.0)),
        torch.sqrt, torch.floor, float, _everywhere,
    )  # fmt: skip


def plain_operations() -> Operations:
    """Operations on single Python numbers, for short loops that nothing compiles."""
    return Operations(
        lambda condition, a, b: a if condition else b, min, max, lambda x: math.exp(-x) if x > 0.0 else 1.0, math.log,
        lambda x: math.log(x) if x > 1.0 else 0.0, math.sqrt, math.floor, float,
        lambda condition, function, a, b: function(a, b) if condition else 0.0,
    )  # fmt: skip


@cache
def scalar_operations() -> Operations:
    """Scalar operations for use inside compiled loops.

    They compute in float64 whatever the arrays hold: outside of SIMD loops that costs about a quarter, and one set
    of kernels serves both precisions.
    """
    numba: Any = importlib.import_module("numba")

    @numba.njit(inline="always")
    def where(condition, a, b):  # type: ignore[no-untyped-def]
        return a if condition else b

    @numba.njit(inline="always")
    def minimum(a, b):  # type: ignore[no-untyped-def]
        return a if a < b else b

    @numba.njit(inline="always")
    def maximum(a, b):  # type: ignore[no-untyped-def]
        return a if a > b else b

    @numba.njit(inline="always")
    def decay(x):  # type: ignore[no-untyped-def]
        return math.exp(-x) if x > 0.0 else 1.0

    @numba.njit(inline="always")
    def log_above_one(x):  # type: ignore[no-untyped-def]
        return math.log(x) if x > 1.0 else 0.0

    @numba.njit
    def where_needed(condition, function, a, b):  # type: ignore[no-untyped-def]
        return function(a, b) if condition else 0.0

    # NumPy's floor stays a float; Python's is a whole number, to be turned back into one.
    return Operations(
        where, minimum, maximum, decay, math.log, log_above_one, math.sqrt, np.floor, float, where_needed
    )  # fmt: skip


def compile_scalar(function: Any) -> Any:
    """Compile an elementwise function for scalars."""
    numba: Any = importlib.import_module("numba")
    return numba.njit(error_model="numpy")(function)


def operations(backend: str) -> Operations:
    """The elementwise operations of `backend`: `numpy`, `torch`, `numba` for scalars in compiled loops, or `plain`.

    Raises:
        ValueError: no such back end.
    """
    if backend == "numpy":
        return numpy_operations()
    if backend == "torch":
        return torch_operations()
    if backend == "numba":
        return scalar_operations()
    if backend == "plain":
        return plain_operations()
    raise ValueError(f"back end is {backend!r}; choose one of numpy, numba, torch, plain")


@cache
def port_model(backend: str) -> PortModel:
    """The port model of `backend`, see `operations`."""
    ops = operations(backend)
    return make_port_model(ops, compile_scalar) if backend == "numba" else make_port_model(ops)


@cache
def ledger_model(backend: str) -> LedgerModel:
    """The ledger's arithmetic of `backend`, see `operations`."""
    ops, port = operations(backend), port_model(backend)
    return make_ledger_model(ops, port, compile_scalar) if backend == "numba" else make_ledger_model(ops, port)
