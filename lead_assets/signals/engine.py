"""The engine for all signals: leads in, one row per lead out, each subject bought at most once.

Belongs here: subjects → ledger → sources in order → parsed values → joined back to the leads, and a run's figures. Does not belong here:
anything specific to one signal or provider (see rules/signals.yaml and `lead_assets.vendors`).
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import polars as pl

from lead_assets.contracts.base import MONEY_DTYPE, column_of_values
from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import email_values, value_hash
from lead_assets.signals import plan
from lead_assets.signals.given import PROVIDER as GIVEN
from lead_assets.signals.given import Gift, Key, gifts
from lead_assets.signals.signal import Signal, stages
from lead_assets.signals.stats import Look, SignalStats
from lead_assets.signals.subjects import LeadSubjects, Named
from lead_assets.signals.waterfall import OPTED_OUT, Charge, Desk, Subject, SubjectVerdict, Trouble, ask
from lead_assets.signals.worth import NOT_WORTH_IT, PreScoreRules, Worth, pre_scores
from lead_assets.vendors import load_vendors
from lead_assets.vendors.offer import SubjectKind
from lead_assets.vendors.questions import LeadFacts

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger
    from lead_assets.ledger.money import Budget
    from lead_assets.ledger.purchase import Retry


@dataclass(frozen=True)
class Collected:
    """A signal's table for the requested leads, in their order, and what it cost."""

    frame: pl.DataFrame
    stats: SignalStats
    lacking: frozenset[tuple[str, str]]
    """(campaign, provider) pairs with an answer missing for a temporary reason."""
    looks: dict[str, Look] = field(repr=False)  # asyncio describes a task, and with it the result, to nobody: it would take 50 ms
    """By campaign."""


def collect(
    signal: Signal, leads: pl.DataFrame, *, ledger: Ledger, settings: Settings, retry: Retry | None = None, worth: Worth | None = None
) -> Collected:
    """Collect one signal. `leads` has the columns of identity.leads; the result has those of the signal's contract, one row per lead, in the same order."""
    return collect_all([signal], leads, ledger=ledger, settings=settings, retry=retry, worth=worth)[signal.name]


def collect_all(
    signals: Sequence[Signal],
    leads: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    retry: Retry | None = None,
    worth: Worth | None = None,
    beside: Sequence[Signal] = (),
    trouble: Trouble | None = None,
) -> dict[str, Collected]:
    """Collect several signals with concurrent calls. Provider failures do not raise: each miss is a row with its reason.

    `worth`: what is known about the leads, to judge each signal's `when` and whom to buy for first; None: everything is bought for all, in the order of
    arrival. `beside`: signals that others buy for the same leads from the same budget, whose price is left for better leads (see `plan`).
    `trouble`: what went wrong in the run's earlier steps, to which this call adds.
    Raises WorldError if the ledger holds answers from the other world.
    """
    ledger.bind_world(settings.world)
    return asyncio.run(_collect_all(signals, leads, ledger, settings, retry, worth, beside, trouble or Trouble()))


def collect_in_order(
    signals: Sequence[Signal],
    leads: pl.DataFrame,
    *,
    ledger: Ledger,
    settings: Settings,
    pre_score: PreScoreRules | None,
    retry: Retry | None = None,
) -> dict[str, Collected]:
    """Collect signals as the graph does: stage by stage (see `signal.stages`), each with what the ones before it found."""
    ledger.bind_world(settings.world)
    return asyncio.run(_in_order(signals, leads, ledger, settings, pre_score, retry))


async def _in_order(
    signals: Sequence[Signal],
    leads: pl.DataFrame,
    ledger: Ledger,
    settings: Settings,
    pre_score: PreScoreRules | None,
    retry: Retry | None,
) -> dict[str, Collected]:
    order = stages(signals, pre_score)
    found: dict[str, Collected] = {}
    async with AsyncExitStack() as stack:
        desk = Desk(ledger, settings, signals, LeadSubjects(leads), stack, retry)
        for stage in sorted(set(order.values())):
            now = [signal for signal in signals if order[signal.name] == stage]
            worth = worth_of(leads, {name: one.frame for name, one in found.items()}, pre_score, order)
            beside = [] if worth.scores is None else [signal for signal in signals if order[signal.name] > stage]
            found |= await _collect_with(desk, now, leads, worth, beside)
    return found


