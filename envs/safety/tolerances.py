"""Where the projection stops to count: the figures by which all its back ends decide alike."""

from __future__ import annotations

TOLERANCE = 1e-9
"""kW, or steps of full power, that are rounding."""

MAX_LEVEL_STEPS = 60
"""Newton steps and bisections to a common level; a dozen suffice but on knife edges."""

NARROW = 1e-13
"""A bracket of the level that is not worth halving."""

LEAST_ROOM_KW, MOST_STEPS = 1e-6, 1e6
"""A site's room counts as no less, and its time to clear as no more."""

REFILL_STEPS = 4
"""Bisections of the share of all exports that can still be refilled: to 1/16."""

REFILL_ROUNDING = 1e-8
"""Steps of full power by which an exporting car may be due now: none but for rounding."""

STRAIN_ROUNDING_KW = 1e-6
"""A plan that lacks no more than this lacks nothing."""

RANK_ROUNDING = 1e6
"""Ties are broken by port order on keys rounded to 1e-6 (contracts 5)."""
