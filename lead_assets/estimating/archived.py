"""The leads of campaigns, read from the archive in memory, for commands that need them before any table exists. Writes nothing.

Does not belong here: reading drops (see `lead_assets.intake.read`) or deciding who a lead is (see `lead_assets.identity.resolve`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.stores.opened import archive_of


def leads_of(settings: Settings, campaigns: Sequence[str], ledger: Ledger) -> pl.DataFrame:
    """The rows of identity.leads that a run would make now."""
    from lead_assets.identity.resolve import resolve
    from lead_assets.intake.adapters import adapters_of
    from lead_assets.intake.parsed import parsed_of
    from lead_assets.intake.read import read_campaigns

    read = read_campaigns(
        archive_of(settings), campaigns, limits=settings.limits, parsed=parsed_of(settings), adapters=adapters_of(settings)
    )
    return resolve(read.raw_leads, ledger.suppressions(), ledger.suppression_hash).leads
