"""Cases: each distinct question is asked once, its answer judged, repaired at most once, looked at again if it is doubted, and asked again only by a replay.

Belongs here: the way from frames of leads to judged answers, common to everything a model is asked. Does not belong here: the resulting rows
(`outcome`), the wording of the prompt (`prompt`), the rules of judgement (`governance`), or buying (`buying`).

The result of a case is derived from the ledger alone, so a rebuild gives the same. A question may have several generations: 0 is the first time it was
asked, and each replay that sent it again adds one. A run follows the generations in the ledger until an answer meets its contract.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import polars as pl

from lead_assets.core.columns import beside
from lead_assets.ledger.model import Answer, AnswerKeys, Lifetimes, Want, stands_until
from lead_assets.model import doubts, governance, prompt
from lead_assets.model.client import OPERATION, PROVIDER, Attempt, most_tokens
from lead_assets.model.governance import Claim, Violation
from lead_assets.model.profile import Answered, Facts, Profile
from lead_assets.model.rulebook import Limits, Rulebook

# A model's answer about the same facts does not expire: only different facts, or another prompt, contract or model, ask again.
LIFETIMES = Lifetimes(found=timedelta(days=36_500), not_found=timedelta(days=36_500))

KEYS = ["campaign_id", "lead_id"]

Buy = Callable[[Sequence[Want]], Mapping[str, Answer]]
"""Wants in, an answer per want's key out."""
Serve = Callable[[Sequence[str]], Mapping[str, Answer]]
"""Keys in, the answers out that `Buy` would take from the ledger for them."""


@dataclass
class Case:
    """One question, for all leads that show a profile the same facts."""

    profile: Profile
    facts: Facts
    rendered: str
    """The facts as the model sees them."""
    leads: list[dict[str, Any]]
    """campaign_id, lead_id, received_at of each lead, oldest first."""
    answers: list[Answer] = field(default_factory=list)
    """Answered attempts, in order."""
    accepted: Answered | None = None
    violations: tuple[Violation, ...] = ()
    suspicious: bool = False
    """The facts' text may speak to a model."""
    canary: str | None = None
    """The word that `rendered` tempts the model with, if the case is suspicious."""
    doubts: tuple[Violation, ...] = ()
    """What speaks against an answer that meets the contract."""
    looks: int = 0
    """Second looks among `answers`."""
    unavailable: str | None = None
    """Why no model answered, if none did."""
    keys: set[str] = field(default_factory=set)
    """Keys of all wants that were looked up, answered or not."""
    until: float = math.inf
    """When asking again may give a different result, in seconds since the epoch."""
    subject: str = field(init=False)
    """What the ledger knows the question by."""

    def __post_init__(self) -> None:
        self.subject = hashlib.sha256(self.rendered.encode()).hexdigest()

    @property
    def codes(self) -> set[str]:
        return {violation.code for violation in self.violations}

    @property
    def last_text(self) -> str:
        return text_of(self.answers[-1]) if self.answers else ""

    @property
    def in_quarantine(self) -> bool:
        """A model answered, but its answer does not meet the contract."""
        return bool(self.answers) and self.accepted is None


@dataclass(frozen=True)
class Asking:
    """How questions are asked."""

    book: Rulebook[Limits]
    model: str
    buy: Buy
    held: Serve
    """The ledger's best answers, however old."""
    serve: Serve
    fix: str | None = None
    """Set by a replay: questions with a quarantined answer are asked once more, unless that answer was itself requested under this fix."""


def gather(leads: pl.DataFrame, profiles: pl.Series, book: Rulebook[Limits], **others: pl.DataFrame) -> list[Case]:
    """Group leads by what they show: one case per distinct question, in order of first receipt.

    `leads`: rows of identity.leads; `profiles`: each lead's profile name; `others`: rows of other tables, named as in `profile.Source`.
    """
    if leads.is_empty():
        return []
    seen_columns = {column for name in profiles.unique() for column in prompt.columns_of(book.profiles[str(name)]).values()}
    wide = leads.select(*KEYS, "received_at", *(name for name in leads.columns if name in seen_columns), profiles.alias("profile"))
    for source, frame in others.items():
        added = {name: f"{source}.{name}" for name in frame.columns if f"{source}.{name}" in seen_columns}
        wide = beside(wide, frame.select(*KEYS, *(pl.col(name).alias(column) for name, column in added.items())), KEYS)
    cases: dict[tuple[str, str], Case] = {}
    for name, part in wide.sort("received_at", *KEYS).partition_by("profile", as_dict=True, maintain_order=True).items():
        profile = book.profiles[str(name[0])]
        rows, seen = part.select(*KEYS, "received_at").to_dicts(), prompt.see(profile, part)
        for place, (row, facts, shown) in enumerate(zip(rows, seen.facts, seen.rendered, strict=True)):
            canary = doubts.canary_of(facts) if place in seen.hinting and doubts.is_suspicious(profile, facts) else None
            if canary is not None:
                shown = prompt.render({**facts, doubts.CANARY: doubts.canary_fact(canary)})
            if (case := cases.get((profile.name, shown))) is None:
                case = cases[profile.name, shown] = Case(profile, facts, shown, [], suspicious=canary is not None, canary=canary)
            case.leads.append(row)
    return list(cases.values())


