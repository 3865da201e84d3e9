"""Between which values each number of the observation lay in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.encoding import CONTEXT_FIELDS, PORT_FIELDS, Field
from .observations import Seen

QUANTILES = (0.001, 0.999)


def training_ranges(seen: Sequence[Seen]) -> dict[str, tuple[float, float]]:
    """The 0.1 and 99.9 % quantiles by field; of a wide field each number as `name.0`, `name.1` and so on.

    Of the ports only those with a car count.
    """
    ports = np.concatenate([one.observation.ports[one.observation.mask > 0] for one in seen])
    context = np.concatenate([one.observation.context for one in seen])
    return {
        name: (float(low), float(high))
        for fields, rows in ((PORT_FIELDS, ports), (CONTEXT_FIELDS, context))
        for name, low, high in zip(_names(fields), *_quantiles(rows), strict=True)
    }


def _quantiles(rows: NDArray[Any]) -> NDArray[Any]:
    return np.quantile(rows, QUANTILES, axis=0) if len(rows) else np.zeros((2, rows.shape[1]))


def _names(fields: tuple[Field, ...]) -> list[str]:
    return [field.name if field.width == 1 else f"{field.name}.{at}" for field in fields for at in range(field.width)]
