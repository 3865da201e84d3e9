"""Where each field stands in an observation."""

from __future__ import annotations

from ...envs.encoding import CONTEXT_FIELDS, PORT_FIELDS

COLUMN = {field.name: i for i, field in enumerate(PORT_FIELDS)}
"""Column of each port field; all are one number wide."""

STARTS = {field.name: sum(other.width for other in CONTEXT_FIELDS[:i]) for i, field in enumerate(CONTEXT_FIELDS)}
"""Where each field of the context begins; `width` says how many numbers it is."""
