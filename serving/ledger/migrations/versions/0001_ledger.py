"""The tables, and triggers that keep their rows as they were written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SHA256 = sa.String(64)
TABLES = ("entries", "cycles", "controls", "settings")

GUARD = """
CREATE FUNCTION ebbflow_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
"""


def upgrade() -> None:
    """Make everything."""
    op.create_table(
        "entries",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("content_sha256", SHA256, nullable=False),
        sa.Column("previous_sha256", SHA256, nullable=False),
        sa.Column("sha256", SHA256, nullable=False),
    )
    _cycles()
    op.create_table(
        "controls",
        sa.Column("seq", SEQ, sa.ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
        sa.Column("fleet", sa.String(64), nullable=False),
        sa.Column("control", sa.String(16), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("issued_s", sa.Double(), nullable=False),
        sa.Column("until_s", sa.Double(), nullable=False),
        sa.Column("ports", sa.Text(), nullable=False),
    )
    op.create_index("controls_by_fleet", "controls", ["fleet", "until_s"])
    op.create_table(
        "settings",
        sa.Column("seq", SEQ, sa.ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
        sa.Column("settings_sha256", SHA256, nullable=False, unique=True),
        sa.Column("document", sa.Text(), nullable=False),
    )
    _guard()


def _cycles() -> None:
    blobs = ("request", "answer", "record", "memory_after")
    op.create_table(
        "cycles",
        sa.Column("seq", SEQ, sa.ForeignKey("entries.seq"), primary_key=True, autoincrement=False),
        sa.Column("fleet", sa.String(64), nullable=False),
        sa.Column("cycle_id", sa.String(96), nullable=False, unique=True),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("decided_at_s", sa.Double(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("ports", sa.Integer(), nullable=False),
        *(sa.Column(name, SHA256, nullable=False) for name in ("input_sha256", "settings_sha256", "model_sha256")),
        *(sa.Column(name, SEQ, nullable=False) for name in ("before_seq", "orders_seq")),
        sa.Column("version", sa.String(32), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in blobs),
        sa.Column("memory_before", sa.LargeBinary(), nullable=True),
        sa.UniqueConstraint("fleet", "start_s"),
    )
    op.create_index("cycles_by_fleet", "cycles", ["fleet", "seq"])


def _guard() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for change in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END"
                )
        return
    op.execute(GUARD)
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ebbflow_append_only()"
        )


def downgrade() -> None:
    """There is no way back: a ledger is never dropped by a program."""
    raise NotImplementedError("a ledger is never dropped; restore a copy of before")
