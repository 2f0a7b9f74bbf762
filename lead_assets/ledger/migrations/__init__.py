"""The ledger's schema, step by step (Alembic). `lead_assets.ledger.database` runs them on the first open; there is no alembic.ini for manual use."""
