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
from lead_assets.signals.subjects import subject
from lead_assets.signals.waterfall import OPTED_OUT, Charge, Desk, Subject, SubjectVerdict, Trouble, ask
from lead_assets.signals.worth import NOT_WORTH_IT, PreScoreRules, Worth, pre_scores
from lead_assets.vendors import load_vendors
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
    order = stages(signals, pre_score)
    found: dict[str, Collected] = {}
    trouble = Trouble()
    for stage in sorted(set(order.values())):
        now = [signal for signal in signals if order[signal.name] == stage]
        worth = worth_of(leads, {name: one.frame for name, one in found.items()}, pre_score, order)
        beside = [] if worth.scores is None else [signal for signal in signals if order[signal.name] > stage]
        found |= collect_all(now, leads, ledger=ledger, settings=settings, retry=retry, worth=worth, beside=beside, trouble=trouble)
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
    judged = _judged(worth, signals, leads)
    async with AsyncExitStack() as stack:
        stats = {signal.name: SignalStats(leads=leads.height) for signal in signals}
        desk = Desk(ledger, settings, signals, stack, retry, stats, trouble)
        if worth is None or ledger.buying != "always" or not (budgets := await asyncio.to_thread(ledger.budgets)):
            return await _each(signals, leads, desk, judged, {})
        judged |= _judged(worth, beside, leads)
        return await _within(budgets, signals, beside, leads, desk, judged)


