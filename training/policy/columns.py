"""Where each port field stands in an observation."""

from __future__ import annotations

from ...envs.encoding import PORT_FIELDS

COLUMN = {field.name: i for i, field in enumerate(PORT_FIELDS)}
"""Column of each port field; all are one number wide."""
