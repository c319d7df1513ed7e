"""Alembic's entry: runs migrations on the engine that `engine.migrate` hands over, all in one transaction."""

from alembic import context
from sqlalchemy import Engine

from phongmay_store.register import metadata

engine: Engine = context.config.attributes["engine"]
with engine.begin() as connection:
    if engine.dialect.name == "postgresql":  # two that migrate at once: the second one waits, and has nothing to do
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('phongmay register'))")
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
