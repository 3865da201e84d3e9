"""What crosses the wire: the request and the answer of one cycle, in columns, and their digests."""

from .answer import DispatchAnswer, answer_digest, answer_document, answer_from
from .canonical import canonical_json, digest, read_json
from .columns import RequestError
from .from_snapshot import request_of
from .parse import parse_request
from .request import DispatchRequest, request_digest, request_document
from .to_snapshot import snapshot_of

__all__ = [
    "DispatchAnswer",
    "DispatchRequest",
    "RequestError",
    "answer_digest",
    "answer_document",
    "answer_from",
    "canonical_json",
    "digest",
    "parse_request",
    "read_json",
    "request_digest",
    "request_document",
    "request_of",
    "snapshot_of",
]
