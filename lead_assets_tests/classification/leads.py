"""Frames of leads as the identity and signals rooms produce them, made from the few fields that a test cares about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lead_assets.contracts import EnrichedLead, Lead

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def lead(number: int, campaign_id: str = "spring", **fields: Any) -> dict[str, Any]:
    """One lending lead; `number` orders its receipt."""
    row: dict[str, Any] = {
        "campaign_id": campaign_id,
        "lead_id": f"ld-{number:04}",
        "adapter": "lending_form",
        "implied_profile": fields.get("implied_profile", "lending" if fields.get("adapter", "lending_form") == "lending_form" else None),
        "drop_sha256": "0" * 64,
        "position": number,
        "part": 1,
        "received_at": NOON + timedelta(seconds=number),
        "payload": "{}",
        "account_key": f"person:{number:016x}",
        "extra": "{}",
        "email": f"person{number}@maple.example",
        "email_normalized": f"person{number}@maple.example",
        "phone": "(918) 555-0134",
        "phone_e164": "+19185550134",
        "name_first": "Jordan",
        "name_last": "Okonkwo-Reyes",
        "full_name": "Jordan Okonkwo-Reyes",
        "property_address": "12 Maple Row",
        "notes": f"Fix and flip number {number}, we have done 12 flips, closing in 10 days.",
    }
    return row | fields


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return Lead.frame(rows)


def noted(*notes: str, **fields: Any) -> pl.DataFrame:
    """One lead a note."""
    return frame(*(lead(number, notes=note, **fields) for number, note in enumerate(notes)))


def enriched(leads: pl.DataFrame, **fields: Any) -> pl.DataFrame:
    rows = [
        {
            "campaign_id": campaign_id,
            "lead_id": lead_id,
            "account_key": account_key,
            "provenance": "{}",
            "signals_found": [],
            "signals_missed": [],
            "miss_reasons": "{}",
            "signals_cost_usd": 0,
            "synthetic": True,
            **fields,
        }
        for campaign_id, lead_id, account_key in leads.select("campaign_id", "lead_id", "account_key").iter_rows()
    ]
    return EnrichedLead.frame(rows)
