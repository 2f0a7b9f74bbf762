"""The assets of the routing room."""

import math

import polars as pl

from lead_assets.contracts import Classification, EnrichedLead, Lead, RoutingDecision, Score
from lead_assets.kit import pictures
from lead_assets.kit.conditions import where_it_costs_nothing
from lead_assets.kit.notes import Served
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import counts_by, figures_by, joined, named, tables
from lead_assets.routing.matching import routing_frame
from lead_assets.routing.ownership import decide
from lead_assets.routing.table import content_of, load_routing_table


def owners_drawn(rows: pl.DataFrame, _step: Step) -> str | None:
    counted = rows["owner"].value_counts(sort=True)
    return pictures.bars("Leads by owner", dict(counted.iter_rows())) if rows.height else None


@tables(
    RoutingDecision,
    reads={"leads": Lead, "enriched": EnrichedLead, "classifications": Classification, "scores": Score},
    condition=where_it_costs_nothing(),
    logic=["lead_assets.routing"],
    rules=["routing.yaml"],
    pictures={RoutingDecision: owners_drawn},
    # ROUTING_JSON replaces the file, and people move leads.
    outside=lambda step, campaign: [step.settings.routing_json, step.ledger.owner_changes_of([campaign])[campaign]],
)
def decisions(step: Step, leads: pl.DataFrame, enriched: pl.DataFrame, classifications: pl.DataFrame, scores: pl.DataFrame) -> Made:
    table = load_routing_table(step.settings)
    frame = decide(routing_frame(leads, enriched, classifications, scores, table), table, step.ledger, content_of(step.settings))
    owners = named("owners", counts_by(frame, "owner"))
    # Owners are kept: a decision holds as long as this ledger does.
    kept = dict.fromkeys(step.partitions, Served(frozenset(), math.inf))
    return Made(frame, joined(owners, figures_by(frame, by_fallback=pl.col("fallback").sum())), served=kept)
