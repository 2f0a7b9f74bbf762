"""The ledger's schema, step by step (Alembic). Run by `lead_assets.ledger.database` on the first open; there is no alembic.ini to call by hand."""
