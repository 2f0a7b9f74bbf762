"""Classify leads: what each shows its profile is asked once, judged by the contract, mended at most once, and else quarantined; rules answer where no
model can be had.

Belongs here: the walk from frames to frames and what becomes of each kind of answer. Does not belong here: the words of the prompt (`prompt`), the rules
an answer is held to (`governance`), the wire (`client`), or buying (`lead_assets.ledger.purchase`).
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from lead_assets.classification import governance, prompt, rules
from lead_assets.classification.buying import Mode, purchase
from lead_assets.classification.client import OPERATION, PROVIDER, Attempt, most_tokens
from lead_assets.classification.governance import Violation
from lead_assets.classification.profile import Answered, Facts, Profile
from lead_assets.classification.rulebook import Rulebook, choose, load_rulebook
from lead_assets.contracts import Classification, Quarantined, canonical_json
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import Answer, Lifetimes, Want, to_usd
from lead_assets.settings import Settings

# What a model said of the same facts does not age: only other facts, another prompt, contract or model ask again.
_LIFETIMES = Lifetimes(found=timedelta(days=36_500), not_found=timedelta(days=36_500))

_LONGEST_REASON = 2_000

Buy = Callable[[Sequence[Want]], Mapping[str, Answer]]
"""Wants in, an answer for each want's key out."""


@dataclass(frozen=True)
class Classified:
    """Every lead is in exactly one of the two frames. `stats` is for the materialization's metadata."""

    classifications: pl.DataFrame
    quarantine: pl.DataFrame
    stats: dict[str, Any]


@dataclass
class Case:
    """One question: all leads that show a profile the same facts."""

    profile: Profile
    facts: Facts
    leads: list[dict[str, Any]]
    """campaign_id, lead_id, received_at of each, first received first."""
    answers: list[Answer] = field(default_factory=list)
    """Attempts that were answered, in order."""
    accepted: Answered | None = None
    violations: tuple[Violation, ...] = ()
    unavailable: str | None = None
    """Why no model answered, where none did."""


def classify(
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    rulebook: Rulebook | None = None,
    mode: Mode = "interactive",
    buy: Buy | None = None,
) -> Classified:
    """Classify `leads` (rows of identity.leads, any number of campaigns) with what `enriched` (rows of signals.enriched_leads) adds to them.

    Returns frames of contracts.Classification and contracts.Quarantined. `mode` "batch" costs half and may take hours. `rulebook` replaces the declared
    rules and profiles, `buy` the way of buying. Raises ValueError for rules that cannot be used; no failure of the provider raises.
    """
    book = rulebook or load_rulebook(settings)
    cases = gather(leads, enriched, book)
    if buy is None:
        buy = functools.partial(purchase, ledger=ledger, settings=settings, book=book, mode=mode)
    ask(cases, buy, settings.anthropic_model, book)
    return _as_frames(cases, synthetic=settings.world == "sandbox")


def gather(leads: pl.DataFrame, enriched: pl.DataFrame, book: Rulebook) -> list[Case]:
    """Leads by what they show: one case for each different question, in order of first receipt."""
    if leads.is_empty():
        return []
    keys = ["campaign_id", "lead_id"]
    added = enriched.rename({name: f"enriched.{name}" for name in enriched.columns if name not in keys})
    wide = (
        leads.with_columns(choose(leads, book.profiles, book.limits))
        .join(added, on=keys, how="left", validate="1:1")
        .sort("received_at", *keys)
    )
    cases: dict[tuple[str, str], Case] = {}
    for name, part in wide.partition_by("profile", as_dict=True, maintain_order=True).items():
        profile = book.profiles[str(name[0])]
        rows = part.select(*keys, "received_at").to_dicts()
        for row, facts in zip(rows, prompt.facts_of(profile, part), strict=True):
            shown = prompt.facts_hash(facts)
            if (case := cases.get((profile.name, shown))) is None:
                case = cases[profile.name, shown] = Case(profile, facts, [])
            case.leads.append(row)
    return list(cases.values())


