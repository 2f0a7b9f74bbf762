"""One lead through the rooms, by the functions that the assets call: read, identity, signals, classification, score, route.

What it buys is in the ledger, so the next run of the lead's campaign buys nothing of it, and its rows are the same.
Does not belong here: HTTP and the shapes of answers (see `enrich_api`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import polars as pl

from lead_assets.classification.classify import classify
from lead_assets.contracts import Lead
from lead_assets.core.campaign_keys import inbound_key
from lead_assets.core.settings import Settings
from lead_assets.identity.resolve import resolve
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.drops import read_drops
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import LOOKALIKE_INDEX, SCORE_MODEL
from lead_assets.lookalike.home import lead_similarities
from lead_assets.routing.matching import routing_frame
from lead_assets.routing.ownership import decide
from lead_assets.routing.table import content_of, load_routing_table
from lead_assets.scoring.features import features
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score, with_quarantined
from lead_assets.signals.engine import collect_in_order
from lead_assets.signals.merge import NO_SUBJECT, OFF, enrich
from lead_assets.signals.signal import Signal, load_pre_score, load_signals
from lead_assets.signals.worth import NOT_WORTH_IT
from lead_assets.stores.archive import Archive, Receipt
from lead_assets.stores.warehouse.base import Warehouse


@dataclass
class OneLead:
    """What is known of a lead, each as a row of its table; None where the way ended before. `signals`: the row of each signal; `payloads`: how many, leads
    or rejects, its body had."""

    payloads: int = 0
    lead: dict[str, Any] | None = None
    suppressed: dict[str, Any] | None = None
    rejects: list[dict[str, Any]] = field(default_factory=list)
    signals: dict[str, dict[str, Any]] = field(default_factory=dict)
    enriched: dict[str, Any] | None = None
    classification: dict[str, Any] | None = None
    quarantine: dict[str, Any] | None = None
    score: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None
    keys: set[str] = field(default_factory=set)
    """What was looked up in the ledger."""
    until: float = math.inf
    """Until when that holds, in seconds since the epoch."""
    not_worth_it: list[str] = field(default_factory=list)
    """Signals that count as the campaign's other leads have them."""

    def looked(self, keys: Iterable[str], until: float) -> None:
        self.keys |= set(keys)
        self.until = min(self.until, until)


_KEYS = ["campaign_id", "lead_id"]

_SAYS_NOTHING = pl.all_horizontal(pl.col("email", "phone", "linkedin_url").is_null())

Told = Callable[[str, dict[str, Any]], None]
"""Called after each step with its name and its row."""


def read_lead(body: bytes, *, campaign: str | None, now: datetime, ledger: Ledger, settings: Settings) -> tuple[pl.DataFrame, OneLead]:
    """The first lead of a body as a frame of contracts.Lead, empty if there is none or it is suppressed; what is wrong is in the other result."""
    return read_leads([(body, campaign)], now=now, ledger=ledger, settings=settings)[0]


def read_leads(
    bodies: Sequence[tuple[bytes, str | None]], *, now: datetime, ledger: Ledger, settings: Settings
) -> list[tuple[pl.DataFrame, OneLead]]:
    """As `read_lead` for each body and the campaign that its sender named. They are read together, and none is compared with another."""
    drops = read_drops([(body, {}) for body, _ in bodies], limits=settings.limits, adapters=adapters_of(settings))
    own_of: dict[int, str] = {}
    for number, own in drops.leads.select("drop", "own_campaign").drop_nulls().iter_rows():
        own_of.setdefault(number, own)
    default = inbound_key(now)
    keys = [campaign or own_of.get(number, default) for number, (_, campaign) in enumerate(bodies)]
    if drops.leads.height > len(bodies):
        named = pl.DataFrame({"drop": range(len(bodies)), "key": keys, "forced": [campaign is not None for _, campaign in bodies]})
        chosen = drops.leads.join(named, on="drop", how="left", maintain_order="left")
        mine = chosen.filter(pl.col("forced") | (pl.coalesce("own_campaign", pl.lit(default)) == pl.col("key")))
        drops = replace(drops, leads=mine.select(drops.leads.columns))
    raw, rejected = drops.place([(number, _receipt(number, body, now)) for number, (body, _) in enumerate(bodies)])
    found = [OneLead() for _ in bodies]
    for frame in (raw, rejected):
        for number, count in frame.group_by("campaign_id").len().iter_rows():
            found[int(number)].payloads += count
    for row in rejected.iter_rows(named=True):
        found[int(row["campaign_id"])].rejects.append(row)
    # The account of somebody who left nothing but an id is made from it and the campaign, so those are compared under their real one, each alone.
    nothing = set(raw.filter(_SAYS_NOTHING)["campaign_id"])
    suppressions = ledger.suppressions()
    groups = [raw.filter(~pl.col("campaign_id").is_in(nothing)) if nothing else raw]
    groups += [
        raw.filter(pl.col("campaign_id") == number).with_columns(campaign_id=pl.lit(keys[int(number)])) for number in sorted(nothing)
    ]
    leads: dict[int, pl.DataFrame] = {}
    for group, own_number in zip(groups, [None, *sorted(nothing)], strict=True):
        resolved = resolve(group, suppressions, ledger.suppression_hash)
        for frame in resolved.leads.partition_by("campaign_id", maintain_order=True):
            number = int(own_number or frame["campaign_id"][0])
            leads[number] = frame.head(1).with_columns(campaign_id=pl.lit(keys[number]))
        for row in resolved.suppressed.iter_rows(named=True):
            one = found[int(own_number or row["campaign_id"])]
            one.suppressed = one.suppressed or row
    return [(leads.get(number, Lead.empty()), found[number]) for number in range(len(bodies))]


