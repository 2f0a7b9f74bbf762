"""Opens the stores named by the settings. Commands and the asset graph both use it, so they open the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import UnknownWord
from lead_assets.stores.archive import Archive
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse

_LISTED = 20


def archive_of(settings: Settings) -> Archive:
    return Archive(settings.archive_location)


def warehouse_of(settings: Settings) -> Warehouse:
    if settings.env == "production":
        # Imported only when needed: the connector and Dagster's resource take seconds to load.
        from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse

        return SnowflakeWarehouse(settings)
    return DuckDBWarehouse(settings.warehouse_folder)


def campaigns_of(settings: Settings, wanted: Sequence[str] | None) -> list[str]:
    """The keys of the requested campaigns; None means all in the archive. Raises UnknownWord for a campaign that is not in the archive."""
    known = archive_of(settings).campaigns()
    if wanted is None:
        return known
    keys = [campaign_key(campaign) for campaign in wanted]
    for key in keys:
        if key not in known:
            raise unknown_campaign(key, known)
    return keys


def unknown_campaign(key: str, known: Sequence[str]) -> UnknownWord:
    """The error for an unknown campaign. It lists the first few known ones."""
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return UnknownWord(
        f"campaign {key!r} has no leads in the archive{nearest(key, known)}: use one of {', '.join(known[:_LISTED])}{more}, or ingest a file for it first"
        if known
        else f"campaign {key!r} has no leads in the archive, and neither has any other: ingest a file for it first"
    )
