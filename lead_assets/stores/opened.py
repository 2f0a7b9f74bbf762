"""The stores that settings name. One place, so that commands and the asset graph open the same ones."""

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
        # Loaded only where it is used: the connector and Dagster's resource take seconds.
        from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse

        return SnowflakeWarehouse(settings)
    return DuckDBWarehouse(settings.warehouse_folder)


def campaigns_of(settings: Settings, wanted: Sequence[str] | None) -> list[str]:
    """Keys of the campaigns that are meant; None means all in the archive. Raises UnknownWord for one that the archive does not know."""
    known = archive_of(settings).campaigns()
    if wanted is None:
        return known
    keys = [campaign_key(campaign) for campaign in wanted]
    for key in keys:
        if key not in known:
            raise unknown_campaign(key, known)
    return keys


def unknown_campaign(key: str, known: Sequence[str]) -> UnknownWord:
    """The error for a campaign that is not there. Of many that are, it names the first."""
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return UnknownWord(
        f"campaign {key!r} has no leads in the archive{nearest(key, known)}: use one of {', '.join(known[:_LISTED])}{more}, or ingest a file for it first"
        if known
        else f"campaign {key!r} has no leads in the archive, and no other campaign has: ingest a file for it first"
    )
