"""One lead through the rooms, by the functions that the assets call: read, identity, signals, classification, score, route.

What it buys is in the ledger, so the next run of the lead's campaign buys nothing of it, and its rows are the same.
Does not belong here: HTTP and the shapes of answers (see `enrich_api`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
from lead_assets.ledger.pins import LOOKALIKE_INDEX, SCORE_MODEL
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


Told = Callable[[str, dict[str, Any]], None]
"""Called after each step with its name and its row."""


def read_lead(body: bytes, *, campaign: str | None, now: datetime, ledger: Ledger, settings: Settings) -> tuple[pl.DataFrame, OneLead]:
    """The first lead of a body as a frame of contracts.Lead, empty if there is none or it is suppressed; what is wrong is in the other result."""
    digest = sha256(body).hexdigest()
    default = campaign or inbound_key(now)
    drops = read_drops([(body, {})], limits=settings.limits, adapters=adapters_of(settings))
    own = drops.leads["own_campaign"].drop_nulls().to_list()
    key = default if campaign or not own else own[0]
    receipt = Receipt(
        receipt_id=digest[:32],
        campaign_id=key,
        sha256=digest,
        name="service",
        received_at=now,
        size=len(body),
        records=1,
        default_campaign=default,
        forced_campaign=campaign is not None,
    )
    raw, rejected = drops.place([(0, receipt)])
    found = OneLead(payloads=raw.height + rejected.height, rejects=rejected.to_dicts())
    resolved = resolve(raw, ledger.suppressions(), ledger.suppression_hash)
    found.suppressed = _first(resolved.suppressed)
    return resolved.leads.head(1), found


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
    found.lead = _first(leads)
    if found.lead is None:
        return found
    steps = _steps(leads, found, ledger, settings, archive, warehouse)
    for name, row in steps:
        if told is not None:
            told(name, row)
    return found


def _steps(
    leads: pl.DataFrame, found: OneLead, ledger: Ledger, settings: Settings, archive: Archive, warehouse: Warehouse
) -> Iterator[tuple[str, dict[str, Any]]]:
    assert found.lead is not None
    yield "lead", found.lead
    signals = list(load_signals(settings).values())
    collected = collect_in_order(signals, leads, ledger=ledger, settings=settings, pre_score=load_pre_score(settings))
    found.signals = {name: one.frame.row(0, named=True) for name, one in collected.items()}
    # What was not worth its price counts as the rest of the campaign has it.
    skipped = [signal for signal in signals if found.signals[signal.name]["reason"] == NOT_WORTH_IT]
    others = _of_others(skipped, found.lead, warehouse) if skipped else {}
    enriched = enrich(leads, {name: one.frame for name, one in collected.items()}, others)
    found.enriched = _first(enriched)
    yield "signals", found.enriched or {}
    classified = classify(leads, enriched, ledger=ledger, settings=settings)
    found.classification, found.quarantine = _first(classified.classifications), _first(classified.quarantine)
    yield "classification", found.classification or found.quarantine or {}
    scores = _scores(with_quarantined(classified.classifications, classified.quarantine), leads, enriched, ledger, settings, archive)
    found.score = _first(scores)
    yield "score", found.score or {}
    if found.quarantine is None:
        table = load_routing_table(settings)
        framed = routing_frame(leads, enriched, classified.classifications, scores, table)
        found.decision = _first(decide(framed, table, ledger, content_of(settings)))
        yield "routing", found.decision or {}


def _of_others(signals: Sequence[Signal], lead: dict[str, Any], warehouse: Warehouse) -> dict[str, tuple[int, int]]:
    """Signal → of how many other leads of the campaign it was found, and how many could be asked about."""
    campaign, lead_id = literal(lead["campaign_id"]), literal(lead["lead_id"])
    never = ", ".join(literal(reason) for reason in (OFF, NOT_WORTH_IT, NO_SUBJECT))
    counts = (
        f"SELECT {literal(signal.name)} AS name, COUNT(CASE WHEN state = 'found' THEN 1 END) AS found, "
        f"COUNT(CASE WHEN COALESCE(reason, '') NOT IN ({never}) THEN 1 END) AS asked "
        f"FROM {signal.contract.table} WHERE campaign_id = {campaign} AND lead_id <> {lead_id}"
        for signal in signals
    )
    rows = warehouse.query(" UNION ALL ".join(counts), [signal.contract for signal in signals])
    return {name: (found, asked) for name, found, asked in rows.iter_rows()}


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
