"""Takes a signal's subjects through its sources: each source is asked about the subjects that no earlier one settled.

Belongs here: which source is asked what, how its answer is used, and what it cost. Does not belong here: leads and tables (see `engine`),
one provider's requests (see `sources`), claims and money (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import KEPT_OUT, PASSING, UNSENT, Answer, Reply, Want, stands_until
from lead_assets.signals.signal import Signal, Source
from lead_assets.signals.sources import ledger_parameters, open_source, price_micros
from lead_assets.signals.stats import SignalStats
from lead_assets.vendors import load_vendors
from lead_assets.vendors.answers import Values
from lead_assets.vendors.offer import SourceClient
from lead_assets.vendors.questions import LeadFacts, Question
from lead_assets.vendors.turns import Turns

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.purchase import Retry

_log = logging.getLogger(__name__)

AT_ONCE = 5_000
"""Most subjects per purchase: a million raw answers would not fit into memory, but the parsed columns do."""

OPTED_OUT = frozenset({"suppressed", KEPT_OUT})
"""Reasons of those who opted out: at the provider that was asked, or here, so that nobody was."""


@dataclass(slots=True)
class SubjectVerdict:
    """The outcome for one subject: the winning answer's values, or the last miss."""

    state: str = "unknown"
    reason: str | None = "off"
    provider: str | None = None
    as_of: datetime | None = None
    stale: bool = False
    synthetic: bool = False
    values: Values = field(default_factory=dict)
    address: str | None = None
    """The e-mail address that was asked about, if any."""
    lacks: str | None = None
    """The provider that was temporarily unavailable: asked again, it may answer."""


