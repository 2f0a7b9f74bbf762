"""The leads of campaigns, made of the archive in memory: for commands that must know them before any table is there. Nothing is written.

Does not belong here: reading drops (see `lead_assets.intake.read`) and deciding who a lead is (see `lead_assets.identity.resolve`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.opened import archive_of


def campaigns_of(settings: Settings, wanted: Sequence[str] | None) -> list[str]:
    """Keys of the campaigns that are meant; None means all in the archive. Raises ValueError for one that the archive does not know."""
    known = archive_of(settings).campaigns()
    keys = known if wanted is None else [campaign_key(campaign) for campaign in wanted]
    if strangers := sorted(set(keys) - set(known)):
        listed = ", ".join(known[:10]) or "none yet"
        raise ValueError(f"campaign {strangers[0]!r} has no leads in the archive: ingest a file for it first (known: {listed})")
    return list(keys)


def leads_of(settings: Settings, campaigns: Sequence[str], ledger: Ledger) -> pl.DataFrame:
    """Rows of identity.leads, as a run would make them now."""
    from lead_assets.identity.resolve import resolve
    from lead_assets.intake.read import read_campaigns

    read = read_campaigns(archive_of(settings), campaigns, max_payload_bytes=settings.max_payload_bytes)
    return resolve(read.raw_leads, ledger.suppressions()).leads
