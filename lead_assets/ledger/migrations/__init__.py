"""Migrations of the ledger's schema (Alembic). `lead_assets.ledger.database` runs them on the first open; there is no alembic.ini for manual use."""
