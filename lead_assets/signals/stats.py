"""The figures of a run, in all and of each campaign: what an asset shows of its purchase."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lead_assets.ledger.figures import money
from lead_assets.ledger.model import Spent, Want

if TYPE_CHECKING:
    import polars as pl


@dataclass
class Look:
    """What was looked for in the ledger for a subject, answered or not, and until when the answers stand (seconds since the epoch)."""

    keys: set[str] = field(default_factory=set)
    until: float = math.inf


@dataclass
class SignalStats:
    """What a run did for one signal."""

    leads: int = 0
    subjects: Counter[str] = field(default_factory=Counter)
    """Distinct subjects, by the campaign that pays for them."""
    spent: defaultdict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    """By campaign."""
    looks: dict[str, Look] = field(default_factory=dict)
    """By subject."""
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
        """What had to be bought first, in order to ask at all. What the ledger held of it saves nothing here: it is another signal's answer."""
        for campaign, each in other.spent.items():
            own = self.spent[campaign]
            own.bought += each.bought
            own.add_cost(each)

    def looked(self, subject: str, want: Want, until: float) -> None:
        """Note that an answer was looked for, and how long it stands."""
        look = self.looks.setdefault(subject, Look())
        look.keys.add(want.key)
        look.until = min(look.until, until)

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