def worth_of(leads: pl.DataFrame, frames: Mapping[str, pl.DataFrame], pre_score: PreScoreRules | None, collected: Container[str]) -> Worth:
    """What is known about leads once the signals of `frames` are bought. `collected`: all signals of the run; the pre-score waits for those that it reads."""
    due = [] if pre_score is None else [name for name in pre_score.reads() if name in collected]
    scores = pre_scores(leads, frames, pre_score) if pre_score is not None and all(name in frames for name in due) else None
    return Worth(pre_score, frames, scores)


async def _collect_all(
    signals: Sequence[Signal],
    leads: pl.DataFrame,
    ledger: Ledger,
    settings: Settings,
    retry: Retry | None,
    worth: Worth | None,
    beside: Sequence[Signal],
    trouble: Trouble,
) -> dict[str, Collected]:
    async with AsyncExitStack() as stack:
        return await _collect_with(
            Desk(ledger, settings, signals, LeadSubjects(leads), stack, retry, trouble=trouble), signals, leads, worth, beside
        )


async def _collect_with(
    desk: Desk, signals: Sequence[Signal], leads: pl.DataFrame, worth: Worth | None, beside: Sequence[Signal]
) -> dict[str, Collected]:
    judged = _judged(worth, signals, leads)
    if worth is None or desk.ledger.buying != "always" or not (budgets := desk.ledger.budgets()):
        return await _each(signals, leads, desk, judged, {})
    # Mostly nothing has to be bought, and then no budget is asked.
    rehearsed, ledger = await _rehearsed(signals, leads, desk, judged)
    if not ledger.wished:
        return await _collected_all(rehearsed, leads, desk, judged)
    judged |= _judged(worth, beside, leads)
    return await _within(budgets, signals, beside, leads, desk, judged)


