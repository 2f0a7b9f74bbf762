"""The stores that settings name. One place, so that commands and the asset graph open the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from lead_assets.core.campaign_keys import campaign_key
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


def campaigns_of(settings: Settings, wanted: Sequence[str] | None) -> list[str]:
    """Keys of the campaigns that are meant; None means all in the archive. Raises ValueError for one that the archive does not know."""
    known = archive_of(settings).campaigns()
    keys = known if wanted is None else [campaign_key(campaign) for campaign in wanted]
    if strangers := sorted(set(keys) - set(known)):
        listed = ", ".join(known[:10]) or "none yet"
        raise ValueError(f"campaign {strangers[0]!r} has no leads in the archive: ingest a file for it first (known: {listed})")
    return list(keys)
