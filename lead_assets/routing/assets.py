"""The assets of the routing room."""

import math

import polars as pl

from lead_assets.contracts import (
    WHOLE_HOME,
    Classification,
    EnrichedLead,
    Lead,
    Quarantined,
    RoutingDecision,
    RoutingEvaluation,
    Score,
)
from lead_assets.kit import pictures
from lead_assets.kit.checks import Check, Verdict
from lead_assets.kit.conditions import after_the_campaigns, where_it_costs_nothing
from lead_assets.kit.notes import Served
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import counts_by, figures_by, joined, named, tables
from lead_assets.routing.evaluation import ENOUGH, content_of_labels, evaluate, figures, load_labels
from lead_assets.routing.matching import routing_frame
from lead_assets.routing.ownership import decide
from lead_assets.routing.table import content_of, load_routing_table


def owners_drawn(rows: pl.DataFrame, _step: Step) -> str | None:
    counted = rows["owner"].value_counts(sort=True)
    return pictures.bars("Leads by owner", dict(counted.iter_rows())) if rows.height else None


def nobody_quarantined(step: Step) -> dict[str, Verdict]:
    both = step.stored(RoutingDecision).join(step.stored(Quarantined), on=list(RoutingDecision.key), how="semi")
    counted = dict(both.group_by("campaign_id").len().iter_rows())
    return {key: Verdict(not counted.get(key), {"quarantined_and_routed": counted.get(key, 0)}) for key in step.partitions}


@tables(
    RoutingDecision,
    reads={"leads": Lead, "enriched": EnrichedLead, "classifications": Classification, "scores": Score},
    condition=where_it_costs_nothing(),
    logic=["lead_assets.routing"],
    rules=["routing.yaml"],
    pictures={RoutingDecision: owners_drawn},
    # ROUTING_JSON replaces the file, and people move leads.
    outside=lambda step, campaign: [step.settings.routing_json, step.ledger.owner_changes_of([campaign])[campaign]],
    checks=[
        Check(
            RoutingDecision,
            "nobody_quarantined",
            "No lead in classification.quarantine is routed, so that no answer that broke its contract reaches an owner or a customer.",
            nobody_quarantined,
            blocking=True,
        )
    ],
)
def decisions(step: Step, leads: pl.DataFrame, enriched: pl.DataFrame, classifications: pl.DataFrame, scores: pl.DataFrame) -> Made:
    scores = scores.filter(~pl.col("quarantined"))
    table = load_routing_table(step.settings)
    frame = decide(routing_frame(leads, enriched, classifications, scores, table), table, step.ledger, content_of(step.settings))
    owners = named("owners", counts_by(frame, "owner"))
    # Owners are kept: a decision holds as long as this ledger does.
    kept = dict.fromkeys(step.partitions, Served(frozenset(), math.inf))
    return Made(frame, joined(owners, figures_by(frame, by_fallback=pl.col("fallback").sum())), served=kept)


def right_often_enough(step: Step) -> dict[str, Verdict]:
    found = figures(step.stored(RoutingEvaluation))
    return {WHOLE_HOME: Verdict(not found["labelled"] or found["accuracy"] >= ENOUGH, found)}


@tables(
    RoutingEvaluation,
    whole={Lead: None, RoutingDecision: None},
    logic=["lead_assets.routing.evaluation"],
    outside=lambda step, _: content_of_labels(step.settings),
    condition=after_the_campaigns(),
    checks=[
        Check(
            RoutingEvaluation,
            "right_often_enough",
            f"Of the leads in owner_labels.csv, at least {ENOUGH:.0%} have the owner they should have.",
            right_often_enough,
        )
    ],
)
def evaluation(step: Step) -> Made:
    leads = step.query("SELECT campaign_id, lead_id, email_normalized FROM identity.leads", [Lead])
    decided = step.query("SELECT campaign_id, lead_id, owner, authority, territory, reason FROM routing.decisions", [RoutingDecision])
    frame = evaluate(load_labels(step.settings), leads, decided)
    return Made(frame, {WHOLE_HOME: figures(frame)})
