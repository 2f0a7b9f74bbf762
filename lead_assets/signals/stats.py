"""The figures of a run, in all and of each campaign: what an asset shows of its purchase."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lead_assets.ledger.model import Spent, to_usd

if TYPE_CHECKING:
    import polars as pl


@dataclass
class SignalStats:
    """What a run did for one signal."""

    leads: int = 0
    subjects: Counter[str] = field(default_factory=Counter)
    """Distinct subjects, by the campaign that pays for them."""
    spent: defaultdict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    """By campaign."""
    found: int = 0
    """Subjects with a value."""
    missed: Counter[str] = field(default_factory=Counter)
    """Subjects without a value, by reason; leads without a subject count under no_subject."""

    @property
    def total(self) -> Spent:
        """Of all campaigns."""
        total = Spent()
        for each in self.spent.values():
            total.add(each)
        return total

    def add(self, spent: Mapping[str, Spent]) -> None:
        for campaign, each in spent.items():
            self.spent[campaign].add(each)

    def add_chained(self, other: SignalStats) -> None:
        """What had to be bought first, in order to ask at all: its cost is this run's, its answers are another signal's."""
        for campaign, each in other.spent.items():
            self.spent[campaign].add_cost(each)

    def metadata(self) -> dict[str, Any]:
        """Of the whole run."""
        missed = dict(sorted(self.missed.items()))
        return {"leads": self.leads, "subjects": self.subjects.total(), "found": self.found, "missed": missed, **money(self.total)}

    def figures(self, frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
        """campaign → what its materialization shows. `frame` is the signal's table for the run: rows are counted, which sum over campaigns."""
        figures: dict[str, dict[str, Any]] = {}
        for (campaign,), rows in frame.partition_by("campaign_id", as_dict=True).items():
            missed = rows.filter(rows["state"] != "found")["reason"].fill_null("no_result").value_counts().sort("reason")
            figures[str(campaign)] = {
                "found": int((rows["state"] == "found").sum()),
                "missed": int(missed["count"].sum()),
                "missed_by_reason": dict(missed.iter_rows()),
            }
        for campaign in {*figures, *self.spent, *self.subjects}:
            shown = figures.setdefault(campaign, {"found": 0, "missed": 0, "missed_by_reason": {}})
            shown |= {"subjects": self.subjects[campaign], **money(self.spent[campaign])}
        return figures


def money(spent: Spent) -> dict[str, Any]:
    """The figures that every asset that buys shows, under the names that all of them use."""
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
