"""The engine of all signals: leads in, one row a lead out, each subject bought at most once.

Belongs here: subjects → ledger → sources in order → parsed values → joined back to the leads, and the figures of a run. Does not belong here:
anything that is true of one signal or one provider only (see rules/signals.yaml, `parsers`, `sources`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from lead_assets.contracts.base import MONEY_DTYPE
from lead_assets.ledger.model import Answer, Reply, Want, to_usd
from lead_assets.settings import Settings
from lead_assets.signals.parsers import Values
from lead_assets.signals.signal import Signal, Source
from lead_assets.signals.sources import Hold, SourceClient, is_mock, ledger_parameters, open_source, price_micros
from lead_assets.signals.subjects import subject

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.purchase import Purchase

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Collected:
    """A signal's table for the leads it was asked for, in their order, and what it took."""

    frame: pl.DataFrame
    stats: SignalStats


def collect(signal: Signal, leads: pl.DataFrame, *, ledger: Ledger, settings: Settings) -> Collected:
    """One signal for the leads. `leads` has identity.leads' columns; the frame has the signal's contract's, one row a lead, in the leads' order."""
    return collect_all([signal], leads, ledger=ledger, settings=settings)[signal.name]


def collect_all(signals: Sequence[Signal], leads: pl.DataFrame, *, ledger: Ledger, settings: Settings) -> dict[str, Collected]:
    """Several signals for the leads, their calls concurrent. No provider's failure raises: each miss is a row with its reason.

    Raises WorldError for a ledger that holds answers of the other world.
    """
    ledger.bind_world(settings.world)
    return asyncio.run(_collect_all(signals, leads, ledger, settings))


async def _collect_all(signals: Sequence[Signal], leads: pl.DataFrame, ledger: Ledger, settings: Settings) -> dict[str, Collected]:
    async with AsyncExitStack() as stack:
        desk = _Desk(ledger, settings, signals, stack)
        collected = await asyncio.gather(*(_collect(signal, leads, desk) for signal in signals))
    return {signal.name: one for signal, one in zip(signals, collected, strict=True)}


def _hold(ledger: Ledger, provider: str) -> Hold:
    # The buyer asks the provider's bucket before each request, in every process.
    async def hold(seconds: float) -> None:
        await asyncio.to_thread(ledger.penalise, provider, ledger.now() + timedelta(seconds=seconds))

    return hold


@dataclass
class _Desk:
    """What buying takes. Clients are opened when they are first called: a run that finds all in the ledger needs none."""

    ledger: Ledger
    settings: Settings
    signals: Sequence[Signal]
    _stack: AsyncExitStack
    _clients: dict[str, SourceClient] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def client(self, source: Source) -> SourceClient:
        async with self._lock:
            if source.provider not in self._clients:
                opened = open_source(source.provider, self.settings, self.signals, _hold(self.ledger, source.provider))
                self._clients[source.provider] = await self._stack.enter_async_context(opened)
        return self._clients[source.provider]


@dataclass
class _Verdict:
    """What became of one subject: the winning answer's values, or the last miss."""

    state: str = "unknown"
    reason: str | None = "off"
    provider: str | None = None
    as_of: datetime | None = None
    stale: bool = False
    synthetic: bool = False
    values: Values = field(default_factory=dict)


async def _collect(signal: Signal, leads: pl.DataFrame, desk: _Desk) -> Collected:
    asked = leads.select("campaign_id", "lead_id", "received_at", "email_normalized", subject=subject(signal.subject))
    # The campaign of a subject's first lead pays for it, whatever the order of the frame.
    first = asked.drop_nulls("subject").sort("received_at", "campaign_id", "lead_id").unique("subject", keep="first", maintain_order=True)
    payers: dict[str, str] = dict(zip(first["subject"].to_list(), first["campaign_id"].to_list(), strict=True))
    stats = SignalStats(leads=leads.height, subjects=len(payers))
    verdicts, charges = await _ask(signal, payers, desk, stats)

    if signal.subject != "company_domain":
        await _suppress(asked, verdicts, desk.ledger)
    without = asked["subject"].null_count()
    stats.found = sum(verdict.state == "found" for verdict in verdicts.values())
    stats.missed = Counter(verdict.reason or "no_result" for verdict in verdicts.values() if verdict.state != "found")
    if without:
        stats.missed["no_subject"] += without
    return Collected(_rows(signal, asked, verdicts, charges), stats)


async def _ask(
    signal: Signal, payers: Mapping[str, str], desk: _Desk, stats: SignalStats
) -> tuple[dict[str, _Verdict], list[dict[str, Any]]]:
    """Each source in turn, for the subjects that none before it answered. Returns the verdicts and every answer's charge to the campaign that paid."""
    verdicts = {name: _Verdict() for name in payers}
    charges: list[dict[str, Any]] = []
    for number, source in enumerate(signal.active_sources):
        open_subjects = [name for name, verdict in verdicts.items() if verdict.state != "found"]
        if not open_subjects:
            break
        wants = {
            name: Want(
                provider=source.provider,
                operation=source.ledger_operation,
                subject=name,
                price_micros=price_micros(source, desk.settings),
                campaign_id=payers[name],
                lifetimes=signal.lifetimes,
                parameters=ledger_parameters(source, desk.settings),
            )
            for name in open_subjects
        }
        answers = await _answers(signal, source, list(wants.values()), desk, stats)
        mock = is_mock(source.provider, desk.settings)
        for name, want in wants.items():
            answer = answers.get(want.key)
            verdict = _verdict(signal, source, answer, mock)
            if number == 0 or _outranks(verdict, verdicts[name]):
                verdicts[name] = verdict
            if answer is not None and answer.cost_micros:
                charges.append({"subject": name, "campaign_id": answer.campaign_id, "cost_usd": to_usd(answer.cost_micros)})
    return verdicts, charges


