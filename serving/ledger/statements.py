"""The statements of every cycle, made once: to put one together takes SQLAlchemy five times as long as to run it."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select

from .tables import CONTENT, controls, cycles, entries, settings

LAST_CYCLE = select(func.max(cycles.c.seq)).where(cycles.c.fleet == bindparam("fleet"))
NEWEST_START = select(func.max(cycles.c.start_s)).where(cycles.c.fleet == bindparam("fleet"))
LAST_ENTRY = select(entries.c.seq, entries.c.sha256).order_by(entries.c.seq.desc()).limit(1)
SETTINGS_SEQ = select(settings.c.seq).where(settings.c.settings_sha256 == bindparam("settings_sha256"))

LAST_ORDER = select(func.max(controls.c.seq)).where(controls.c.fleet == bindparam("fleet"))
FLEET_HEAD = select(*(one.scalar_subquery() for one in (LAST_CYCLE, NEWEST_START, LAST_ORDER)))
ORDERS = (
    select(controls)
    .where(controls.c.fleet == bindparam("fleet"), controls.c.until_s > bindparam("now_s"))
    .order_by(controls.c.seq)
)
ORDERS_UNTIL = ORDERS.where(controls.c.seq <= bindparam("until_seq"))
"""Of a fleet, those that have not ended at `now_s`; `until_seq`: up to that entry."""

ADD_ENTRY = insert(entries)
ADD_CONTENT = {kind: insert(table) for kind, table in CONTENT.items()}


@cache
def cycle_where(*names: str) -> Select[Any]:
    """The cycles in which these columns are as the parameters of their names say."""
    return select(cycles).where(*(cycles.c[name] == bindparam(name) for name in names))
