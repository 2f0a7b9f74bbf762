"""Alembic's door: it migrates on the connection it is given, inside the transaction that holds the migration lock."""

from __future__ import annotations

from alembic import context

from lead_assets.ledger.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # The caller's transaction is the only one: all steps are taken, or none.
    transactional_ddl=False,
)
context.run_migrations()