def ask(cases: Sequence[Case], buy: Buy, model: str, book: Rulebook) -> None:
    """Fill in what became of each case: one attempt each, and one more for those that a second one may mend."""
    first = {id(case): first_want(case, model, book) for case in cases}
    answers = buy(list(first.values()))
    for case in cases:
        _take(case, answers[first[id(case)].key])
    if not book.limits.repair:
        return
    second = {id(case): want for case in cases if (want := second_want(case, first[id(case)], model, book)) is not None}
    if not second:
        return
    answers = buy(list(second.values()))
    for case in cases:
        if (want := second.get(id(case))) is not None:
            _take(case, answers[want.key])


def first_want(case: Case, model: str, book: Rulebook) -> Want:
    """The first attempt, named by all that the model sees."""
    attempt = Attempt(case.profile, prompt.first_request(case.profile, case.facts), book.limits.calls.max_tokens)
    seen = {
        "profile": case.profile.name,
        "version": case.profile.version,
        "prompt": prompt.prompt_hash(case.profile),
        "contract": case.profile.contract_hash,
        "model": model,
    }
    return _want(case, attempt, seen, model, book)


def second_want(case: Case, first: Want, model: str, book: Rulebook) -> Want | None:
    """The one second attempt, or None where there is nothing to mend or mending cannot help.

    It is named by the answer it mends and not by the faults found: each answer is mended once, however often the rules of governance are reworded.
    """
    if case.accepted is not None or not case.answers or _codes(case) & {"refusal"}:
        return None
    text = _text(case.answers[-1])
    if "truncated" in _codes(case):
        attempt = Attempt(case.profile, prompt.first_request(case.profile, case.facts), book.limits.calls.truncated_max_tokens)
    else:
        request = prompt.mending_request(case.profile, case.facts, text, [str(violation) for violation in case.violations])
        attempt = Attempt(case.profile, request, book.limits.calls.max_tokens)
    mended = {**first.parameters, "attempt": 2, "mends": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]}
    return _want(case, attempt, mended, model, book)


def _want(case: Case, attempt: Attempt, parameters: dict[str, Any], model: str, book: Rulebook) -> Want:
    return Want(
        provider=PROVIDER,
        operation=OPERATION,
        subject=prompt.facts_hash(case.facts),
        price_micros=book.prices.most_micros(model, most_tokens(attempt), attempt.max_tokens),
        campaign_id=case.leads[0]["campaign_id"],
        lifetimes=_LIFETIMES,
        parameters=parameters,
        payload=attempt,
    )


def _take(case: Case, answer: Answer) -> None:
    """Judge an attempt's answer. A second attempt that got none leaves the first one's judgement standing."""
    if answer.state != "found" or not isinstance(answer.body, dict):
        if not case.answers:
            case.unavailable = answer.reason or "provider_error"
        return
    case.answers.append(answer)
    stop_reason = answer.body.get("stop_reason")
    if stop_reason == "refusal":
        case.violations = (Violation("refusal", "", "the model refused to answer"),)
    elif stop_reason in ("max_tokens", "model_context_window_exceeded"):
        case.violations = (Violation("truncated", "", "the answer was cut off at its token limit"),)
    else:
        judged = governance.judge(case.profile, case.facts, _text(answer))
        case.accepted, case.violations = judged.answer, judged.violations


def _as_frames(cases: Iterable[Case], *, synthetic: bool) -> Classified:
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    stats = _Stats()
    for case in cases:
        stats.count(case)
        if case.unavailable is not None:
            _answer_by_rules(case, good, bad)
            continue
        payers = _payers(case)
        for lead in case.leads:
            row = _common(case, lead) | _paid(payers.get((lead["campaign_id"], lead["lead_id"]), []))
            row |= {"model": _model(case.answers[-1]), "synthetic": synthetic}
            if case.accepted is not None:
                good.append(
                    row | _answered(case.profile, case.accepted) | {"attempts": len(case.answers), "enriched_at": _answered_at(case)}
                )
            else:
                bad.append(row | _rejected(case) | {"raw_text": _text(case.answers[-1]), "quarantined_at": _answered_at(case)})
    order = ["campaign_id", "lead_id"]
    return Classified(Classification.frame(good).sort(order), Quarantined.frame(bad).sort(order), stats.as_dict(len(good), len(bad)))


