"""The stores that settings name. One place, so that commands and the asset graph open the same ones."""

from __future__ import annotations

from lead_assets.core.settings import Settings
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse


def archive_of(settings: Settings) -> Archive:
    return Archive(settings.archive_location)


def warehouse_of(settings: Settings) -> Warehouse:
    if settings.env == "production":
        # Loaded only where it is used: the connector and Dagster's resource take seconds.
        from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse

        return SnowflakeWarehouse(settings)
    return DuckDBWarehouse(settings.warehouse_folder)
