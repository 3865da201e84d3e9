"""What alembic runs: the migrations on the connection that `ledger.migrate` opened."""

from alembic import context

if hasattr(context, "config"):  # only while alembic runs it; as a plain module it does nothing
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
