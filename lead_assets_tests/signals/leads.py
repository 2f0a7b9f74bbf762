"""Leads for the room's tests: fictional people at fictional companies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lead_assets.contracts import Lead

START = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


def lead(number: int, company_domain: str | None = None, *, campaign_id: str = "spring", **columns: Any) -> dict[str, Any]:
    """One lead; `number` is its id and the minute it was received."""
    return {
        "campaign_id": campaign_id,
        "lead_id": f"L{number}",
        "adapter": "csv",
        "drop_sha256": "0" * 64,
        "position": number,
        "part": 1,
        "received_at": START + timedelta(minutes=number),
        "payload": "{}",
        "extra": "{}",
        "company_domain": company_domain,
        "account_key": company_domain or f"person:{number}",
        **columns,
    }


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return Lead.frame(rows)


def at_companies(domains: Sequence[str | None], *, campaign_id: str = "spring") -> pl.DataFrame:
    """One lead a domain, in order."""
    return frame([lead(number, domain, campaign_id=campaign_id) for number, domain in enumerate(domains)])
