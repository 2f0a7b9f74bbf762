"""Turns judged cases into rows: one per lead, valid or quarantined, with its cost; rules answer if no model was available.

Belongs here: what all tables of answers share, and checking whether stored rows still meet their contracts. Does not belong here: which table (each
room's own), or how a case is decided (`cases`).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import polars as pl
from pydantic import ValidationError

from lead_assets.contracts import Table, canonical_json
from lead_assets.contracts.base import column_of_values
from lead_assets.ledger.figures import money
from lead_assets.ledger.model import Answer, Spent, to_usd
from lead_assets.model import governance
from lead_assets.model.cases import KEYS, Case
from lead_assets.model.profile import RULES_MODEL, Answered, Profile

_LONGEST_REASON = 2_000


def as_frames(
    cases: Iterable[Case], good_rows: type[Table], bad_rows: type[Table], *, synthetic: bool
) -> tuple[pl.DataFrame, pl.DataFrame, AnswerStats]:
    """Rows that met the contract, rows that did not (every lead is in exactly one), and figures for the materialization's metadata."""
    cases = list(cases)
    good: dict[Profile, list[_AnsweredLead]] = defaultdict(list)
    bad: dict[Profile, list[_AnsweredLead]] = defaultdict(list)
    unanswered = [case for case in cases if case.unavailable is not None]
    judged = governance.judge_rules([(case.profile, case.facts) for case in unanswered])
    by_rules = {id(case): verdict for case, verdict in zip(unanswered, judged, strict=True)}
    for case in cases:
        answer, last = case.accepted, case.answers[-1] if case.answers else None
        if (verdict := by_rules.get(id(case))) is not None:
            answer, case.violations = verdict.answer, verdict.violations
        rows = (bad if answer is None else good)[case.profile]
        rows += [_AnsweredLead(case, lead, answer, last, paid) for lead, paid in zip(case.leads, _paid(case), strict=True)]
    return _frame(good_rows, good, _answered, synthetic), _frame(bad_rows, bad, _rejected, synthetic), AnswerStats(cases)


def broken_contracts(classifications: pl.DataFrame, profiles: Mapping[str, Profile]) -> dict[str, int]:
    """Rows whose `answer` does not meet its profile's contract, or whose columns differ from it; counted by "profile: what is wrong".

    `classifications`: any table of answers with the columns profile, schema_version, answer, model and those of the profiles. {} means no problems.
    """
    found: Counter[str] = Counter()
    for (name, version), rows in classifications.partition_by("profile", "schema_version", as_dict=True).items():
        editions = profiles[name].editions if name in profiles else ()
        profile = next((each for each in editions if each.version == version), None)
        if profile is not None:
            found.update(f"{name}: {fault}" for fault in _faults(rows, profile))
        else:
            found[f"{name}: version {version} is not {editions[0].version}" if editions else f"{name}: no such profile"] += rows.height
    return dict(sorted(found.items()))


class _AnsweredLead(NamedTuple):
    """One lead's: `answer` is None in quarantine, `last` if rules answered; `paid` are the answers that it paid for."""

    case: Case
    lead: dict[str, Any]
    answer: Answered | None
    last: Answer | None
    paid: Sequence[Answer]


_Columns = dict[str, list[Any]]


def _frame(
    table: type[Table],
    found: Mapping[Profile, list[_AnsweredLead]],
    own: Callable[[Profile, list[_AnsweredLead]], _Columns],
    synthetic: bool,
) -> pl.DataFrame:
    """The rows, by profile; `own` gives the columns that not all tables of answers have. What a profile has no column for is null."""
    schema = table.polars_schema()
    values: _Columns = {name: [] for name in schema}
    for profile, rows in found.items():
        columns = _common(profile, rows, synthetic) | own(profile, rows)
        for name, listed in values.items():
            listed += columns.get(name) or [None] * len(rows)
    return pl.DataFrame([column_of_values(name, values[name], dtype) for name, dtype in schema.items()]).sort(KEYS)


def _common(profile: Profile, rows: list[_AnsweredLead], synthetic: bool) -> _Columns:
    return {
        "campaign_id": [row.lead["campaign_id"] for row in rows],
        "lead_id": [row.lead["lead_id"] for row in rows],
        "profile": [profile.name] * len(rows),
        "schema_version": [profile.version] * len(rows),
        "model": [RULES_MODEL if row.last is None else str(row.last.body.get("model") or "") for row in rows],
        "synthetic": [synthetic and row.last is not None for row in rows],
        "input_tokens": [sum([answer.input_tokens for answer in row.paid]) for row in rows],
        "output_tokens": [sum([answer.output_tokens for answer in row.paid]) for row in rows],
        "cost_usd": [to_usd(sum([answer.cost_micros for answer in row.paid])) for row in rows],
    }


def _answered(profile: Profile, rows: list[_AnsweredLead]) -> _Columns:
    fields = [vars(row.answer) if profile.is_exact else row.answer.model_dump() for row in rows if row.answer is not None]
    return {
        "answer": [canonical_json(said) for said in fields],
        "attempts": [len(row.case.answers) for row in rows],
        "enriched_at": _decided_at(rows),
        "fallback_reason": [row.case.unavailable for row in rows],
        **{column: [said[name] for said in fields] for name, column in profile.columns.items()},
    }