def ask(cases: Sequence[Case], asking: Asking) -> list[Case]:
    """Fill in the result of each case. Returns the cases that were sent again."""
    _keep_editions(cases, asking)
    _put(cases, 0, asking)
    sent_again: list[Case] = []
    generation, pending = 1, [case for case in cases if case.in_quarantine]
    while pending:
        keys = _first_keys(pending, generation, asking)
        held = asking.held(keys)
        for case, key in zip(pending, keys, strict=True):
            case.keys.add(key)
        known = [case for case, key in zip(pending, keys, strict=True) if _is_found(held, key)]
        again = [
            case for case in pending if asking.fix is not None and case not in known and case.answers[-1].body.get("fix") != asking.fix
        ]
        _put([*known, *again], generation, asking)
        sent_again += again
        generation, pending = generation + 1, [case for case in known if case.in_quarantine]
    return sent_again


def _keep_editions(cases: Sequence[Case], asking: Asking) -> None:
    """Cases that were answered under an earlier edition of their profile stay with it, so that a new field of a contract buys nothing again."""
    makers = {profile: [(edition, _makes_keys(edition, 0, asking)) for edition in profile.editions[1:]] for profile in _profiles(cases)}
    earlier = [(case, edition, keys.of(case.subject)) for case in cases for edition, keys in makers[case.profile]]
    held = asking.held([key for _, _, key in earlier]) if earlier else {}
    # From the oldest on, so that of several answers the newest edition's stands.
    for case, edition, key in reversed(earlier):
        case.keys.add(key)
        if _is_found(held, key):
            case.profile = edition


def _is_found(held: Mapping[str, Answer], key: str) -> bool:
    return key in held and held[key].state == "found"


def first_want(case: Case, generation: int, asking: Asking) -> Want:
    """The first attempt of a generation, identified by everything the model sees."""
    attempt = Attempt(case.profile, prompt.first_request(case.profile, case.rendered), asking.book.limits.calls.max_tokens, asking.fix)
    return _want(case, attempt, _seen(case.profile, generation, asking.model), asking)


def _first_keys(cases: Sequence[Case], generation: int, asking: Asking) -> list[str]:
    """The key of each case's `first_want`."""
    makers = {profile: _makes_keys(profile, generation, asking) for profile in _profiles(cases)}
    return [makers[case.profile].of(case.subject) for case in cases]


def _profiles(cases: Sequence[Case]) -> set[Profile]:
    return {case.profile for case in cases}


def _makes_keys(profile: Profile, generation: int, asking: Asking) -> AnswerKeys:
    return _keys_of(tuple(_seen(profile, generation, asking.model).items()))


@cache
def _keys_of(seen: tuple[tuple[str, Any], ...]) -> AnswerKeys:
    return AnswerKeys(OPERATION, dict(seen))


def _seen(profile: Profile, generation: int, model: str) -> dict[str, Any]:
    return {
        "profile": profile.name,
        "version": profile.version,
        "prompt": prompt.prompt_hash(profile),
        "contract": profile.contract_hash,
        "model": model,
        **({"replay": generation} if generation else {}),
    }


def second_want(case: Case, generation: int, asking: Asking) -> Want | None:
    """The one second attempt, or None if there is nothing to repair or a repair cannot help.

    It is identified by the answer it repairs, not by the faults found: each answer is repaired once, however often governance rules are reworded.
    """
    if not case.in_quarantine or "refusal" in case.codes:
        return None
    text, calls = case.last_text, asking.book.limits.calls
    if "truncated" in case.codes:
        request, room = prompt.first_request(case.profile, case.rendered), calls.truncated_max_tokens
    else:
        faults = [str(violation) for violation in case.violations]
        request, room = prompt.repair_request(case.profile, case.rendered, text, faults), calls.max_tokens
    repaired = {**_seen(case.profile, generation, asking.model), "attempt": 2, "mends": _digest(text)}
    # Repairing an answer that a replay requested counts for that replay, whoever does it.
    fix = asking.fix or case.answers[-1].body.get("fix")
    return _want(case, Attempt(case.profile, request, room, fix), repaired, asking)


def look_want(case: Case, generation: int, asking: Asking) -> Want:
    """The second look at a doubted answer: it shows the facts without what may speak to the model. Identified by the answer it doubts, like a repair."""
    request = prompt.second_look(case.profile, prompt.render(doubts.without_hints(case.profile, case.facts)))
    fix = asking.fix or case.answers[-1].body.get("fix")
    attempt = Attempt(case.profile, request, asking.book.limits.calls.max_tokens, fix)
    seen = _seen(case.profile, generation, asking.model)
    return _want(case, attempt, {**seen, "attempt": "second look", "doubts": _digest(case.last_text)}, asking)


