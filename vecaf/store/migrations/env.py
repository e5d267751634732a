"""Alembic's entry point: runs the migrations on the connection of `vecaf.store.migrate`."""

from alembic import context

from vecaf.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
