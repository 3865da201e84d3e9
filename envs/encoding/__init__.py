"""Snapshot to observation: one field table, hashed, with fixed scales; NumPy, Numba and torch."""

from .encoder import Encoder, Observation, make_encoder
from .fields import (
    CONTEXT_FIELDS,
    CONTEXT_WIDTH,
    PORT_FIELDS,
    PORT_WIDTH,
    Field,
    bounds,
    observation_hash,
)

__all__ = [
    "CONTEXT_FIELDS", "CONTEXT_WIDTH", "PORT_FIELDS", "PORT_WIDTH", "Encoder", "Field", "Observation", "bounds",
    "make_encoder", "observation_hash",
]  # fmt: skip
