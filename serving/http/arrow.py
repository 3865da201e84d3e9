"""Requests and answers as Arrow: a million cars in a fraction of the time and size of JSON.

A request is one Arrow stream after another, a table each, named by `ebbflow.table` in its schema's metadata; the
columns are those of the JSON message. The stream of `ports` carries the rest of the message as JSON in
`ebbflow.message`. An answer is one stream: the decisions, and the rest in the same place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..messages.answer import DispatchAnswer, answer_document
from ..messages.canonical import canonical_json, read_json
from ..messages.columns import RequestError
from ..messages.parse import INTERVALS_S, OUTLOOK_H
from ..messages.request import SECTIONS, DispatchRequest, request_document
from ..messages.vocabulary import DecisionReason, DecisionSource, Mode, OnExpiry

if TYPE_CHECKING:
    import pyarrow as pa

Array = Any

MEDIA = "application/vnd.apache.arrow.stream"
TABLE, MESSAGE = b"ebbflow.table", b"ebbflow.message"

WORDS = {"mode": Mode, "on_expiry": OnExpiry, "source": DecisionSource, "reason": DecisionReason}

LARGEST_MESSAGE = 1 << 20
"""Bytes of JSON in a stream's metadata."""

MOST_STEPS, MOST_ROWS = OUTLOOK_H * 3600 // min(INTERVALS_S), 4_000_000
"""Of a series and of a table: text becomes Python's, which takes some fifty bytes even where it is a letter."""


def read_request(body: bytes | bytearray) -> dict[str, Any]:
    """The document of an Arrow body, for `parse_request`.

    Raises:
        RequestError: it is none, holds types that no column has, or is compressed: it could grow without bound.
    """
    import pyarrow as pa

    document: dict[str, Any] = {}
    try:
        for metadata, table in _tables(pa.py_buffer(body)):
            name = metadata.get(TABLE, b"").decode()
            if name not in SECTIONS or name in document:
                raise RequestError("body", f"should hold tables named {', '.join(SECTIONS)}, each once")
            document[name] = {column: _values(table[column], f"{name}.{column}") for column in table.column_names}
            document |= _rest(metadata, document)
    except (pa.ArrowException, ValueError, struct.error, OSError, EOFError) as error:
        if isinstance(error, RequestError):
            raise
        raise RequestError("body", "is no sequence of Arrow streams") from None
    return document


def write_request(request: DispatchRequest) -> bytes:
    """A request as a body; what a client sends."""
    document = request_document(request)
    tables = {"ports": document.pop("ports"), "sites": document.pop("sites")}
    if len(request.arrivals.kwh):
        tables["arrivals"] = document.pop("arrivals")
    rest = {MESSAGE: canonical_json(document)}
    streams = [
        _stream(_table(columns), {TABLE: name.encode()} | (rest if name == "ports" else {}))
        for name, columns in tables.items()
    ]
    return b"".join(streams)


def write_answer(answer: DispatchAnswer) -> bytes:
    """An answer as a body; words are dictionaries, times microseconds UTC."""
    import pyarrow as pa

    table = answer.decisions._asdict()
    until = np.round(table.pop("valid_until_s") * 1e6).astype("datetime64[us]")
    columns = {
        name: pa.DictionaryArray.from_arrays(pa.array(table[name], pa.int8()), list(WORDS[name].words()))
        if name in WORDS
        else pa.array(table[name], from_pandas=name == "setpoint_kw")
        for name in table
    }
    columns["valid_until"] = pa.array(until, pa.timestamp("us", "UTC"))
    rest = answer_document(_without_decisions(answer))
    del rest["decisions"]
    return _stream(pa.table(columns), {MESSAGE: canonical_json(rest)})


def _without_decisions(answer: DispatchAnswer) -> DispatchAnswer:
    return replace(answer, decisions=type(answer.decisions)(*(column[:0] for column in answer.decisions)))