def _receipt(number: int, body: bytes, now: datetime) -> Receipt:
    """A body that arrives: in a campaign of its own, so that it is compared with no other body."""
    digest = sha256(body).hexdigest()
    return Receipt(
        receipt_id=digest[:32],
        campaign_id=str(number),
        sha256=digest,
        name="service",
        received_at=now,
        size=len(body),
        records=1,
        default_campaign=str(number),
        forced_campaign=True,
    )


def stored_lead(warehouse: Warehouse, lead_id: str) -> pl.DataFrame:
    """The newest lead with this id, as a frame of contracts.Lead; empty if there is none."""
    partitions = warehouse.partitions(Lead)
    if not partitions:
        return Lead.empty()
    sql = f"SELECT campaign_id FROM identity.leads WHERE lead_id = {literal(lead_id)} ORDER BY received_at DESC LIMIT 1"
    found = warehouse.query(sql, [Lead])
    if found.is_empty():
        return Lead.empty()
    return warehouse.read(Lead, [found["campaign_id"][0]]).filter(pl.col("lead_id") == lead_id).head(1)


def through_the_rooms(
    leads: pl.DataFrame,
    found: OneLead,
    *,
    ledger: Ledger,
    settings: Settings,
    archive: Archive,
    warehouse: Warehouse,
    told: Told | None = None,
) -> OneLead:
    """Fill `found` for the one lead in `leads`. A provider that is down is a missed signal with its reason. A lead whose answer is quarantined is scored
    without it and not routed. A new campaign is pinned to the model and the lookalike index in use, as by its first run."""
    if leads.is_empty():
        return found
    for name, rows in _steps(leads, [found], ledger, settings, archive, warehouse):
        if told is not None:
            told(name, rows[0])
    return found


def through_together(
    leads: pl.DataFrame, found: Sequence[OneLead], *, ledger: Ledger, settings: Settings, archive: Archive, warehouse: Warehouse
) -> None:
    """As `through_the_rooms` for several leads, different in campaign and id: what takes as long for one as for many is done once. `found`: one for each
    row."""
    for _ in _steps(leads, found, ledger, settings, archive, warehouse):
        pass