def _judged(worth: Worth | None, signals: Sequence[Signal], leads: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if worth is None or not signals:
        return {}
    return dict(zip([signal.name for signal in signals], worth.judged_by([signal.when for signal in signals], leads), strict=True))


async def _each(
    signals: Sequence[Signal], leads: pl.DataFrame, desk: Desk, judged: Mapping[str, pl.DataFrame], beyond: Mapping[str, set[str]]
) -> dict[str, Collected]:
    return await _collected_all(await _asked_all(signals, leads, desk, judged, beyond), leads, desk, judged)


async def _asked_all(
    signals: Sequence[Signal], leads: pl.DataFrame, desk: Desk, judged: Mapping[str, pl.DataFrame], beyond: Mapping[str, set[str]]
) -> list[_SignalFindings]:
    # A purchase for one of them may be made by another, and counts there.
    desk = replace(desk, stats={signal.name: SignalStats(leads=leads.height) for signal in signals})
    desk.underway.extend(signals)

    async def asked(signal: Signal) -> _SignalFindings:
        try:
            return await _ask(signal, leads, desk, judged.get(signal.name), beyond.get(signal.name, set()))
        finally:
            desk.underway.remove(signal)

    return await asyncio.gather(*map(asked, signals))


async def _rehearsed(
    signals: Sequence[Signal], leads: pl.DataFrame, desk: Desk, judged: Mapping[str, pl.DataFrame]
) -> tuple[list[_SignalFindings], Ledger]:
    """What the signals would find, and the ledger that says what they would buy."""
    ledger = desk.ledger.rehearsal()
    return await _asked_all(signals, leads, replace(desk, ledger=ledger), judged, {}), ledger


async def _collected_all(
    asked: Sequence[_SignalFindings], leads: pl.DataFrame, desk: Desk, judged: Mapping[str, pl.DataFrame]
) -> dict[str, Collected]:
    return {one.signal.name: await _collected(one, leads, desk, judged.get(one.signal.name)) for one in asked}


async def _within(
    budgets: Sequence[Budget],
    signals: Sequence[Signal],
    beside: Sequence[Signal],
    leads: pl.DataFrame,
    desk: Desk,
    judged: Mapping[str, pl.DataFrame],
) -> dict[str, Collected]:
    """Buy from the best lead down, as far as the budgets certainly reach; then count again with what it really cost, until nothing more can be bought."""
    earlier: dict[str, list[SignalStats]] = {signal.name: [] for signal in signals}
    left: dict[str, set[str]] | None = None
    while True:
        wishes = [wish for signal in [*signals, *beside] for wish in await _wishes(signal, leads, desk, judged)]
        too_dear = plan.beyond(budgets, wishes)
        own = {signal.name: too_dear.get(signal.name, set()) for signal in signals}
        asked = await _asked_all(signals, leads, desk, judged, own)
        if not any(own.values()) or own == left:
            break
        for one in asked:
            earlier[one.signal.name].append(one.stats)
        left, budgets = own, await asyncio.to_thread(desk.ledger.budgets)
    for one in asked:
        for before in earlier[one.signal.name]:
            one.stats.add_earlier(before)
    return await _collected_all(asked, leads, desk, judged)


async def _wishes(signal: Signal, leads: pl.DataFrame, desk: Desk, judged: Mapping[str, pl.DataFrame]) -> list[plan.Wish]:
    """What the signal would buy, at most, by subject."""
    (asked,), ledger = await _rehearsed([signal], leads, desk, judged)
    wished = {want.key: want for want in ledger.wished}
    own = judged[signal.name]
    ranks: dict[str, int] = {}
    for name, worth, rank in zip(desk.subjects.named(signal.subject).subjects, own["worth"].to_list(), own["rank"].to_list(), strict=True):
        if worth and name is not None:
            ranks[name] = min(rank, ranks.get(name, rank))
    return [
        plan.Wish(signal.name, name, ranks[name], wants)
        for name, keys in asked.stats.looks.by_subject().items()
        if name in ranks and (wants := [wished[key] for key in keys if key in wished])
    ]


@dataclass
class _SignalFindings:
    """What a signal found about the leads."""

    signal: Signal
    rows: Sequence[int]
    """The leads that were asked about, by their places in the run's frame: all but those that bring the answer."""
    brought: Mapping[Key, Gift]
    taken: Mapping[Key, Gift]
    """Gifts that were used without asking anybody."""
    verdicts: dict[str, SubjectVerdict]
    charges: list[Charge]
    stats: SignalStats


async def _ask(signal: Signal, leads: pl.DataFrame, desk: Desk, judged: pl.DataFrame | None, beyond: Collection[str]) -> _SignalFindings:
    """`judged`: see `Worth.judged`. `beyond`: subjects for which the budget does not reach."""
    named = desk.subjects.named(signal.subject)
    brought = gifts(signal, leads) if signal.active_sources else {}
    stats = desk.stats[signal.name]
    taken = await _taken(signal, leads, brought, desk, stats)
    asked: Sequence[int] = range(leads.height)
    if taken:
        asked = [row for row in asked if (named.campaigns[row], named.subjects[row]) not in taken]
    wanted, ranks = asked, None
    if judged is not None:
        ranks = judged["rank"].to_list()
        if not judged["worth"].all():
            worth = judged["worth"].to_list()
            wanted = [row for row in asked if worth[row]]
    if beyond:
        wanted = [row for row in wanted if named.subjects[row] not in beyond]
    subjects = _subjects(signal, leads, desk, named.first(wanted, ranks))
    stats.subjects = Counter(subject.campaign_id for subject in subjects.values())
    stats.subjects.update(campaign for campaign, _ in taken)
    verdicts, charges = await ask(signal, subjects, desk, stats)
    if len(wanted) < len(asked):
        others = _subjects(signal, leads, desk, named.first([row for row in asked if named.subjects[row] not in subjects], ranks))
        known, paid = await _not_bought(signal, others, beyond, desk, stats)
        verdicts, charges = verdicts | known, charges + paid
    return _SignalFindings(signal, asked, brought, taken, verdicts, charges, stats)


async def _collected(asked: _SignalFindings, leads: pl.DataFrame, desk: Desk, judged: pl.DataFrame | None) -> Collected:
    signal, stats, verdicts, taken = asked.signal, asked.stats, asked.verdicts, asked.taken
    named = desk.subjects.named(signal.subject)
    if signal.subject != "company_domain":
        await _suppress(asked, leads, named, desk.ledger)
    without = sum(named.subjects[row] is None for row in asked.rows)
    stats.found = sum(verdict.state == "found" for verdict in verdicts.values()) + len(taken)
    stats.missed = Counter(verdict.reason or "no_result" for verdict in verdicts.values() if verdict.state != "found")
    if without:
        stats.missed["no_subject"] += without
    pairs = {(named.campaigns[row], named.subjects[row]) for row in asked.rows}
    looks, lacking = stats.looks.by_campaign(pairs), _lacking(pairs, verdicts)
    # A gift that is stale is better than nothing.
    last_resorts = {
        key: _as_verdict(gift, stale=verdict.reason not in ("not_bought", NOT_WORTH_IT))
        for key, gift in asked.brought.items()
        if key not in taken and (verdict := verdicts[key[1]]).state == "unknown" and verdict.reason not in OPTED_OUT
    }
    seen = stats.looks.by_subject() if taken else {}
    for key, gift in taken.items():
        campaign, name = key
        stats.given[campaign] += 1
        stats.spent[campaign].hits += 1
        look = looks.setdefault(campaign, Look())
        look.keys |= seen.get(name, set())
        look.until = min(look.until, _fresh_until(signal, gift, desk))
    own = {key: _as_verdict(gift) for key, gift in taken.items()} | last_resorts
    charges = [charge for charge in asked.charges if (charge.campaign_id, charge.subject) not in taken]
    return Collected(_rows(signal, leads, named, judged, verdicts, charges, own), stats, lacking, looks)


async def _not_bought(
    signal: Signal, subjects: Mapping[str, Subject], beyond: Collection[str], desk: Desk, stats: SignalStats
) -> tuple[dict[str, SubjectVerdict], list[Charge]]:
    """Verdicts on subjects for which nothing is bought, because they are not worth it or beyond the budget: what the ledger has is free, however old."""
    recalled = SignalStats()
    verdicts, charges = await ask(signal, subjects, replace(desk, ledger=desk.ledger.recall_only()), recalled)
    stats.looks.add_all(recalled.looks)
    stats.recalled.update(recalled.looks.keys)
    for campaign, spent in recalled.spent.items():
        stats.spent[campaign].hits += spent.hits
    if beyond:
        stats.looks.end(verdicts.keys() & set(beyond))  # the next run looks again for what the budget allows
    for name, verdict in verdicts.items():
        if verdict.state == "unknown" and verdict.reason not in ("off", "suppressed"):
            verdicts[name] = SubjectVerdict("unknown", "over_budget" if name in beyond else NOT_WORTH_IT)
    return verdicts, charges


async def _taken(signal: Signal, leads: pl.DataFrame, brought: Mapping[Key, Gift], desk: Desk, stats: SignalStats) -> dict[Key, Gift]:
    """The gifts to use without asking anybody: fresh ones, for which the ledger has no newer answer."""
    now = desk.ledger.now()
    fresh = {key: gift for key, gift in brought.items() if now - gift.as_of < signal.lifetimes.found}
    if not fresh:
        return {}
    names, named = {name for _, name in fresh}, desk.subjects.named(signal.subject)
    subjects = _subjects(signal, leads, desk, named.first([row for row, name in enumerate(named.subjects) if name in names]))
    recalled = SignalStats()
    known, _ = await ask(signal, subjects, replace(desk, ledger=desk.ledger.recall_only()), recalled)
    stats.looks.add_all(recalled.looks)
    stats.recalled.update(recalled.looks.keys)
    return {key: gift for key, gift in fresh.items() if (answered := known[key[1]].as_of) is None or answered <= gift.as_of}


def _as_verdict(gift: Gift, *, stale: bool = False) -> SubjectVerdict:
    return SubjectVerdict("found", None, GIVEN, gift.as_of, stale, values=gift.values)


def _fresh_until(signal: Signal, gift: Gift, desk: Desk) -> float:
    """Until when the gift saves a call, in seconds since the epoch; infinity if nobody would be called."""
    buying = any(load_vendors()[source.provider].key(desk.settings) is not None for source in signal.active_sources)
    return (gift.as_of + signal.lifetimes.found).timestamp() if buying else math.inf


def _lacking(pairs: Collection[tuple[str, str | None]], verdicts: Mapping[str, SubjectVerdict]) -> frozenset[tuple[str, str]]:
    providers = {name: verdict.lacks for name, verdict in verdicts.items() if verdict.lacks is not None}
    return frozenset((campaign, providers[name]) for campaign, name in pairs if name in providers) if providers else frozenset()


def _subjects(signal: Signal, leads: pl.DataFrame, desk: Desk, first: Sequence[int]) -> dict[str, Subject]:
    """Each subject with its payer and, if a source's question needs them, the facts of its first lead. `first`: the places of these leads."""
    named = desk.subjects.named(signal.subject)
    names = [named.subjects[row] or "" for row in first]
    if all(source.ask is None for source in signal.active_sources):
        return {name: Subject(named.campaigns[row]) for name, row in zip(names, first, strict=True)}
    kinds: tuple[SubjectKind, ...] = ("email", "company_domain", "person_profile")
    emails, domains, profiles = (desk.subjects.named(kind).subjects for kind in kinds)
    given, last = leads["name_first"].to_list(), leads["name_last"].to_list()
    return {
        name: Subject(named.campaigns[row], LeadFacts(name, emails[row], given[row], last[row], domains[row], profiles[row]))
        for name, row in zip(names, first, strict=True)
    }


async def _suppress(asked: _SignalFindings, leads: pl.DataFrame, named: Named, ledger: Ledger) -> None:
    """Suppress people who opted out at a provider: from the next run on, the identity room keeps them out."""
    claimed = {name: verdict for name, verdict in asked.verdicts.items() if verdict.reason == "suppressed"}
    if not claimed:
        return
    emails = leads["email_normalized"].to_list()
    addresses = {(name, emails[row]) for row in asked.rows if (name := named.subjects[row]) in claimed and name and emails[row] is not None}
    addresses |= {(name, verdict.address) for name, verdict in claimed.items() if verdict.address}
    rows = [
        (kind, value_hash(value), f"asked {claimed[name].provider} not to be processed")
        for name, address in sorted(addresses)
        for kind, value in email_values(address)
    ]
    await asyncio.to_thread(ledger.suppress_all, rows)


_COMMON = ("state", "reason", "provider", "as_of", "stale", "synthetic")
_NOBODY, _NO_VERDICT = SubjectVerdict("unknown", "no_subject"), SubjectVerdict("unknown", None)


def _rows(
    signal: Signal,
    leads: pl.DataFrame,
    named: Named,
    judged: pl.DataFrame | None,
    verdicts: Mapping[str, SubjectVerdict],
    charges: Sequence[Charge],
    own: Mapping[Key, SubjectVerdict] = MappingProxyType({}),
) -> pl.DataFrame:
    """The verdicts beside the leads, with each charge on the first lead of the campaign that paid it. `own`: verdicts for one campaign only."""
    said = [*verdicts.values(), *own.values(), _NOBODY, _NO_VERDICT]
    place: dict[object, int] = {name: number for number, name in enumerate(verdicts)}
    of_own = {key: number for number, key in enumerate(own, start=len(verdicts))}
    nobody, no_verdict = len(said) - 2, len(said) - 1
    places = [nobody if name is None else place.get(name, no_verdict) for name in named.subjects]
    if own:
        places = [of_own.get(key, at) for key, at in zip(zip(named.campaigns, named.subjects, strict=True), places, strict=True)]  # type: ignore[arg-type]
    schema = signal.contract.polars_schema()
    facts = pl.DataFrame(
        [
            *(column_of_values(name, [getattr(verdict, name) for verdict in said], schema[name]) for name in _COMMON),
            *(_values(name, [verdict.values.get(name) for verdict in said], dtype) for name, dtype in signal.value_schema.items()),
        ]
    )[places]
    needs: pl.Series | None = None
    if judged is not None and judged["needs"].null_count() < leads.height:
        left_out = [said[at].reason == NOT_WORTH_IT for at in places]
        needs = judged["needs"].set(~pl.Series(left_out), None) if not all(left_out) else judged["needs"]
    columns = {
        "campaign_id": leads["campaign_id"],
        "lead_id": leads["lead_id"],
        "subject": pl.Series("subject", named.subjects, pl.String),
        "needs": pl.Series("needs", [None] * leads.height, pl.String) if needs is None else needs,
        "cost_usd": _costs(leads, named, charges),
        **{each.name: each for each in facts},
    }
    return pl.DataFrame([columns[name] for name in schema])


def _values(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    """The values as a column; a parser's value that is of another type is made one of this."""
    try:
        return column_of_values(name, values, dtype)
    except (TypeError, pl.exceptions.PolarsError):
        return pl.Series(name, values, dtype, strict=False)


def _costs(leads: pl.DataFrame, named: Named, charges: Sequence[Charge]) -> pl.Series:
    """For each row: each answer's cost on the first lead it served in the campaign that paid."""
    costs = [0] * leads.height
    billed: dict[tuple[str, str | None], list[Charge]] = {}
    for charge in charges:
        billed.setdefault((charge.campaign_id, charge.subject), []).append(charge)
    # An answer that served several subjects is paid by the first of them.
    paid: set[tuple[str, str]] = set()
    for row in named.arrived if billed else ():
        for charge in billed.pop((named.campaigns[row], named.subjects[row]), ()):
            if (charge.key, charge.campaign_id) not in paid:
                paid.add((charge.key, charge.campaign_id))
                costs[row] += charge.cost_micros
    dollars = pl.Series("cost_usd", costs, dtype=pl.Int64).cast(MONEY_DTYPE)
    return dollars if not charges else dollars.to_frame().select((pl.first() / pl.lit(Decimal(1_000_000))).cast(MONEY_DTYPE)).to_series()
