"""The ledger's tables; `migrations` makes them, and triggers that refuse to change or remove a row."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

REVISION = "0001"
"""The newest migration, so that a ledger that is up to date needs no alembic to be told so."""

metadata = MetaData()

SHA256 = String(64)
Sequence = BigInteger().with_variant(Integer, "sqlite")

entries = Table(
    "entries",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("at_s", Double, nullable=False),
    Column("content_sha256", SHA256, nullable=False),
    Column("previous_sha256", SHA256, nullable=False),
    Column("sha256", SHA256, nullable=False),
)
"""The chain; the content of an entry is the row with the same `seq` in the table of its kind."""

cycles = Table(
    "cycles",
    metadata,
    Column("seq", Sequence, ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
    Column("fleet", String(64), nullable=False),
    Column("cycle_id", String(96), nullable=False, unique=True),
    Column("start_s", Double, nullable=False),
    Column("decided_at_s", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("ports", Integer, nullable=False),
    Column("input_sha256", SHA256, nullable=False),
    Column("settings_sha256", SHA256, nullable=False),
    Column("model_sha256", SHA256, nullable=False),
    Column("before_seq", Sequence, nullable=False),
    Column("orders_seq", Sequence, nullable=False),
    Column("version", String(32), nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("memory_after", LargeBinary, nullable=False),
    Column("memory_before", LargeBinary, nullable=True),
    UniqueConstraint("fleet", "start_s"),
    Index("cycles_by_fleet", "fleet", "seq"),
)
"""Documents are canonical JSON, compressed by zstd. `before_seq` is the cycle whose `memory_after` this one began
with, 0 for none; where `memory_before` stands, that counts. Orders up to `orders_seq` were known."""

controls = Table(
    "controls",
    metadata,
    Column("seq", Sequence, ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
    Column("fleet", String(64), nullable=False),
    Column("control", String(16), nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("issued_s", Double, nullable=False),
    Column("until_s", Double, nullable=False),
    Column("ports", Text, nullable=False),
    Index("controls_by_fleet", "fleet", "until_s"),
)
"""Operators' orders; `ports` is a JSON list, empty for the whole fleet."""

settings = Table(
    "settings",
    metadata,
    Column("seq", Sequence, ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
    Column("settings_sha256", SHA256, nullable=False, unique=True),
    Column("document", Text, nullable=False),
)
"""The serving settings that cycles were decided with, canonical JSON."""

CONTENT = {"cycle": cycles, "control": controls, "settings": settings}
"""The table of each kind of entry."""
