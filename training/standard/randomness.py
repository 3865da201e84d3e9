"""The global generators of torch and NumPy, from which stable-baselines3 draws: lent, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def global_randomness() -> dict[str, Any]:
    """The state of both, of tensors and plain values."""
    state: Any = np.random.get_state()  # noqa: NPY002 - stable-baselines3 draws from it
    kind, keys, *rest = state
    return {"torch": torch.get_rng_state(), "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), *rest]}


def set_global_randomness(state: Mapping[str, Any]) -> None:
    """Put back what `global_randomness` gave."""
    kind, keys, *rest = state["numpy"]
    torch.set_rng_state(state["torch"])
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
