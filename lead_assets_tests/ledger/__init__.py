"""Tests of the ledger: what is bought once, on SQLite and on Postgres."""