def text_of(answer: Answer) -> str:
    return str(answer.body.get("text") or "")


def _put(cases: Sequence[Case], generation: int, asking: Asking) -> None:
    """One attempt per case, and one more for those that a second attempt may repair."""
    keys = _first_keys(cases, generation, asking)
    answers = asking.serve(keys)
    missing = [first_want(case, generation, asking) for case, key in zip(cases, keys, strict=True) if key not in answers]
    if missing:
        answers = {**answers, **asking.buy(missing)}
    answered = _take(cases, keys, answers)
    second = [(case, want) for case in answered if (want := second_want(case, generation, asking)) is not None]
    if second and asking.book.limits.repair:
        answers = asking.buy([want for _, want in second])
        _take([case for case, _ in second], [want.key for _, want in second], answers)
    doubted = [case for case in answered if case.doubts]
    if doubted:
        _look_again(doubted, [look_want(case, generation, asking) for case in doubted], asking)


def _look_again(cases: Sequence[Case], wants: Sequence[Want], asking: Asking) -> None:
    """Settle doubted answers by one more answer each, or without one if it is not wanted or cannot be had."""
    answers = asking.buy(wants) if asking.book.limits.second_look else {}
    claims: list[Claim] = []
    looked: list[Case] = []
    for case, want in zip(cases, wants, strict=True):
        answer = answers.get(want.key)
        if answer is not None:
            case.keys.add(want.key)
            case.until = min(case.until, stands_until(LIFETIMES, answer))
        if answer is None or answer.state != "found" or not isinstance(answer.body, dict):
            _settle(case, None)
            continue
        case.answers.append(answer)
        case.looks += 1
        looked.append(case)
        claims.append(Claim(case.profile, doubts.without_hints(case.profile, case.facts), case.last_text))
    for case, verdict in zip(looked, governance.judge(claims), strict=True):
        _settle(case, verdict.answer)


def _settle(case: Case, second: Answered | None) -> None:
    """Decide between a doubted answer and the second look's.

    Where the lead's text spoke to the model, only a second answer without doubts is good. Otherwise two readers differ, and the second answer decides:
    it agrees with one of them, or says that the lead does not say.
    """
    serious = case.suspicious or any(doubt.code in doubts.OBEDIENT for doubt in case.doubts)
    if second is None:
        if serious:
            case.accepted, case.violations = None, case.doubts
        return
    shown = doubts.without_hints(case.profile, case.facts)
    # The second look was shown no text that is suspicious, and no canary.
    left = tuple(doubts.of(case.profile, shown, second, case.last_text, suspicious=False, canary=case.canary)) if serious else ()
    case.accepted, case.violations = (None, left) if left else (second, ())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _want(case: Case, attempt: Attempt, parameters: dict[str, Any], asking: Asking) -> Want:
    return Want(
        provider=PROVIDER,
        operation=OPERATION,
        subject=case.subject,
        price_micros=asking.book.prices.most_micros(asking.model, most_tokens(attempt), attempt.max_tokens),
        campaign_id=case.leads[0]["campaign_id"],
        lifetimes=LIFETIMES,
        parameters=parameters,
        payload=attempt,
    )


def _take(cases: Sequence[Case], keys: Sequence[str], answers: Mapping[str, Answer]) -> list[Case]:
    """Judge an attempt's answers. Returns the cases with an answer; the others keep their earlier judgement."""
    taken: list[Case] = []
    to_judge: list[Case] = []
    for case, key in zip(cases, keys, strict=True):
        answer = answers[key]
        case.keys.add(key)
        case.until = min(case.until, stands_until(LIFETIMES, answer))
        if answer.state != "found" or not isinstance(answer.body, dict):
            if not case.answers:
                case.unavailable = answer.reason or "provider_error"
            continue
        taken.append(case)
        case.answers.append(answer)
        case.doubts = ()
        stop_reason = answer.body.get("stop_reason")
        if stop_reason == "refusal":
            case.violations = (Violation("refusal", "", "the model refused to answer"),)
        elif stop_reason in ("max_tokens", "model_context_window_exceeded"):
            case.violations = (Violation("truncated", "", "the answer was cut off at its token limit"),)
        else:
            to_judge.append(case)
    claims = [Claim(case.profile, case.facts, case.last_text) for case in to_judge]
    for case, claim, verdict in zip(to_judge, claims, governance.judge(claims), strict=True):
        case.accepted, case.violations = verdict.answer, verdict.violations
        if verdict.answer is not None:
            found = doubts.of(case.profile, case.facts, verdict.answer, claim.text, suspicious=case.suspicious, canary=case.canary)
            case.doubts = tuple(found)
    return taken
