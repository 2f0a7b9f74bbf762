"""Alembic's entry point: migrates on the given connection, inside the transaction that holds the migration lock."""

from __future__ import annotations

from alembic import context

from lead_assets.ledger.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # Use only the caller's transaction, so that either all steps happen or none.
    transactional_ddl=False,
)
context.run_migrations()
