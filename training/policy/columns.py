"""Where each field stands in an observation."""

from __future__ import annotations

import torch
from torch import Tensor

from ...envs.encoding import CONTEXT_FIELDS, PORT_FIELDS

COLUMN = {field.name: i for i, field in enumerate(PORT_FIELDS)}
"""Column of each port field; all are one number wide."""

STARTS = {field.name: sum(other.width for other in CONTEXT_FIELDS[:i]) for i, field in enumerate(CONTEXT_FIELDS)}
"""Where each field of the context begins; `width` says how many numbers it is."""

LEAST_STEP_H = 1.0 / 60.0


def step_hours(context: Tensor) -> Tensor:
    """Length of each world's step (B, 1) from its context (B, M)."""
    return torch.clamp(context[:, STARTS["step_h"], None], min=LEAST_STEP_H)
