"""The metadata names that all rooms use for the cost of a purchase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lead_assets.ledger.model import Spent, to_usd


def money(spent: Spent) -> dict[str, Any]:
    """Calls, US dollars and milliseconds, as metadata for an asset's materialization."""
    latencies = sorted(spent.latencies_ms)
    return {
        "calls_saved": spent.hits,
        "calls_bought": spent.bought,
        "cost_usd": float(to_usd(spent.cost_micros)),
        "uncertain_calls": spent.uncertain,
        "latency_p50_ms": _percentile(latencies, 0.50),
        "latency_p95_ms": _percentile(latencies, 0.95),
    }


def _percentile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