def _steps(
    leads: pl.DataFrame, found: Sequence[OneLead], ledger: Ledger, settings: Settings, archive: Archive, warehouse: Warehouse
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    rows = leads.to_dicts()
    of_key = {(row["campaign_id"], row["lead_id"]): one for row, one in zip(rows, found, strict=True)}
    for one, row in zip(found, rows, strict=True):
        one.lead = row
    yield "lead", rows
    signals = list(load_signals(settings).values())
    collected = collect_in_order(signals, leads, ledger=ledger, settings=settings, pre_score=load_pre_score(settings))
    for name, bought in collected.items():
        for one, row in zip(found, bought.frame.iter_rows(named=True), strict=True):
            one.signals[name] = row
            if (look := bought.looks.get(row["campaign_id"])) is not None:
                one.looked(look.keys, look.until)
    enriched = _enriched(leads, found, {name: bought.frame for name, bought in collected.items()}, signals, warehouse)
    for one, row in zip(found, enriched.iter_rows(named=True), strict=True):
        one.enriched = row
    yield "signals", [one.enriched or {} for one in found]
    classified = classify(leads, enriched, ledger=ledger, settings=settings)
    for key, row in _by_lead(classified.classifications):
        of_key[key].classification = row
    for key, row in _by_lead(classified.quarantine):
        of_key[key].quarantine = row
    for campaign, (keys, until) in classified.stats.looks.items():
        for one in found:
            if one.lead is not None and one.lead["campaign_id"] == campaign:
                one.looked(keys, until)
    yield "classification", [one.classification or one.quarantine or {} for one in found]
    scores = _scores(with_quarantined(classified.classifications, classified.quarantine), leads, enriched, ledger, settings, archive)
    for key, row in _by_lead(scores):
        of_key[key].score = row
    yield "score", [one.score or {} for one in found]
    table = load_routing_table(settings)
    if not classified.quarantine.is_empty():
        leads, enriched, scores = (
            frame.join(classified.classifications, on=_KEYS, how="semi", maintain_order="left") for frame in (leads, enriched, scores)
        )
    if leads.height:
        framed = routing_frame(leads, enriched, classified.classifications, scores, table)
        for key, row in _by_lead(decide(framed, table, ledger, content_of(settings))):
            of_key[key].decision = row
        yield "routing", [one.decision or {} for one in found]


def _enriched(
    leads: pl.DataFrame,
    found: Sequence[OneLead],
    frames: Mapping[str, pl.DataFrame],
    signals: Sequence[Signal],
    warehouse: Warehouse,
) -> pl.DataFrame:
    """What was not worth its price counts as the rest of the lead's campaign has it, whoever else is asked about at the same time."""
    for one in found:
        one.not_worth_it = [signal.name for signal in signals if one.signals[signal.name]["reason"] == NOT_WORTH_IT]
    skipped = {name for one in found for name in one.not_worth_it}
    if not skipped:
        return enrich(leads, frames)
    return enrich(leads, frames, _of_others([each for each in signals if each.name in skipped], leads, warehouse), apart=True)


def _by_lead(frame: pl.DataFrame) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for row in frame.iter_rows(named=True):
        yield (row["campaign_id"], row["lead_id"]), row


def _of_others(signals: Sequence[Signal], leads: pl.DataFrame, warehouse: Warehouse) -> dict[str, tuple[pl.Expr, pl.Expr]]:
    """Signal → for each lead, of how many other leads of its campaign it was found, and how many could be asked about."""
    campaigns = ", ".join(literal(name) for name in sorted(set(leads["campaign_id"])))
    ids = ", ".join(literal(name) for name in sorted(set(leads["lead_id"])))
    never = ", ".join(literal(reason) for reason in (OFF, NOT_WORTH_IT, NO_SUBJECT))
    # All of a campaign under no id, and what of it are the leads themselves.
    sql = " UNION ALL ".join(
        f"SELECT {literal(signal.name)} AS name, campaign_id, {own} AS lead_id, COUNT(CASE WHEN state = 'found' THEN 1 END) AS found, "
        f"COUNT(CASE WHEN COALESCE(reason, '') NOT IN ({never}) THEN 1 END) AS asked "
        f"FROM {signal.contract.table} WHERE campaign_id IN ({campaigns}){where} GROUP BY {group}"
        for signal in signals
        for own, where, group in (("''", "", "campaign_id"), ("lead_id", f" AND lead_id IN ({ids})", "campaign_id, lead_id"))
    )
    rows = warehouse.query(sql, [signal.contract for signal in signals])
    counts = {(name, campaign, lead): (found, asked) for name, campaign, lead, found, asked in rows.iter_rows()}
    keys = leads.select(_KEYS).rows()
    others = {}
    for signal in signals:
        of_leads = []
        for campaign, lead in keys:
            every, own = (counts.get((signal.name, campaign, each), (0, 0)) for each in ("", lead))
            of_leads.append((every[0] - own[0], every[1] - own[1]))
        found, asked = zip(*of_leads, strict=True)
        others[signal.name] = (pl.lit(pl.Series(found)), pl.lit(pl.Series(asked)))
    return others


def _scores(
    classified: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame, ledger: Ledger, settings: Settings, archive: Archive
) -> pl.DataFrame:
    index, model = (ledger.pins.hold(name, leads["campaign_id"].to_list()) for name in (LOOKALIKE_INDEX, SCORE_MODEL))
    others = [lead_similarities(leads, enriched, index, archive).select("campaign_id", "lead_id", "contrast")]
    if any(model.values()):
        from lead_assets.scoring.learned import win_probabilities  # with scikit-learn

        others.append(win_probabilities(features(classified, leads, enriched), model, archive))
    return score(classified, leads, enriched, load_scoring_rules(settings), *others)


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _first(frame: pl.DataFrame) -> dict[str, Any] | None:
    return frame.row(0, named=True) if frame.height else None