@dataclass(frozen=True, slots=True)
class Charge:
    """An answer that cost something: the subjects it served, and the campaign that paid."""

    subject: str
    key: str
    campaign_id: str
    cost_micros: int


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject to ask about: the campaign that pays, and the facts of its first lead (only if a source's question needs them)."""

    campaign_id: str
    facts: LeadFacts | None = None


@dataclass
class Trouble:
    """What went wrong with providers so far. A run's steps share it, so that a refused key is not tried again by the next step."""

    refused: dict[str, ProviderError] = field(default_factory=dict)
    """Buckets that must no longer be used, because the key was refused or the quota is used up."""
    _told: set[tuple[str, str, int | None]] = field(default_factory=set)

    def tell(self, error: ProviderError) -> None:
        """Log the first failure of each kind: logging every attempt would fill pages, and the run's figures count them all."""
        kind = (error.provider, error.reason, error.status)
        _log.log(logging.DEBUG if kind in self._told else logging.WARNING, "%s", error)
        self._told.add(kind)


@functools.lru_cache(maxsize=32)
def trouble_of(run_id: str) -> Trouble:
    """The trouble of a run: its steps are in one process."""
    return Trouble()


@dataclass
class Desk:
    """What a purchase needs. Clients are opened on first use: a run that finds everything in the ledger needs none."""

    ledger: Ledger
    settings: Settings
    signals: Sequence[Signal]
    stack: AsyncExitStack
    retry: Retry | None = None
    stats: Mapping[str, SignalStats] = field(default_factory=dict)
    """Stats of each signal collected with these clients, by name."""
    trouble: Trouble = field(default_factory=Trouble)
    _clients: dict[str, SourceClient] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def client(self, source: Source) -> SourceClient:
        async with self._lock:
            if source.provider not in self._clients:
                opened = open_source(source.provider, self.settings, self.signals, Turns(self.ledger))
                self._clients[source.provider] = await self.stack.enter_async_context(opened)
        return self._clients[source.provider]


async def ask(
    signal: Signal, subjects: Mapping[str, Subject], desk: Desk, stats: SignalStats
) -> tuple[dict[str, SubjectVerdict], list[Charge]]:
    """Each subject's verdict, and the cost of its answers, whenever and by whomever they were bought."""
    sources = signal.active_sources
    if not sources:
        return {name: SubjectVerdict() for name in subjects}, []
    verdicts: dict[str, SubjectVerdict] = {}
    charges: list[Charge] = []
    for source in sources:
        mock = load_vendors()[source.provider].is_mock(desk.settings)
        buying = load_vendors()[source.provider].key(desk.settings) is not None
        still_open = [name for name in subjects if name not in verdicts or not _is_settled(signal, verdicts[name])]
        if not still_open:
            break
        asked, missed = await _questions(signal, source, {name: subjects[name] for name in still_open}, verdicts, desk, stats, charges)
        for name, verdict in missed.items():
            _note(signal, verdicts, name, verdict)
        want_of = _asking(signal, source, desk)
        for number in range(max(map(len, asked.values()), default=0)):
            due = [
                (name, questions[number])
                for name, questions in asked.items()
                if number < len(questions) and not (number and _is_settled(signal, verdicts[name]))
            ]
            for start in range(0, len(due), AT_ONCE):
                wants = [
                    (name, each.kind, want_of(each.subject, subjects[name].campaign_id, each.payload))
                    for name, each in due[start : start + AT_ONCE]
                ]
                answers = await _answers(signal, source, [want for _, _, want in wants], desk, stats)
                for name, kind, want in wants:
                    answer = answers.get(want.key)
                    stats.looked(name, want, stands_until(want, answer, buying=buying))
                    verdict = _verdict(signal, source, answer, mock)
                    if kind == "email":
                        verdict.address = want.subject
                    _note(signal, verdicts, name, verdict)
                    if answer is not None and answer.cost_micros and kind not in source.charged_elsewhere:
                        charges.append(Charge(name, want.key, answer.campaign_id, answer.cost_micros))
    for name in subjects:
        verdicts.setdefault(name, SubjectVerdict("unknown", "no_subject"))
    return verdicts, charges


def owned(ledger: Ledger, wants: Sequence[Want]) -> dict[str, Answer]:
    """What the ledger knows without buying: an expired answer is stale, but better than none."""
    now = ledger.now()
    past = ledger.histories([want.key for want in wants])
    known = {want.key: (past[want.key].known, want.lifetimes) for want in wants if want.key in past}
    return {
        key: answer if answer.is_fresh(lifetimes, now) else replace(answer, stale=True)
        for key, (answer, lifetimes) in known.items()
        if answer is not None
    }


async def _questions(
    signal: Signal,
    source: Source,
    subjects: Mapping[str, Subject],
    verdicts: Mapping[str, SubjectVerdict],
    desk: Desk,
    stats: SignalStats,
    charges: list[Charge],
) -> tuple[dict[str, list[Question]], dict[str, SubjectVerdict]]:
    """The questions to the source for each subject, and verdicts for subjects that cannot be asked about because a needed answer is missing."""
    if source.ask is None:
        return {name: [Question(name, kind=signal.subject)] for name in subjects}, {}
    known, missed, served = await _known(signal, source, subjects, desk, stats, charges)
    asked: dict[str, list[Question]] = {name: [Question(name, kind=signal.subject)] for name in served}
    for name, subject in subjects.items():
        if name in served or name in missed or subject.facts is None:
            continue
        so_far = verdicts[name].values if name in verdicts else {}
        asked[name] = source.ask(subject.facts.with_answers(known.get(name, {}), so_far))
        if not asked[name] and source.needs is not None:
            missed[name] = SubjectVerdict("unknown", "bad_answer", source.provider)
    return asked, missed


async def _known(
    signal: Signal, source: Source, subjects: Mapping[str, Subject], desk: Desk, stats: SignalStats, charges: list[Charge]
) -> tuple[dict[str, dict[str, object]], dict[str, SubjectVerdict], set[str]]:
    """The other signals' answers that the question uses, the misses among the required ones, and the subjects whose own answer is already
    in the ledger, so that nothing need be asked."""
    if source.reads is not None:
        return await _read(source.reads, subjects, desk, stats), {}, set()
    if source.needs is None:
        return {}, {}, set()
    own_want = _asking(signal, source, desk)
    own = {name: own_want(name, subject.campaign_id, None) for name, subject in subjects.items()}
    now, recalls = desk.ledger.now(), desk.ledger.buying == "never"
    past = await asyncio.to_thread(desk.ledger.histories, [want.key for want in own.values()])
    served = {name for name, want in own.items() if want.key in past and (recalls or past[want.key].serve(want.lifetimes, now) is not None)}
    needed, first = source.needs, source.needs.sources[0]
    needed_want = _asking(needed, first, desk)
    wants = {name: needed_want(name, subject.campaign_id, None) for name, subject in subjects.items() if name not in served}
    bought = SignalStats()
    answers = await _answers(needed, first, list(wants.values()), desk, bought)
    # A purchase that another signal of this step also makes for itself counts for that signal, whichever was first.
    desk.stats.get(needed.name, stats).add_chained(bought)
    mock = load_vendors()[first.provider].is_mock(desk.settings)
    known: dict[str, dict[str, object]] = {}
    missed: dict[str, SubjectVerdict] = {}
    for name, want in wants.items():
        answer = answers.get(want.key)
        stats.looked(name, want, stands_until(want, answer, buying=load_vendors()[first.provider].key(desk.settings) is not None))
        stats.looked(name, own[name], math.inf)
        if answer is not None and answer.cost_micros and needed.subject not in first.charged_elsewhere:
            charges.append(Charge(name, want.key, answer.campaign_id, answer.cost_micros))
        if desk.ledger.buying == "rehearsed" and answer is not None and answer.reason == "not_bought":
            served.add(name)  # a real purchase would continue asking, and so does its rehearsal
        elif answer is not None and answer.state == "found":
            known[name] = {first.ledger_operation: answer.body}
        else:
            old = past[own[name].key].known if own[name].key in past else None
            missed[name] = _verdict(signal, source, replace(old, stale=True), mock) if old else _verdict(needed, first, answer, mock)
            if old is not None and old.cost_micros:
                charges.append(Charge(name, own[name].key, old.campaign_id, old.cost_micros))
    return known, missed, served


async def _read(reads: Signal, subjects: Mapping[str, Subject], desk: Desk, stats: SignalStats) -> dict[str, dict[str, object]]:
    """What the ledger has from another signal, from any of its sources that are asked about the subject itself."""
    askers = [(source.ledger_operation, _asking(reads, source, desk)) for source in reads.sources if source.ask is None]
    subject_of = {name: subject.facts.subject_of(reads.subject) for name, subject in subjects.items() if subject.facts is not None}
    others = {name: other for name, other in subject_of.items() if other is not None}
    payers = {other: subjects[name].campaign_id for name, other in others.items()}
    wants = {other: {operation: want_of(other, payer, None) for operation, want_of in askers} for other, payer in payers.items()}
    answers = await asyncio.to_thread(owned, desk.ledger, [want for asked in wants.values() for want in asked.values()])
    bodies: dict[str, dict[str, object]] = {
        other: {operation: answers[want.key].body for operation, want in asked.items() if want.key in answers}
        for other, asked in wants.items()
    }
    for name, other in others.items():
        for want in wants[other].values():
            stats.looked(name, want, math.inf)
    return {name: bodies[other] for name, other in others.items()}


def _asking(signal: Signal, source: Source, desk: Desk) -> Callable[[str, str, object], Want]:
    """Makes wants from (subject, paying campaign, payload), computing the shared parts once for tens of thousands."""
    provider, operation, lifetimes = source.provider, source.ledger_operation, signal.lifetimes
    price, parameters = price_micros(source, desk.settings), ledger_parameters(source, desk.settings)
    return lambda subject, campaign_id, payload: Want(provider, operation, subject, price, campaign_id, lifetimes, parameters, payload)


async def _answers(signal: Signal, source: Source, wants: list[Want], desk: Desk, stats: SignalStats) -> Mapping[str, Answer]:
    from lead_assets.ledger.buying import buy

    if not wants:
        return {}
    vendor = load_vendors()[source.provider]
    if vendor.key(desk.settings) is None and desk.ledger.buying != "never":
        # Without a key nothing can be bought, but earlier purchases still count.
        answers = await asyncio.to_thread(owned, desk.ledger, wants)
        for want in wants:
            stats.spent[want.campaign_id].hits += want.key in answers
        return answers

    terms = source.terms

    async def call(batch: Sequence[Want]) -> Sequence[Reply]:
        if (refusal := desk.trouble.refused.get(terms.bucket)) is not None:
            raise refusal
        try:
            return await (await desk.client(source)).call(signal.subject, source, batch)
        except ProviderError as error:
            desk.trouble.tell(error)
            if error.kind in ("auth", "quota"):
                # The next source or guess would get the same refusal.
                desk.trouble.refused[terms.bucket] = ProviderError(error.provider, error.operation, error.kind, error.reason, sent=False)
            raise

    async def take_up(batch: Sequence[Want], vendor_ref: str) -> Sequence[Reply]:
        return await (await desk.client(source)).take_up(source, batch, vendor_ref)

    async def prepare() -> None:
        await desk.client(source)

    purchase = await buy(
        desk.ledger,
        wants,
        call,
        take_up=take_up,
        prepare=prepare,
        intent=(lambda _: UNSENT) if vendor.says_when_it_sends else None,
        retry=desk.retry,
        batch_size=terms.batch_size,
        concurrency=terms.concurrency,
        rates=terms.rates_in(desk.settings),
        bucket=terms.bucket,
    )
    stats.add(purchase.spent)
    return purchase.answers


def _verdict(signal: Signal, source: Source, answer: Answer | None, mock: bool) -> SubjectVerdict:
    if answer is None:
        return SubjectVerdict("unknown", "no_key")
    if answer.answered_at is None:  # nobody was asked
        return SubjectVerdict("unknown", answer.reason, lacks=_passing(source, answer.reason))
    state: str = answer.state
    reason, values = answer.reason, None
    if answer.state == "found":
        try:
            values = source.parser(answer.body)
            state, reason = ("found", None) if values is not None else ("not_found", "no_result")
        except Exception as error:  # one bad answer must not cost the other leads their rows
            _log.warning("signal %s: parser of %s failed: %s", signal.name, source.ledger_operation, type(error).__name__)
            state, reason = "unknown", "bad_answer"
    lacks = _passing(source, reason) if state == "unknown" else None
    return SubjectVerdict(state, reason, source.provider, answer.answered_at, answer.stale, mock, values or {}, lacks=lacks)


def _passing(source: Source, reason: str | None) -> str | None:
    return source.provider if reason in PASSING else None


def _is_settled(signal: Signal, verdict: SubjectVerdict) -> bool:
    """Whether no further source need be asked, or may be asked because the person opted out."""
    if verdict.reason in OPTED_OUT:
        return True
    return verdict.state == "found" and (signal.prefer is None or verdict.values.get(signal.prefer.column) in signal.prefer.enough)


def _note(signal: Signal, verdicts: dict[str, SubjectVerdict], name: str, new: SubjectVerdict) -> None:
    old = verdicts.get(name)
    if old is None or _outranks(signal, new, old):
        verdicts[name] = new


def _outranks(signal: Signal, new: SubjectVerdict, old: SubjectVerdict) -> bool:
    """A hit beats every miss; among misses, unknown beats not_found, because "nobody has it" is only true if everyone was asked and answered."""
    if new.reason == "suppressed":
        return True
    if new.reason == KEPT_OUT:
        return old.state != "found"  # a guess may be a namesake's address
    if new.state == "found":
        return old.state != "found" or _grade(signal, new) < _grade(signal, old)
    return (old.state == "not_found" and new.state == "unknown") or (old.state == new.state == "not_found")


def _grade(signal: Signal, verdict: SubjectVerdict) -> int:
    """The position of a hit in the signal's order, best first; values not in it come last."""
    if signal.prefer is None:
        return 0
    order = signal.prefer.order
    value = verdict.values.get(signal.prefer.column)
    return order.index(value) if value in order else len(order)