def _rejected(_: Profile, rows: list[_AnsweredLead]) -> _Columns:
    return {
        "code": [row.case.violations[0].code for row in rows],
        "reason": ["; ".join(map(str, row.case.violations))[:_LONGEST_REASON] for row in rows],
        "attempt": [len(row.case.answers) for row in rows],
        "raw_text": [row.case.last_text for row in rows],
        "quarantined_at": _decided_at(rows),
    }


def _decided_at(rows: list[_AnsweredLead]) -> list[datetime | None]:
    """When the model answered; for rules, when the lead was received."""
    return [row.lead["received_at"] if row.last is None else row.last.answered_at for row in rows]


def _paid(case: Case) -> list[list[Answer]]:
    """For each lead, the answers that it pays for: an answer's cost counts once, on the first lead of the campaign that paid. Others got it for free."""
    paid: list[list[Answer]] = [[] for _ in case.leads]
    first: dict[str, list[Answer]] = {}
    for lead, own in zip(case.leads, paid, strict=True):
        first.setdefault(lead["campaign_id"], own)
    for answer in case.answers:
        if answer.campaign_id in first:
            first[answer.campaign_id].append(answer)
    return paid


def _faults(rows: pl.DataFrame, profile: Profile) -> Iterator[str]:
    """What is wrong with each row in which something is."""
    names, columns = list(profile.columns), list(profile.columns.values())
    for (text, model), shown in zip(rows.select("answer", "model").iter_rows(), rows.select(columns).iter_rows(), strict=True):
        by_rules = model == RULES_MODEL
        try:
            answer = (profile.rules_contract if by_rules else profile.contract).model_validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            yield f"{'.'.join(map(str, first['loc']))}: {first['type']}"
            continue
        fields = vars(answer) if profile.is_exact else orjson.loads(text)
        if not by_rules and (absent := [name for name in profile.model_only if fields[name] is None]):
            yield f"{absent[0]}: missing"
        elif (said := tuple(map(fields.__getitem__, names))) != shown:
            moved = next(column for column, value, other in zip(columns, shown, said, strict=True) if value != other)
            yield f"column {moved} differs from the answer"


@dataclass
class _Count:
    """Counts for one campaign's leads, and for the questions that its leads were the first to ask."""

    questions: int = 0
    bought: list[Answer] = field(default_factory=list)
    saved: int = 0
    classified: int = 0
    repaired: int = 0
    looked_again: int = 0
    by_rules: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)

    def add(self, other: _Count) -> None:
        self.questions += other.questions
        self.bought += other.bought
        self.saved += other.saved
        self.classified += other.classified
        self.repaired += other.repaired
        self.looked_again += other.looked_again
        self.by_rules += other.by_rules
        self.quarantined += other.quarantined

    def shown(self) -> dict[str, Any]:
        spent = Spent(
            hits=self.saved,
            bought=len(self.bought),
            cost_micros=sum(answer.cost_micros for answer in self.bought),
            latencies_ms=[answer.latency_ms for answer in self.bought],
        )
        return {
            "leads": self.classified + self.quarantined.total(),
            "classified": self.classified,
            "quarantined": self.quarantined.total(),
            "quarantined_by_code": dict(sorted(self.quarantined.items())),
            "by_rules": self.by_rules.total(),
            "by_rules_for": dict(sorted(self.by_rules.items())),
            "questions": self.questions,
            "repaired": self.repaired,
            "looked_again": self.looked_again,
            **money(spent),
            "input_tokens": sum(answer.input_tokens for answer in self.bought),
            "cached_tokens": sum((answer.body.get("usage") or {}).get("cache_read_input_tokens") or 0 for answer in self.bought),
            "output_tokens": sum(answer.output_tokens for answer in self.bought),
        }


class AnswerStats:
    """The figures of all questions, in total and per campaign: a question counts for the campaign of its first lead, which pays."""

    def __init__(self, cases: Iterable[Case] = ()) -> None:
        self._of: defaultdict[str, _Count] = defaultdict(_Count)
        self.looks: dict[str, tuple[set[str], float]] = {}
        """campaign → keys looked up in the ledger for its leads, and until when the answers hold (seconds since the epoch)."""
        for case in cases:
            self._count(case)

    def _count(self, case: Case) -> None:
        payer = self._of[case.leads[0]["campaign_id"]]
        bought = [answer for answer in case.answers if answer.bought]
        payer.questions += 1
        payer.bought += bought
        payer.saved += len(case.answers) - len(bought)
        payer.repaired += case.accepted is not None and len(case.answers) - case.looks > 1
        payer.looked_again += case.looks
        for lead in case.leads:
            own = self._of[lead["campaign_id"]]
            if case.accepted is None and case.violations:
                own.quarantined[case.violations[0].code] += 1
            else:
                own.classified += 1
            if case.unavailable is not None:
                own.by_rules[case.unavailable] += 1
            keys, until = self.looks.get(lead["campaign_id"], (set(), math.inf))
            keys |= case.keys  # in place: one copy per lead would be quadratic
            self.looks[lead["campaign_id"]] = keys, min(until, case.until)

    def total(self) -> dict[str, Any]:
        total = _Count()
        for each in self._of.values():
            total.add(each)
        return total.shown()

    def figures(self) -> dict[str, dict[str, Any]]:
        return {campaign: count.shown() for campaign, count in self._of.items()}