async def _suppress(asked: pl.DataFrame, verdicts: Mapping[str, _Verdict], ledger: Ledger) -> None:
    """Who asked a provider not to be processed is not processed here either: from the next run on the identity room keeps them out."""
    claimed = {name: verdict.provider for name, verdict in verdicts.items() if verdict.reason == "suppressed"}
    if not claimed:
        return
    rows = [
        ("email", hashlib.sha256(address.encode()).hexdigest(), f"asked {claimed[name]} not to be processed")
        for name, address in asked.select("subject", "email_normalized").drop_nulls().iter_rows()
        if name in claimed
    ]
    await asyncio.to_thread(ledger.suppress_all, rows)


def _outranks(new: _Verdict, old: _Verdict) -> bool:
    """A hit beats all; among misses unknown beats not_found, because "nobody has it" is only true if all were asked and answered."""
    return new.state == "found" or (old.state == "not_found" and new.state == "unknown") or (old.state == new.state == "not_found")


async def _answers(signal: Signal, source: Source, wants: list[Want], desk: _Desk, stats: SignalStats) -> Mapping[str, Answer]:
    from lead_assets.ledger.purchase import buy

    if desk.settings.key(source.provider) is None:
        # Without a key nothing can be bought, but what was bought is still owned.
        owned = await asyncio.to_thread(_owned, desk.ledger, wants)
        stats.hits += len(owned)
        return owned

    async def call(batch: Sequence[Want]) -> Sequence[Reply]:
        return await (await desk.client(source)).call(signal, source, batch)

    async def resume(batch: Sequence[Want], vendor_ref: str) -> Sequence[Reply]:
        return await (await desk.client(source)).resume(source, batch, vendor_ref)

    terms = source.terms
    purchase = await buy(
        desk.ledger,
        wants,
        call,
        resume=resume,
        batch_size=terms.batch_size,
        concurrency=terms.concurrency,
        rates=terms.rates,
    )
    stats.add(purchase)
    return purchase.answers


def _owned(ledger: Ledger, wants: list[Want]) -> dict[str, Answer]:
    """What the ledger knows without buying: an answer that is past its time to live is stale, and better than none."""
    now = ledger.now()
    past = ledger.histories([want.key for want in wants])
    owned = {want.key: (past[want.key].known, want.lifetimes) for want in wants if want.key in past}
    return {
        key: answer if answer.is_fresh(lifetimes, now) else replace(answer, stale=True)
        for key, (answer, lifetimes) in owned.items()
        if answer is not None
    }


def _verdict(signal: Signal, source: Source, answer: Answer | None, mock: bool) -> _Verdict:
    if answer is None:
        return _Verdict("unknown", "no_key")
    if answer.answered_at is None:  # nobody was asked, so nobody said it
        return _Verdict("unknown", answer.reason)
    state, reason, values = answer.state, answer.reason, None
    if answer.state == "found":
        try:
            values = source.parser(answer.body)
            state, reason = ("found", None) if values is not None else ("not_found", "no_result")
        except Exception as error:  # a provider's junk must not cost the other leads their rows
            _log.warning("signal %s: parser of %s failed: %s", signal.name, source.ledger_operation, type(error).__name__)
            state, reason = "unknown", "bad_answer"
    return _Verdict(state, reason, source.provider, answer.answered_at, answer.stale, mock, values or {})


def _rows(signal: Signal, asked: pl.DataFrame, verdicts: Mapping[str, _Verdict], charges: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The verdicts joined back to the leads, and each charge to the first lead of the campaign that paid it."""
    schema = signal.contract.polars_schema()
    common = ("state", "reason", "provider", "as_of", "stale", "synthetic")
    said = verdicts.values()
    facts = pl.DataFrame(
        {
            "subject": list(verdicts),
            **{column: [getattr(verdict, column) for verdict in said] for column in common},
            **{column: [verdict.values.get(column) for verdict in said] for column in signal.value_columns},
        },
        schema={"subject": pl.String, **{column: schema[column] for column in common}, **signal.value_schema},
        strict=False,
    )
    paid = (
        pl.DataFrame(list(charges), schema={"subject": pl.String, "campaign_id": pl.String, "cost_usd": MONEY_DTYPE})
        .group_by("subject", "campaign_id")
        .agg(pl.col("cost_usd").sum())
    )
    payer = asked.drop_nulls("subject").sort("received_at", "lead_id").unique(["campaign_id", "subject"], keep="first")
    costs = payer.join(paid, on=["campaign_id", "subject"]).select("campaign_id", "lead_id", "cost_usd")
    nobody = _Verdict("unknown", "no_subject")
    return (
        asked.join(facts, on="subject", how="left", maintain_order="left")
        .join(costs, on=["campaign_id", "lead_id"], how="left", maintain_order="left")
        .with_columns(
            pl.when(pl.col("subject").is_null()).then(pl.lit(nobody.reason)).otherwise(pl.col("reason")).alias("reason"),
            pl.col("state").fill_null(nobody.state),
            pl.col("stale").fill_null(False),
            pl.col("synthetic").fill_null(False),
            pl.col("cost_usd").fill_null(Decimal(0)).cast(MONEY_DTYPE),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    )


def _percentile(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
