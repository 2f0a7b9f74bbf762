"""Takes a signal's subjects through its sources: each source is asked about the subjects that no earlier one settled.

Belongs here: which source is asked what, how its answer is used, and what it cost. Does not belong here: leads and tables (see `engine`),
one provider's requests (see `sources`), claims and money (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import KEPT_OUT, PASSING, UNSENT, Answer, AnswerKeys, History, Lifetimes, Reply, Want, stands_until
from lead_assets.ledger.recall import served
from lead_assets.signals.signal import Signal, Source
from lead_assets.signals.sources import ledger_parameters, open_source, price_micros
from lead_assets.signals.stats import SignalStats
from lead_assets.signals.subjects import LeadSubjects
from lead_assets.vendors import anthropic, load_vendors
from lead_assets.vendors.answers import Values
from lead_assets.vendors.offer import SourceClient, SubjectKind
from lead_assets.vendors.questions import LeadFacts, Question
from lead_assets.vendors.turns import Turns

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.purchase import Retry

_log = logging.getLogger(__name__)

_FEW = 200
"""Keys that wait for others to be looked up with."""
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


class Charge(NamedTuple):
    """An answer that cost something: the subjects it served, and the campaign that paid."""

    subject: str
    key: str
    campaign_id: str
    cost_micros: int


class Subject(NamedTuple):
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


class Lookup:
    """What the ledger has. Signals that look at the same moment are answered by one query."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._wanted: set[str] = set()
        self._looking: asyncio.Task[dict[str, History]] | None = None

    async def histories(self, keys: Sequence[str]) -> Mapping[str, History]:
        """As `Ledger.histories`; what others asked for may be there, too."""
        if len(keys) > _FEW:
            return await asyncio.to_thread(self._ledger.histories, keys)
        self._wanted.update(keys)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        return await self._looking

    async def _look(self) -> dict[str, History]:
        await asyncio.sleep(0)
        wanted, self._wanted, self._looking = self._wanted, set(), None
        # So few are read before a thread has begun.
        return self._ledger.histories(wanted) if len(wanted) <= _FEW else await asyncio.to_thread(self._ledger.histories, wanted)


@dataclass
class Desk:
    """What a purchase needs. Clients are opened on first use: a run that finds everything in the ledger needs none."""

    ledger: Ledger
    settings: Settings
    signals: Sequence[Signal]
    subjects: LeadSubjects
    stack: AsyncExitStack
    retry: Retry | None = None
    stats: Mapping[str, SignalStats] = field(default_factory=dict)
    """Stats of each signal collected with these clients, by name."""
    trouble: Trouble = field(default_factory=Trouble)
    underway: list[Signal] = field(default_factory=list)
    """Signals that may still ask, so that a request that several share does not wait for one that will not come."""
    _clients: dict[str, SourceClient] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    lookup: Lookup = field(init=False)

    def __post_init__(self) -> None:
        self.lookup = Lookup(self.ledger)

    async def client(self, source: Source) -> SourceClient:
        async with self._lock:
            if source.provider not in self._clients:
                anthropic.needed_soon(self.settings)  # whoever buys a signal will mostly have a lead to classify
                opened = open_source(source.provider, self.settings, self.signals, Turns(self.ledger), self.underway)
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
    still_open = list(subjects)
    for source in sources:
        mock = load_vendors()[source.provider].is_mock(desk.settings)
        buying = load_vendors()[source.provider].key(desk.settings) is not None
        still_open = [name for name in still_open if name not in verdicts or not _is_settled(signal, verdicts[name])]
        if not still_open:
            break
        asked, missed = await _questions(signal, source, {name: subjects[name] for name in still_open}, verdicts, desk, stats, charges)
        for name, verdict in missed.items():
            _note(signal, verdicts, name, verdict)
        asking = _AskedSource(signal, source, desk)
        for number in range(max(map(len, asked.values()), default=0)):
            due = [
                (name, questions[number])
                for name, questions in asked.items()
                if number < len(questions) and not (number and _is_settled(signal, verdicts[name]))
            ]
            for start in range(0, len(due), AT_ONCE):
                wants = [
                    _Due(asking.key(each.subject), each.subject, subjects[name].campaign_id, each.payload, name, each.kind)
                    for name, each in due[start : start + AT_ONCE]
                ]
                answers = await _answers(signal, asking, wants, desk, stats)
                keys = [want.key for want in wants]
                said = [answers.get(key) for key in keys]
                until = [stands_until(signal.lifetimes, answer, buying=buying) for answer in said]
                stats.looks.add([want.name for want in wants], keys, until)
                for want, answer in zip(wants, said, strict=True):
                    verdict = _verdict(signal, source, answer, mock)
                    if want.kind == "email":
                        verdict.address = want.subject
                    _note(signal, verdicts, want.name, verdict)
                    if answer is not None and answer.cost_micros and want.kind not in source.charged_elsewhere:
                        charges.append(Charge(want.name, want.key, answer.campaign_id, answer.cost_micros))
    for name in subjects:
        verdicts.setdefault(name, SubjectVerdict("unknown", "no_subject"))
    return verdicts, charges


