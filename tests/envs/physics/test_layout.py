"""Layouts: banks of the same types share one, and nothing that compiled code tells apart does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ebbflow.envs.physics.layout import layout_of

PLAIN = np.zeros((3, 4))


def test_equal_types_share_a_layout_whatever_their_sizes_and_values() -> None:
    assert layout_of((PLAIN, 1.0), 2) is layout_of((np.ones((7, 2)), 3.0), 5)


def _frozen() -> NDArray[np.float64]:
    frozen = PLAIN.copy()
    frozen.flags.writeable = False
    return frozen


@pytest.mark.parametrize(
    "other",
    [PLAIN.astype(np.float32), PLAIN[0], np.zeros((8, 4))[::2], PLAIN.T, _frozen(), 1.0, None, (PLAIN,)],
    ids=["dtype", "axes", "gaps", "transposed", "read-only", "number", "nothing", "nested"],
)
def test_what_compiled_code_tells_apart_has_another_layout(other: object) -> None:
    assert layout_of(other) is not layout_of(PLAIN)
