"""Between which values each number of the observation lay in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.encoding import CONTEXT_FIELDS, PORT_FIELDS, Field
from .observations import Seen

QUANTILES = (0.001, 0.999)


def training_ranges(fleets: Sequence[Sequence[Seen]]) -> dict[str, tuple[float, float]]:
    """The 0.1 and 99.9 % quantiles by field; of a wide field each number as `name.0`, `name.1` and so on.

    Of several fleets the least and the greatest, since a small one among large ones would lie beyond the quantiles of
    all. Of the ports only those with a car count.

    Args:
        fleets: what was seen of each; none: there are no ranges.
    """
    if not fleets:
        return {}
    ports = [np.concatenate([one.observation.ports[one.observation.mask > 0] for one in seen]) for seen in fleets]
    context = [np.concatenate([one.observation.context for one in seen]) for seen in fleets]
    return {
        name: (float(low), float(high))
        for fields, rows in ((PORT_FIELDS, ports), (CONTEXT_FIELDS, context))
        for name, low, high in zip(_names(fields), *_hull(rows), strict=True)
    }


def _hull(fleets: list[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The least low and the greatest high quantile (K,) of the fleets' rows (R, K); zeros where nobody has any."""
    ends = [np.quantile(rows, QUANTILES, axis=0) for rows in fleets if len(rows)]
    low, high = np.stack(ends, axis=1) if ends else np.zeros((2, 1, fleets[0].shape[1]))
    return low.min(axis=0), high.max(axis=0)


def _names(fields: tuple[Field, ...]) -> list[str]:
    return [field.name if field.width == 1 else f"{field.name}.{at}" for field in fields for at in range(field.width)]