def owned(past: Mapping[str, History], lifetimes: Lifetimes, now: datetime) -> dict[str, Answer]:
    """What the ledger knows without buying: an expired answer is stale, but better than none."""
    known = {key: history.known for key, history in past.items() if history.known is not None}
    return {key: answer if answer.is_fresh(lifetimes, now) else replace(answer, stale=True) for key, answer in known.items()}


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
    asking = _AskedSource(signal, source, desk)
    own = {name: asking.key(name) for name in subjects}
    now, recalls = desk.ledger.now(), desk.ledger.buying == "never"
    past = await desk.lookup.histories(list(own.values()))
    served = {name for name, key in own.items() if key in past and (recalls or past[key].serve(signal.lifetimes, now) is not None)}
    needed, first = source.needs, source.needs.sources[0]
    needing = _AskedSource(needed, first, desk)
    wants = {
        name: _Due(needing.key(name), name, subject.campaign_id, None, name, None)
        for name, subject in subjects.items()
        if name not in served
    }
    bought = SignalStats()
    answers = await _answers(needed, needing, list(wants.values()), desk, bought)
    # A purchase that another signal of this step also makes for itself counts for that signal, whichever was first.
    desk.stats.get(needed.name, stats).add_chained(bought)
    mock, buying = load_vendors()[first.provider].is_mock(desk.settings), load_vendors()[first.provider].key(desk.settings) is not None
    known: dict[str, dict[str, object]] = {}
    missed: dict[str, SubjectVerdict] = {}
    for name, want in wants.items():
        answer = answers.get(want.key)
        stats.looks.add([name, name], [want.key, own[name]], [stands_until(needed.lifetimes, answer, buying=buying), math.inf])
        if answer is not None and answer.cost_micros and needed.subject not in first.charged_elsewhere:
            charges.append(Charge(name, want.key, answer.campaign_id, answer.cost_micros))
        if desk.ledger.buying == "rehearsed" and answer is not None and answer.reason == "not_bought":
            served.add(name)  # a real purchase would continue asking, and so does its rehearsal
        elif answer is not None and answer.state == "found":
            known[name] = {first.ledger_operation: answer.body}
        else:
            old = past[own[name]].known if own[name] in past else None
            missed[name] = _verdict(signal, source, replace(old, stale=True), mock) if old else _verdict(needed, first, answer, mock)
            if old is not None and old.cost_micros:
                charges.append(Charge(name, own[name], old.campaign_id, old.cost_micros))
    return known, missed, served


async def _read(reads: Signal, subjects: Mapping[str, Subject], desk: Desk, stats: SignalStats) -> dict[str, dict[str, object]]:
    """What the ledger has from another signal, from any of its sources that are asked about the subject itself."""
    askers = [(source.ledger_operation, _AskedSource(reads, source, desk)) for source in reads.sources if source.ask is None]
    subject_of = {name: subject.facts.subject_of(reads.subject) for name, subject in subjects.items() if subject.facts is not None}
    others = {name: other for name, other in subject_of.items() if other is not None}
    keys = {other: {operation: asking.key(other) for operation, asking in askers} for other in dict.fromkeys(others.values())}
    past = await desk.lookup.histories([key for asked in keys.values() for key in asked.values()])
    bodies: dict[str, dict[str, object]] = {
        other: {operation: known.body for operation, key in asked.items() if key in past and (known := past[key].known) is not None}
        for other, asked in keys.items()
    }
    looked = [(name, key) for name, other in others.items() for key in keys[other].values()]
    stats.looks.add([name for name, _ in looked], [key for _, key in looked], [math.inf] * len(looked))
    return {name: bodies[other] for name, other in others.items()}


class _Due(NamedTuple):
    """A question about a subject, and the key of its answer. Only what the ledger does not have becomes a `Want`."""

    key: str
    subject: str
    campaign_id: str
    payload: object
    name: str
    kind: SubjectKind | None


class _AskedSource:
    """A source asked for a signal: the shared parts of its wants, computed once for tens of thousands."""

    def __init__(self, signal: Signal, source: Source, desk: Desk) -> None:
        self.source, self.lifetimes = source, signal.lifetimes
        self._price, self._parameters = price_micros(source, desk.settings), ledger_parameters(source, desk.settings)
        self.key = AnswerKeys(source.ledger_operation, self._parameters).of

    def want(self, wanted: _Due) -> Want:
        source = self.source
        return Want(
            source.provider,
            source.ledger_operation,
            wanted.subject,
            self._price,
            wanted.campaign_id,
            self.lifetimes,
            self._parameters,
            wanted.payload,
        )


async def _answers(signal: Signal, asking: _AskedSource, wanted: Sequence[_Due], desk: Desk, stats: SignalStats) -> Mapping[str, Answer]:
    if not wanted:
        return {}
    source, lifetimes = asking.source, asking.lifetimes
    vendor = load_vendors()[source.provider]
    past = await desk.lookup.histories(list({want.key for want in wanted}))
    now = desk.ledger.now()
    if vendor.key(desk.settings) is None and desk.ledger.buying != "never":
        # Without a key nothing can be bought, but earlier purchases still count.
        answers = owned(past, lifetimes, now)
        for want in wanted:
            stats.spent[want.campaign_id].hits += want.key in answers
        return answers
    # A subject that several ask about is a hit of the campaign that would have bought it.
    unique = {want.key: want for want in (wanted if desk.ledger.buying == "never" else reversed(wanted))}
    taken = ((key, served(desk.ledger, past[key], lifetimes, now)) for key in unique if key in past)
    answers = {key: answer for key, answer in taken if answer is not None}
    for campaign, hits in Counter([unique[key].campaign_id for key in answers]).items():
        stats.spent[campaign].hits += hits
    if len(answers) < len(unique):
        missing = [asking.want(want) for want in wanted if want.key not in answers]
        answers |= await _bought(signal, source, missing, past, desk, stats)
    return answers


async def _bought(
    signal: Signal, source: Source, wants: Sequence[Want], past: Mapping[str, History], desk: Desk, stats: SignalStats
) -> Mapping[str, Answer]:
    from lead_assets.ledger.buying import buy

    vendor, terms = load_vendors()[source.provider], source.terms

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
        known=past,
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
            values = answer.read(source.parser)
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
