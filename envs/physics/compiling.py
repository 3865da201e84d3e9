"""How loops over worlds are compiled: Numba, cached on disk under a digest of the sources that they inline."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

numba: Any = importlib.import_module("numba")
"""Loaded by name: whoever imports this file wants the compiled back end, and no other file names Numba."""

MOST_LAYOUTS = 32
"""Sets of types that a kernel remembers: engines in array form have one each."""

_SOURCES = (
    "ledger.py", "snapshot.py", "world/bank*.py", "world/scenario.py", "physics/*.py", "safety/*.py", "encoding/*.py"
)  # fmt: skip
"""Under `envs`: whatever kernels inline or import, and the named tuples that they are given. Compiled code finds a
tuple's fields by their place, and nobody would notice that they have changed places."""

_ARRAY_FORM = ("array*.py", "library.py", "ranking.py")
"""No kernel sees these: a change of theirs leaves compiled code what it is. A test holds both lists."""


def inlined_sources() -> list[Path]:
    """The files that compiled code depends on."""
    root = Path(__file__).parents[1]
    found = [path for pattern in _SOURCES for path in sorted(root.glob(pattern))]
    return [path for path in found if not any(path.match(pattern) for pattern in _ARRAY_FORM)]


def _digest() -> str:
    text = b"".join(path.read_bytes() for path in inlined_sources())
    return hashlib.sha256(text + numba.__version__.encode()).hexdigest()[:16]


def _cache_folder() -> str | None:
    """A folder of ours for compiled code, None where none can be written."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ebbflow" / "numba" / _digest()
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return str(base) if os.access(base, os.W_OK) else None


_FOLDER = _cache_folder()


def _make_prefetch() -> Any:
    ir, extending = importlib.import_module("llvmlite.ir"), importlib.import_module("numba.core.extending")
    types, cgutils = importlib.import_module("numba.core.types"), importlib.import_module("numba.core.cgutils")

    @extending.intrinsic(prefer_literal=False)
    def prefetch(typing_context, array, offset):  # type: ignore[no-untyped-def]
        """Ask for the element `offset` of a contiguous array, counted through all its axes, to be brought near."""

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            pointer = builder.bitcast(builder.gep(data, [arguments[1]]), cgutils.voidptr_t)
            flag = ir.IntType(32)
            shape = ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
            function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], shape)
            builder.call(function, [pointer, flag(0), flag(3), flag(1)])  # to read, into every cache, data
            return context.get_dummy_value()

        return types.void(array, types.intp), generate

    return prefetch


prefetch = _make_prefetch()
"""`prefetch(array, offset)` in a kernel: it waits for nothing, and an element that there is not does no harm."""


def _make_write_row() -> Any:
    extending = importlib.import_module("numba.core.extending")
    types: Any = importlib.import_module("numba.core.types")

    @extending.intrinsic
    def write_row(typing_context, array, offset, values):  # type: ignore[no-untyped-def]
        """Write a tuple of numbers into a contiguous array from the element `offset` on, counted through all axes."""

        def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            for i, kind in enumerate(signature.args[2]):
                value = builder.extract_value(arguments[2], i)
                place = builder.gep(data, [builder.add(arguments[1], arguments[1].type(i))])
                builder.store(context.cast(builder, value, kind, signature.args[0].dtype), place)
            return context.get_dummy_value()

        return types.void(array, types.intp, values), generate

    return write_row


write_row = _make_write_row()
"""`write_row(array, offset, values)` in a kernel: a loop over a tuple looks up at each turn which value is meant."""


class Direct:
    """Calls a kernel without looking at the types of its arguments again, where the caller vouches for them.

    Numba finds out the types of nested tuples of arrays at every call, which takes ten times as long as passing
    them. An object `like` stands for one set of types (`layout.layout_of`); None vouches for nothing.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._entries: dict[object, Any] = {}

    def __call__(self, like: object, *arguments: Any) -> None:
        if like is None:
            self._function(*arguments)
            return
        entry = self._entries.get(like)
        if entry is None:
            entry = self._function.compile(tuple(numba.typeof(argument) for argument in arguments))
            if len(self._entries) >= MOST_LAYOUTS:
                self._entries = {}  # a new one: other threads may be looking into the old
            self._entries[like] = entry
        entry(*arguments)


@cache
def direct(function: Any) -> Direct:
    """The one `Direct` of a kernel: every fresh day has an engine of its own, all of them the same types."""
    return Direct(function)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a loop over worlds, or a part of one; it releases the GIL, so that threads can share the worlds.

    Without reference counts: the caller owns every array, scratch included, so a kernel allocates nothing. With them,
    each `state.soc` in a loop is an atomic increment and threads fight over it (measured: six times slower). Parts are
    inlined, since passing tuples of arrays to a call costs more than most parts do. No fast mathematics: fused
    multiplications made steps a tenth faster, and let single decisions on the edge fall otherwise than in NumPy.

    Numba notices a change in the kernel's own file only, and the port model is inlined from others: hence the
    digest in the folder's name.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _FOLDER or before
    try:
        compiled = numba.njit(
            nogil=True, error_model="numpy", cache=_FOLDER is not None, forceinline=True, _nrt=False
        )  # fmt: skip
        return compiled(function)  # type: ignore[no-any-return]
    finally:
        numba.config.CACHE_DIR = before
