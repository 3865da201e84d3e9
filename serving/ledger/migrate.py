"""Bringing a ledger up to date; alembic is loaded only where there is something to do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from ...configs.messages import ConfigError
from .connect import STATEMENT_S, WRITES, allow
from .tables import REVISION

SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Make or migrate the tables, all or nothing.

    Raises:
        ConfigError: the ledger was written by a newer release, or is no ledger.
    """
    with engine.connect() as connection:
        found = revision_of(connection)
    if found == REVISION:
        return
    with engine.connect().execution_options(**WRITES) as connection, connection.begin():
        allow(connection, STATEMENT_S)  # a large ledger takes its time
        _migrate(connection)


def revision_of(connection: Connection) -> str | None:
    """The migration that a database is at; None: none at all."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise ConfigError(
            f"the ledger is at migration {revision_of(connection)}, which this release does not know (it knows up to "
            f"{REVISION}); install the release that wrote it"
        ) from None
