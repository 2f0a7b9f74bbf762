"""Marts are written once and run on both warehouses."""

from __future__ import annotations

from lead_assets_tests.stores.conftest import snowflake, store  # noqa: F401 - fixtures
