"""Small frames of contract rows for tests of stores and later rooms."""

from __future__ import annotations

from typing import Any

import polars as pl

from lead_assets.contracts import Score


def scores(campaign_id: str, count: int, **changes: Any) -> pl.DataFrame:
    rows = [
        {
            "campaign_id": campaign_id,
            "lead_id": f"ld_{index}",
            "score": float(index % 100),
            "tier": "warm",
            "parts": "[]",
            "ruleset": "b2b-rules-1",
        }
        | changes
        for index in range(count)
    ]
    return Score.frame(rows)
