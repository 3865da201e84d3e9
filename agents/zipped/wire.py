"""What goes through the pipes: a line of JSON, then arrays as plain bytes. Nothing is unpickled on either side."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Read = Callable[[int], bytes]

HEAD = struct.Struct("<I")
LARGEST_HEAD, LARGEST_ARRAY = 1 << 16, 1 << 30
TYPES = ("float32", "int64")


def pack(facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """A message: plain facts, and arrays of the types in `TYPES`."""
    listed = [[name, str(array.dtype), array.shape] for name, array in arrays.items()]
    head = json.dumps({"facts": dict(facts), "arrays": listed}).encode()
    return b"".join([HEAD.pack(len(head)), head, *(np.ascontiguousarray(a).tobytes() for a in arrays.values())])


def unpack(read: Read) -> tuple[dict[str, Any], dict[str, Array]]:
    """The next message; `read(n)` gives exactly `n` bytes.

    Raises:
        ValueError: what was read is no message.
    """
    (length,) = HEAD.unpack(read(HEAD.size))
    if length > LARGEST_HEAD:
        raise ValueError(f"a message begins with {length} bytes of JSON; at most {LARGEST_HEAD} are read")
    try:
        head = json.loads(read(length))
        listed = [(str(name), str(kind), tuple(map(int, shape))) for name, kind, shape in head["arrays"]]
        facts = dict(head["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no message: {error}") from None
    return facts, {name: _array(read, kind, shape) for name, kind, shape in listed}


def _array(read: Read, kind: str, shape: tuple[int, ...]) -> Array:
    if kind not in TYPES or min(shape, default=0) < 0:
        raise ValueError(f"an array of {kind} {shape}; of {' or '.join(TYPES)} it must be")
    size = int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize
    if size > LARGEST_ARRAY:
        raise ValueError(f"an array of {size} bytes; at most {LARGEST_ARRAY} are read")
    return np.frombuffer(read(size), kind).reshape(shape)
