"""A run's figures, in total and per campaign: what an asset shows about its purchases."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lead_assets.ledger.figures import money
from lead_assets.ledger.model import Spent

if TYPE_CHECKING:
    import polars as pl


@dataclass(slots=True)
class Look:
    """Keys looked up in the ledger for a campaign, answered or not, and until when the answers hold (seconds since the epoch)."""

    keys: set[str] = field(default_factory=set)
    until: float = math.inf


@dataclass(slots=True)
class Looks:
    """What was looked up in the ledger, in columns: about which subject, under which key, and until when that holds. A subject has as many rows as looks."""

    subjects: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    until: list[float] = field(default_factory=list)

    def add(self, subjects: Sequence[str], keys: Sequence[str], until: Sequence[float]) -> None:
        self.subjects += subjects
        self.keys += keys
        self.until += until

    def add_all(self, other: Looks) -> None:
        self.add(other.subjects, other.keys, other.until)

    def end(self, subjects: Collection[str]) -> None:
        """What was looked up about these subjects does not hold."""
        self.until = [0.0 if subject in subjects else until for subject, until in zip(self.subjects, self.until, strict=True)]

    def by_subject(self) -> dict[str, set[str]]:
        """Subject → keys."""
        found: dict[str, set[str]] = {}
        for subject, key in zip(self.subjects, self.keys, strict=True):
            found.setdefault(subject, set()).add(key)
        return found

    def by_campaign(self, pairs: Iterable[tuple[str, str | None]]) -> dict[str, Look]:
        """Campaign → everything looked up about its subjects, whoever paid. `pairs`: campaigns with their subjects."""
        looks: dict[str, Look] = {}
        of_subject: dict[str | None, list[Look]] = {}
        for campaign, subject in pairs:
            of_subject.setdefault(subject, []).append(looks.setdefault(campaign, Look()))
        for subject, key, until in zip(self.subjects, self.keys, self.until, strict=True):
            for look in of_subject.get(subject, ()):
                look.keys.add(key)
                if until < look.until:
                    look.until = until
        return looks


@dataclass
class SignalStats:
    """A run's figures for one signal."""

    leads: int = 0
    subjects: Counter[str] = field(default_factory=Counter)
    """Number of distinct subjects, by paying campaign."""
    spent: defaultdict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    """By campaign."""
    looks: Looks = field(default_factory=Looks, repr=False)
    recalled: set[str] = field(default_factory=set, repr=False)
    """Keys that were only looked for, and not bought if nobody had bought them."""
    given: Counter[str] = field(default_factory=Counter)
    """Number of subjects that were not asked about because a lead of the campaign brings the answer, by campaign."""
    found: int = 0
    """Subjects with a value."""
    missed: Counter[str] = field(default_factory=Counter)
    """Subjects without a value, by reason; leads without a subject count under no_subject."""

    @property
    def total(self) -> Spent:
        """The figures over all campaigns."""
        total = Spent()
        for each in self.spent.values():
            total.add(each)
        return total

    def add(self, spent: Mapping[str, Spent]) -> None:
        for campaign, each in spent.items():
            self.spent[campaign].add(each)

    def add_chained(self, other: SignalStats) -> None:
        """Add purchases that were needed before asking. Ledger hits among them do not count as savings: they are another signal's answers."""
        for campaign, each in other.spent.items():
            own = self.spent[campaign]
            own.bought += each.bought
            own.add_cost(each)

    def add_earlier(self, other: SignalStats) -> None:
        """Add purchases made earlier in the same step. Their answers were then found in the ledger, which saved nothing."""
        for campaign, each in other.spent.items():
            own = self.spent[campaign]
            own.hits = max(own.hits - each.bought, 0)
            own.bought += each.bought
            own.add_cost(each)

    def metadata(self) -> dict[str, Any]:
        """The figures of the whole run."""
        missed = dict(sorted(self.missed.items()))
        return {
            "leads": self.leads,
            "subjects": self.subjects.total(),
            "found": self.found,
            "given": self.given.total(),
            "missed": missed,
            **money(self.total),
        }

    def figures(self, frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
        """campaign → metadata of its materialization. `frame` is the signal's table for the run: the row counts of all campaigns add up to its rows."""
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
            shown |= {"subjects": self.subjects[campaign], "given": self.given[campaign], **money(self.spent[campaign])}
        return figures
