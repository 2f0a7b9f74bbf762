"""The figures of a run: what an asset shows of its purchase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lead_assets.ledger.model import to_usd

if TYPE_CHECKING:
    from lead_assets.ledger.purchase import Purchase


@dataclass
class SignalStats:
    """What a run did for one signal; `metadata` is what the asset shows."""

    leads: int = 0
    subjects: int = 0
    hits: int = 0
    """Answers that were in the ledger, bought by this campaign or another."""
    bought: int = 0
    """Answers that providers gave in this run."""
    found: int = 0
    """Subjects with a value."""
    missed: Counter[str] = field(default_factory=Counter)
    """Subjects without a value, by reason; leads without a subject count under no_subject."""
    cost_micros: int = 0
    """What this run spent."""
    uncertain: int = 0
    """Calls that may have been billed and whose answer was lost."""
    latencies_ms: list[int] = field(default_factory=list)
    """Of each request that was answered."""

    def add(self, purchase: Purchase) -> None:
        self.hits += purchase.hits
        self.bought += purchase.bought
        self.cost_micros += purchase.cost_micros
        self.uncertain += purchase.uncertain
        self.latencies_ms += purchase.latencies_ms

    def add_chained(self, other: SignalStats) -> None:
        """What had to be bought first, in order to ask at all: its cost is this run's, its answers are another signal's."""
        self.cost_micros += other.cost_micros
        self.uncertain += other.uncertain
        self.latencies_ms += other.latencies_ms

    def metadata(self) -> dict[str, Any]:
        latencies = sorted(self.latencies_ms)
        return {
            "leads": self.leads,
            "subjects": self.subjects,
            "ledger_hits": self.hits,
            "bought": self.bought,
            "found": self.found,
            "missed": dict(sorted(self.missed.items())),
            "cost_usd": float(to_usd(self.cost_micros)),
            "uncertain_calls": self.uncertain,
            "latency_p50_ms": _percentile(latencies, 0.50),
            "latency_p95_ms": _percentile(latencies, 0.95),
        }


def _percentile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
