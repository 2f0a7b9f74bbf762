"""What is asked of the warehouse is asked of both."""

from __future__ import annotations

from lead_assets_tests.stores.conftest import snowflake, store  # noqa: F401 - fixtures