def _stream(table: pa.Table, metadata: Mapping[bytes, bytes]) -> bytes:
    import pyarrow as pa

    sink, table = pa.BufferOutputStream(), table.replace_schema_metadata(metadata)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _table(columns: Mapping[str, Any]) -> pa.Table:
    import pyarrow as pa

    def column(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.ndim == 2:
            return pa.FixedSizeListArray.from_arrays(pa.array(value.ravel()), value.shape[1])
        return pa.array(value)

    return pa.table({name: column(value) for name, value in columns.items()})


def _rest(metadata: Mapping[bytes, bytes], so_far: Mapping[str, Any]) -> dict[str, Any]:
    text = metadata.get(MESSAGE)
    if text is None:
        return {}
    rest = read_json(text) if len(text) <= LARGEST_MESSAGE else None
    if not isinstance(rest, dict) or so_far.keys() & rest.keys():
        raise RequestError("ebbflow.message", f"should be a table of at most {LARGEST_MESSAGE} bytes, nothing twice")
    return rest


def _tables(body: pa.Buffer) -> Iterator[tuple[Mapping[bytes, bytes], pa.Table]]:
    """Each stream's metadata and table; every batch is looked at before it is read."""
    import pyarrow as pa

    source = pa.BufferReader(body)
    while source.tell() < body.size:
        schema = pa.ipc.read_schema(_message(source, "schema"))
        if not all(_may_be(field.type) for field in schema):
            raise RequestError(
                "body", "holds a type that no column has; send numbers, booleans, text, lists of numbers"
            )
        if len(set(schema.names)) < len(schema.names):
            raise RequestError("body", "holds a column twice")
        batches = []
        while (message := _next(source)) is not None:
            if message.type != "record batch" or _is_compressed(bytes(message.metadata)):
                raise RequestError("body", "is compressed or holds dictionaries; send plain batches")
            batch = pa.ipc.read_record_batch(message, schema)
            batch.validate(full=True)
            batches.append(batch)
            if sum(len(one) for one in batches) > MOST_ROWS:
                raise RequestError("body", f"holds a table of more than {MOST_ROWS} rows; send several fleets")
        yield schema.metadata or {}, pa.Table.from_batches(batches, schema).combine_chunks()


def _next(source: Any) -> Any:
    """The next message of a stream; None at its end."""
    import pyarrow as pa

    try:
        return pa.ipc.read_message(source)
    except EOFError:
        return None


def _message(source: Any, kind: str) -> Any:
    message = _next(source)
    if message is None or message.type != kind:
        raise RequestError("body", "is no sequence of Arrow streams")
    return message


def _may_be(kind: pa.DataType) -> bool:
    from pyarrow import types

    if types.is_list(kind) or (types.is_fixed_size_list(kind) and kind.list_size > 0):
        return bool(types.is_floating(kind.value_type))
    plain = (types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_large_string)
    return any(test(kind) for test in plain)


def _is_compressed(metadata: bytes) -> bool:
    """Whether the record batch that a message announces has a `compression` (Arrow's Message.fbs, field 3)."""
    (root,) = struct.unpack_from("<I", metadata, 0)
    at = _field(metadata, root, 2)
    if at is None:
        raise ValueError("no header")
    (offset,) = struct.unpack_from("<I", metadata, at)
    return _field(metadata, at + offset, 3) is not None


def _field(metadata: bytes, table: int, number: int) -> int | None:
    """Where a field of a flatbuffers table lies; None: it is not there."""
    (back,) = struct.unpack_from("<i", metadata, table)
    (size,) = struct.unpack_from("<H", metadata, table - back)
    if 4 + 2 * number >= size:
        return None
    (offset,) = struct.unpack_from("<H", metadata, table - back + 4 + 2 * number)
    return table + offset if offset else None


def _values(column: pa.ChunkedArray, name: str) -> Any:
    """A column as `parse_request` takes it."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type
    if types.is_boolean(kind):
        return column.cast(pa.int8()).fill_null(-1).to_numpy()
    if types.is_string(kind) or types.is_large_string(kind):
        return column.to_pylist()
    if types.is_list(kind) or types.is_fixed_size_list(kind):
        return _series(column.combine_chunks(), name)
    return column.to_numpy()


def _series(column: Any, name: str) -> Array:
    """Series (G, H).

    Raises:
        RequestError: they differ in length or are longer than any request's; told before anything is made of them, for
            Python's lists would take many times the room of the body.
    """
    column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    lengths = np.unique(column.value_lengths().to_numpy(zero_copy_only=False)) if len(column) else np.zeros(1)
    if column.null_count or len(lengths) != 1 or lengths[0] > MOST_STEPS:
        raise RequestError(
            name,
            f"should hold in each row a series of one length, of 1 to {MOST_STEPS} numbers; fill up what is shorter "
            "with its last number, or send JSON",
        )
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), int(lengths[0]))