def _answer_by_rules(case: Case, good: list[dict[str, Any]], bad: list[dict[str, Any]]) -> None:
    judged = governance.judge_rules(case.profile, case.facts, case.profile.by_rules(case.facts))
    case.violations = judged.violations
    for lead in case.leads:
        row = _common(case, lead) | _paid([]) | {"model": rules.MODEL, "synthetic": False}
        if judged.answer is not None:
            own = {"fallback_reason": case.unavailable, "attempts": 0, "enriched_at": lead["received_at"]}
            good.append(row | _answered(case.profile, judged.answer) | own)
        else:
            bad.append(row | _rejected(case) | {"raw_text": "", "quarantined_at": lead["received_at"]})


def _common(case: Case, lead: dict[str, Any]) -> dict[str, Any]:
    return {
        "campaign_id": lead["campaign_id"],
        "lead_id": lead["lead_id"],
        "profile": case.profile.name,
        "schema_version": case.profile.version,
    }


def _answered(profile: Profile, answer: Answered) -> dict[str, Any]:
    fields = answer.model_dump()
    return {"answer": canonical_json(fields), **{column: fields[name] for name, column in profile.columns.items()}}


def _rejected(case: Case) -> dict[str, Any]:
    reason = "; ".join(str(violation) for violation in case.violations)
    return {"code": case.violations[0].code, "reason": reason[:_LONGEST_REASON], "attempt": len(case.answers)}


def _payers(case: Case) -> dict[tuple[str, str], list[Answer]]:
    """An answer counts once: on the first lead of the campaign that paid for it. Other leads, and other campaigns, had it for nothing."""
    paid: dict[tuple[str, str], list[Answer]] = {}
    for answer in case.answers:
        lead = next((lead for lead in case.leads if lead["campaign_id"] == answer.campaign_id), None)
        if lead is not None:
            paid.setdefault((lead["campaign_id"], lead["lead_id"]), []).append(answer)
    return paid


def _paid(answers: Sequence[Answer]) -> dict[str, Any]:
    return {
        "input_tokens": sum(answer.input_tokens for answer in answers),
        "output_tokens": sum(answer.output_tokens for answer in answers),
        "cost_usd": to_usd(sum(answer.cost_micros for answer in answers)),
    }


def _answered_at(case: Case) -> datetime | None:
    return case.answers[-1].answered_at


def _codes(case: Case) -> set[str]:
    return {violation.code for violation in case.violations}


def _text(answer: Answer) -> str:
    return str(answer.body.get("text") or "")


def _model(answer: Answer) -> str:
    return str(answer.body.get("model") or "")


class _Stats:
    """What a materialization says of itself."""

    def __init__(self) -> None:
        self.cases = 0
        self.bought: list[Answer] = []
        self.by_rules: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.repaired = 0

    def count(self, case: Case) -> None:
        self.cases += 1
        self.bought += [answer for answer in case.answers if answer.bought]
        if case.unavailable is not None:
            self.by_rules[case.unavailable] += len(case.leads)
        elif case.accepted is None:
            self.quarantined[case.violations[0].code] += len(case.leads)
        elif len(case.answers) > 1:
            self.repaired += 1

    def as_dict(self, classified: int, quarantined: int) -> dict[str, Any]:
        latencies = sorted(answer.latency_ms for answer in self.bought)
        return {
            "leads": classified + quarantined,
            "classified": classified,
            "quarantined": quarantined,
            "quarantined_by_code": dict(sorted(self.quarantined.items())),
            "by_rules": dict(sorted(self.by_rules.items())),
            "questions": self.cases,
            "calls": len(self.bought),
            "repaired": self.repaired,
            "cost_usd": float(to_usd(sum(answer.cost_micros for answer in self.bought))),
            "input_tokens": sum(answer.input_tokens for answer in self.bought),
            "output_tokens": sum(answer.output_tokens for answer in self.bought),
            "latency_ms_p50": latencies[len(latencies) // 2] if latencies else None,
            "latency_ms_p95": latencies[int(len(latencies) * 0.95)] if latencies else None,
        }
