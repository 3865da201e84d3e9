"""Messages survive the pipe bit by bit; anything else is refused before it is believed."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ebbflow.agents.zipped.wire import pack, unpack


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0)), st.integers(-5, 5))
def test_a_message_is_read_as_it_was_written(array: Any, number: int) -> None:
    stream = io.BytesIO(pack({"number": number}, {"array": array, "more": np.arange(3)}))
    facts, arrays = unpack(stream.read)
    assert facts == {"number": number}
    np.testing.assert_array_equal(arrays["array"], array)
    np.testing.assert_array_equal(arrays["more"], np.arange(3))


@pytest.mark.parametrize(
    ("kind", "shape"), [("object", [1]), ("float64", [1]), ("float32", [-1]), ("float32", [1 << 40]), ("int64", "x")]
)
def test_an_array_of_another_kind_is_refused(kind: str, shape: Any) -> None:
    head = json.dumps({"facts": {}, "arrays": [["a", kind, shape]]}).encode()
    with pytest.raises(ValueError, match=r"array|no message"):
        unpack(io.BytesIO(struct.pack("<I", len(head)) + head).read)


@given(st.binary(min_size=4, max_size=50))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        unpack(io.BytesIO(noise + bytes(64)).read)