def _judged(worth: Worth | None, signals: Sequence[Signal], leads: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if worth is None or not signals:
        return {}
    return dict(zip([signal.name for signal in signals], worth.judged_by([signal.when for signal in signals], leads), strict=True))


async def _each(
    signals: Sequence[Signal], leads: pl.DataFrame, desk: Desk, judged: Mapping[str, pl.DataFrame], beyond: Mapping[str, set[str]]
) -> dict[str, Collected]:
    collected = await asyncio.gather(
        *(_collect(signal, leads, desk, judged.get(signal.name), beyond.get(signal.name, set())) for signal in signals)
    )
    return {signal.name: one for signal, one in zip(signals, collected, strict=True)}


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
        wishes = [wish for signal in [*signals, *beside] for wish in await _wishes(signal, leads, desk, judged[signal.name])]
        too_dear = plan.beyond(budgets, wishes)
        own = {signal.name: too_dear.get(signal.name, set()) for signal in signals}
        stats = {signal.name: SignalStats(leads=leads.height) for signal in signals}
        collected = await _each(signals, leads, replace(desk, stats=stats), judged, own)
        if not any(own.values()) or own == left:
            break
        for name, one in stats.items():
            earlier[name].append(one)
        left, budgets = own, await asyncio.to_thread(desk.ledger.budgets)
    for name, before in earlier.items():
        for one in before:
            stats[name].add_earlier(one)
    return collected


async def _wishes(signal: Signal, leads: pl.DataFrame, desk: Desk, judged: pl.DataFrame) -> list[plan.Wish]:
    """What the signal would buy, at most, by subject."""
    stats, ledger = SignalStats(), desk.ledger.rehearsal()
    await _collect(signal, leads, replace(desk, ledger=ledger, stats={signal.name: stats}), judged)
    wished = {want.key: want for want in ledger.wished}
    ranks = dict(
        judged.with_columns(subject=leads.select(subject=subject(signal.subject))["subject"])
        .filter("worth", pl.col("subject").is_not_null())
        .group_by("subject")
        .agg(pl.col("rank").min())
        .iter_rows()
    )
    return [
        plan.Wish(signal.name, name, ranks[name], wants)
        for name, look in stats.looks.items()
        if name in ranks and (wants := [wished[key] for key in look.keys if key in wished])
    ]


async def _collect(
    signal: Signal, leads: pl.DataFrame, desk: Desk, judged: pl.DataFrame | None = None, beyond: Collection[str] = ()
) -> Collected:
    """`judged`: see `Worth.judged`. `beyond`: subjects for which the budget does not reach."""
    every = desk.named(signal.subject, leads)
    if judged is not None:
        every = every.hstack(judged)
    brought = gifts(signal, leads) if signal.active_sources else {}
    stats = desk.stats[signal.name]
    taken = await _taken(signal, leads, every, brought, desk, stats)
    asked = _without(every, taken)
    wanted = asked if judged is None or judged["worth"].all() else asked.filter("worth")
    if beyond:
        wanted = wanted.filter(~pl.col("subject").is_in(list(beyond)).fill_null(False))
    if wanted.height == leads.height:
        # The same for all signals that ask about this kind of subject.
        if signal.subject not in desk.firsts:
            desk.firsts[signal.subject] = _first(wanted)
        first = desk.firsts[signal.subject]
    else:
        first = _first(wanted)
    subjects = _subjects(signal, leads, first)
    stats.subjects = Counter(subject.campaign_id for subject in subjects.values())
    stats.subjects.update(campaign for campaign, _ in taken)
    verdicts, charges = await ask(signal, subjects, desk, stats)
    if wanted.height < asked.height:
        others = _subjects(signal, leads, _first(asked.filter(~pl.col("subject").is_in(list(subjects)))))
        known, paid = await _not_bought(signal, others, beyond, desk, stats)
        verdicts, charges = verdicts | known, charges + paid

    if signal.subject != "company_domain":
        await _suppress(asked, verdicts, desk.ledger)
    without = asked["subject"].null_count()
    stats.found = sum(verdict.state == "found" for verdict in verdicts.values()) + len(taken)
    stats.missed = Counter(verdict.reason or "no_result" for verdict in verdicts.values() if verdict.state != "found")
    if without:
        stats.missed["no_subject"] += without
    looks, lacking = _looks(asked, stats), _lacking(asked, verdicts)
    # A gift that is stale is better than nothing.
    last_resorts = {
        key: _as_verdict(gift, stale=verdict.reason not in ("not_bought", NOT_WORTH_IT))
        for key, gift in brought.items()
        if key not in taken and (verdict := verdicts[key[1]]).state == "unknown" and verdict.reason not in OPTED_OUT
    }
    if not (taken or last_resorts):
        return Collected(_rows(signal, every, verdicts, charges), stats, lacking, looks)
    for key, gift in taken.items():
        campaign, name = key
        stats.given[campaign] += 1
        stats.spent[campaign].hits += 1
        look, seen = looks.setdefault(campaign, Look()), stats.looks.get(name)
        look.keys |= seen.keys if seen else set()
        look.until = min(look.until, _fresh_until(signal, gift, desk))
    own = {key: _as_verdict(gift) for key, gift in taken.items()} | last_resorts
    unpaid = [charge for charge in charges if (charge.campaign_id, charge.subject) not in taken]
    return Collected(_rows(signal, every, verdicts, unpaid, own), stats, lacking, looks)


async def _not_bought(
    signal: Signal, subjects: Mapping[str, Subject], beyond: Collection[str], desk: Desk, stats: SignalStats
) -> tuple[dict[str, SubjectVerdict], list[Charge]]:
    """Verdicts on subjects for which nothing is bought, because they are not worth it or beyond the budget: what the ledger has is free, however old."""
    recalled = SignalStats()
    verdicts, charges = await ask(signal, subjects, replace(desk, ledger=desk.ledger.recall_only()), recalled)
    stats.looks |= recalled.looks
    for campaign, spent in recalled.spent.items():
        stats.spent[campaign].hits += spent.hits
    for name, verdict in verdicts.items():
        if name in beyond and name in stats.looks:
            stats.looks[name].until = 0.0  # the next run looks again for what the budget allows
        if verdict.state == "unknown" and verdict.reason not in ("off", "suppressed"):
            verdicts[name] = SubjectVerdict("unknown", "over_budget" if name in beyond else NOT_WORTH_IT)
    return verdicts, charges


async def _taken(
    signal: Signal, leads: pl.DataFrame, every: pl.DataFrame, brought: Mapping[Key, Gift], desk: Desk, stats: SignalStats
) -> dict[Key, Gift]:
    """The gifts to use without asking anybody: fresh ones, for which the ledger has no newer answer."""
    now = desk.ledger.now()
    fresh = {key: gift for key, gift in brought.items() if now - gift.as_of < signal.lifetimes.found}
    if not fresh:
        return {}
    of_gifts = every.with_row_index("row").filter(pl.col("subject").is_in([name for _, name in fresh]))
    subjects = _subjects(signal, leads, _first(of_gifts))
    recalled = SignalStats()
    known, _ = await ask(signal, subjects, replace(desk, ledger=desk.ledger.recall_only()), recalled)
    stats.looks |= recalled.looks
    return {key: gift for key, gift in fresh.items() if (answered := known[key[1]].as_of) is None or answered <= gift.as_of}


def _as_verdict(gift: Gift, *, stale: bool = False) -> SubjectVerdict:
    return SubjectVerdict("found", None, GIVEN, gift.as_of, stale, values=gift.values)


def _fresh_until(signal: Signal, gift: Gift, desk: Desk) -> float:
    """Until when the gift saves a call, in seconds since the epoch; infinity if nobody would be called."""
    buying = any(load_vendors()[source.provider].key(desk.settings) is not None for source in signal.active_sources)
    return (gift.as_of + signal.lifetimes.found).timestamp() if buying else math.inf


def _without(every: pl.DataFrame, taken: Mapping[Key, Gift]) -> pl.DataFrame:
    """The leads that are asked about, with their place in the run's frame as `row`."""
    rows = every.with_row_index("row")
    if not taken:
        return rows
    given = pl.DataFrame(list(taken), schema={"campaign_id": pl.String, "subject": pl.String}, orient="row")
    return rows.join(given, on=["campaign_id", "subject"], how="anti", maintain_order="left")


def _first(asked: pl.DataFrame) -> pl.DataFrame:
    """Each subject's first lead, whose campaign pays, whatever the order of the frame. If the leads are ranked, the subjects of the best come first."""
    first = asked.drop_nulls("subject").sort("received_at", "campaign_id", "lead_id")
    if "rank" in asked.columns:
        return first.with_columns(pl.col("rank").min().over("subject")).unique("subject", keep="first", maintain_order=True).sort("rank")
    return first.unique("subject", keep="first", maintain_order=True)


def _lacking(asked: pl.DataFrame, verdicts: Mapping[str, SubjectVerdict]) -> frozenset[tuple[str, str]]:
    providers = {name: verdict.lacks for name, verdict in verdicts.items() if verdict.lacks is not None}
    if not providers:
        return frozenset()
    pairs = asked.select("campaign_id", "subject").filter(pl.col("subject").is_in(list(providers))).unique()
    return frozenset((campaign, providers[name]) for campaign, name in pairs.iter_rows())


def _subjects(signal: Signal, leads: pl.DataFrame, first: pl.DataFrame) -> dict[str, Subject]:
    """Each subject with its payer and, if a source's question needs them, the facts of its first lead."""
    names, payers = first["subject"].to_list(), first["campaign_id"].to_list()
    if all(source.ask is None for source in signal.active_sources):
        return {name: Subject(payer) for name, payer in zip(names, payers, strict=True)}
    facts = leads[first["row"]].select(
        email=subject("email"),
        first_name=pl.col("name_first"),
        last_name=pl.col("name_last"),
        company_domain=subject("company_domain"),
        profile=subject("person_profile"),
    )
    return {name: Subject(payer, LeadFacts(name, *row)) for name, payer, row in zip(names, payers, facts.iter_rows(), strict=True)}


def _looks(asked: pl.DataFrame, stats: SignalStats) -> dict[str, Look]:
    """What each campaign's rows depend on in the ledger: everything looked up for its subjects, whoever paid."""
    pairs = set(zip(asked["campaign_id"].to_list(), asked["subject"].to_list(), strict=True))
    looks = {campaign: Look() for campaign, _ in pairs}
    for campaign, name in pairs:
        if name in stats.looks:
            looks[campaign].keys |= stats.looks[name].keys
            looks[campaign].until = min(looks[campaign].until, stats.looks[name].until)
    return looks


async def _suppress(asked: pl.DataFrame, verdicts: Mapping[str, SubjectVerdict], ledger: Ledger) -> None:
    """Suppress people who opted out at a provider: from the next run on, the identity room keeps them out."""
    claimed = {name: verdict for name, verdict in verdicts.items() if verdict.reason == "suppressed"}
    if not claimed:
        return
    addresses = {
        (name, address) for name, address in asked.select("subject", "email_normalized").drop_nulls().iter_rows() if name in claimed
    }
    addresses |= {(name, verdict.address) for name, verdict in claimed.items() if verdict.address}
    rows = [
        (kind, value_hash(value), f"asked {claimed[name].provider} not to be processed")
        for name, address in sorted(addresses)
        for kind, value in email_values(address)
    ]
    await asyncio.to_thread(ledger.suppress_all, rows)


def _rows(
    signal: Signal,
    every: pl.DataFrame,
    verdicts: Mapping[str, SubjectVerdict],
    charges: Sequence[Charge],
    own: Mapping[Key, SubjectVerdict] = MappingProxyType({}),
) -> pl.DataFrame:
    """The verdicts joined back to the leads, with each charge on the first lead of the campaign that paid it. `own`: verdicts for one campaign only."""
    names = {key: f"{len(key[0])} {key[0]} {key[1]}" for key in own}
    asked = every.with_columns(verdict=pl.col("subject"))
    if own:
        of_own = pl.DataFrame(
            [(*key, name) for key, name in names.items()],
            schema={"campaign_id": pl.String, "subject": pl.String, "own": pl.String},
            orient="row",
        )
        asked = asked.join(of_own, on=["campaign_id", "subject"], how="left", maintain_order="left")
        asked = asked.with_columns(verdict=pl.coalesce("own", "subject")).drop("own")
        verdicts = {**verdicts, **{names[key]: verdict for key, verdict in own.items()}}
    schema = signal.contract.polars_schema()
    common = ("state", "reason", "provider", "as_of", "stale", "synthetic")
    said = verdicts.values()
    facts = pl.DataFrame(
        {
            "verdict": list(verdicts),
            **{column: _series([getattr(verdict, column) for verdict in said], schema[column]) for column in common},
            **{column: _series([verdict.values.get(column) for verdict in said], dtype) for column, dtype in signal.value_schema.items()},
        },
        schema={"verdict": pl.String, **{column: schema[column] for column in common}, **signal.value_schema},
        strict=False,
    )
    if "needs" not in asked.columns:
        asked = asked.with_columns(needs=pl.lit(None, dtype=pl.String))
    rows = asked.join(facts, on="verdict", how="left", maintain_order="left")
    nobody = SubjectVerdict("unknown", "no_subject")
    return rows.with_columns(
        needs=pl.when((pl.col("reason") == NOT_WORTH_IT) & pl.col("subject").is_not_null()).then(pl.col("needs")),
        reason=pl.when(pl.col("subject").is_null()).then(pl.lit(nobody.reason)).otherwise(pl.col("reason")),
        state=pl.col("state").fill_null(nobody.state),
        stale=pl.col("stale").fill_null(False),
        synthetic=pl.col("synthetic").fill_null(False),
        cost_usd=(_costs(asked, charges).cast(MONEY_DTYPE) / pl.lit(Decimal(1_000_000))).cast(MONEY_DTYPE),
    ).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _series(values: list[Any], dtype: pl.DataType) -> Any:
    """The values, or the column of them where polars would take long to make it."""
    return column_of_values("", values, dtype) if isinstance(dtype, pl.List | pl.Datetime) else values


def _costs(asked: pl.DataFrame, charges: Sequence[Charge]) -> pl.Series:
    """For each row, in micro-dollars: each answer's cost on the first lead it served in the campaign that paid."""
    costs = [0] * asked.height
    if charges:
        billed = {(charge.campaign_id, charge.subject) for charge in charges}
        payers: dict[tuple[str, str], tuple[Any, str, int]] = {}
        for row, (campaign, lead, at, name) in enumerate(asked.select("campaign_id", "lead_id", "received_at", "subject").iter_rows()):
            if (campaign, name) in billed:
                payers[campaign, name] = min(payers.get((campaign, name), (at, lead, row)), (at, lead, row))
        # An answer that served several subjects is paid by the first of them.
        ordered = sorted(
            (payer, number)
            for number, charge in enumerate(charges)
            if (payer := payers.get((charge.campaign_id, charge.subject))) is not None
        )
        paid: set[tuple[str, str]] = set()
        for (_, _, row), number in ordered:
            charge = charges[number]
            if (charge.key, charge.campaign_id) not in paid:
                paid.add((charge.key, charge.campaign_id))
                costs[row] += charge.cost_micros
    return pl.Series("cost_usd", costs, dtype=pl.Int64)
