"""One form of each message: JSON with sorted keys and shortest floats, and SHA-256 digests of columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from .columns import RequestError

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY


def canonical_json(document: Any) -> bytes:
    """The document as UTF-8 JSON: sorted keys, no spaces, shortest floats that read back equal; NaN becomes null."""
    return orjson.dumps(document, option=_OPTIONS)


def read_json(body: bytes) -> Any:
    """Strict JSON: no NaN, no comments, UTF-8.

    Raises:
        RequestError: the body is no JSON; names the place, never the content.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(
            "body", f"is not valid JSON (line {error.lineno}, column {error.colno}); send UTF-8 JSON"
        ) from None


def digest(document: Any) -> str:
    """SHA-256 of a document in hexadecimal digits.

    Scalars are hashed as canonical JSON, columns as the bytes of their numbers: a message gets the same digest
    whether it came as JSON or as Arrow, and a million rows take a fraction of a second.
    """
    sha = hashlib.sha256()
    _feed(sha, document)
    return sha.hexdigest()


def _feed(sha: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):  # most are, and are known faster than a mapping
        _feed_column(sha, value)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            sha.update(_key(key))
            _feed(sha, value[key])
        sha.update(b"\x02")
    elif isinstance(value, list | tuple):
        sha.update(b"\x03%d\x00" % len(value))
        for item in value:
            _feed(sha, item)
    else:
        sha.update(b"\x04" + canonical_json(value) + b"\x00")


_KINDS: dict[str, np.dtype[Any]] = {"f": np.dtype("<f8"), "b": np.dtype("|i1")}
_WHOLE: np.dtype[Any] = np.dtype("<i8")


@lru_cache(maxsize=1024)
def _key(key: str) -> bytes:
    return b"\x01" + key.encode() + b"\x00"


@lru_cache(maxsize=1024)
def _head(kind: Any, shape: tuple[int, ...]) -> bytes:
    return f"\x05{kind.str}{shape}\x00".encode()


def _feed_column(sha: Any, column: Any) -> None:
    if column.dtype.kind == "U":
        text = canonical_json(column.tolist())
        sha.update(b"\x05U%d\x00" % len(text) + text)
        return
    kind = _KINDS.get(column.dtype.kind, _WHOLE)
    plain = np.ascontiguousarray(column, kind)
    if kind.kind == "f":
        plain = plain + 0.0  # one zero
        np.putmask(plain, np.isnan(plain), np.nan)  # one NaN
    sha.update(_head(kind, plain.shape))
    sha.update(plain.data)
