"""What a model sees of a lead: columns that say nothing of who it is, as they stood when the lead was first scored.

Belongs here: choosing the columns, and hiding what became known too late. Does not belong here: storing them (see `stores.first_scored`), or learning.
"""

from __future__ import annotations

import polars as pl

from lead_assets.stores.first_scored import AS_OF, KEYS

CREATED = "created_at"
_BROUGHT = (
    *(
        "adapter",
        "source",
        "country_code",
        "state_code",
        "email_kind",
        "seniority",
        "department",
        "industry",
        "company_size",
        "property_type",
    ),
    *("web_activity_score", "email_engagement_score", "loan_amount_requested", "purchase_price", "estimated_arv"),
)
_PRESENT = ("phone_e164", "linkedin_url", "website", "company", "property_address", "notes")
"""Columns of which only their presence counts: their values say who the lead is."""
BROUGHT = (CREATED, *_BROUGHT, *(f"has_{name}" for name in _PRESENT))
"""What the lead brings itself."""
FOUND = (
    "company_industry",
    "headcount_min",
    "funding_total_usd",
    "latest_round",
    "posting_count",
    "email_grade",
    "hq_country_code",
    "enrichment_quality",
)
JUDGED = ("profile", "loan_type", "investor_experience", "icp_fit", "persona", "buying_stage", "urgency_score", "lead_rating")
FEATURES = (*BROUGHT, *FOUND, *JUDGED)

CUT_OFF, BEFORE, OUTCOME = "ended_at", "before_outcome", "outcome"


def features(classified: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame) -> pl.DataFrame:
    """KEYS and FEATURES of each scored lead. classified: rows of `score.with_quarantined`; leads, enriched: of contracts Lead and EnrichedLead."""
    brought = leads.select(
        *KEYS,
        pl.coalesce("submitted_at", "received_at").dt.replace_time_zone(None).alias(CREATED),
        *_BROUGHT,
        *(pl.when(pl.col(name).is_not_null()).then(pl.lit("yes")).otherwise(pl.lit("no")).alias(f"has_{name}") for name in _PRESENT),
    )
    return (
        classified.select(*KEYS, *JUDGED)
        .join(brought, on=KEYS, how="left", validate="1:1")
        .join(enriched.select(*KEYS, *FOUND), on=KEYS, how="left", validate="1:1")
        .select(*KEYS, *FEATURES)
        .sort(KEYS)
    )


def remembered(known: pl.DataFrame, leads: pl.DataFrame, enriched: pl.DataFrame) -> pl.DataFrame:
    """What is stored of leads that are scored: their `features`, and the texts that the lookalike index compares."""
    texts = leads.select(*KEYS, "title").join(enriched.select(*KEYS, "company_description"), on=KEYS, how="left", validate="1:1")
    return known.join(texts, on=KEYS, how="left", validate="1:1")


def training_table(outcomes: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """KEYS, OUTCOME (won, lost, open), CUT_OFF, BEFORE and FEATURES of the leads with an outcome, in order of CUT_OFF.

    outcomes: rows of contracts.LeadOutcome; scored: of `as_first_scored` with FEATURES. Of a lead that was scored only after it had ended, what was found and
    judged then may know how it ended; only what the lead brought itself is left. So nothing that is known after an outcome is learned from.
    """
    said = outcomes.filter(pl.col("lead_id").is_not_null()).select(*KEYS, OUTCOME, pl.coalesce("outcome_at", "known_at").alias(CUT_OFF))
    both = said.join(scored, on=KEYS, how="inner", validate="1:1")
    before = (pl.col(OUTCOME) == "open") | (pl.col(AS_OF) <= pl.col(CUT_OFF))
    hidden = (pl.when(BEFORE).then(name).alias(name) for name in (*FOUND, *JUDGED))
    return (
        both.with_columns(before.alias(BEFORE)).with_columns(hidden).select(*KEYS, OUTCOME, CUT_OFF, BEFORE, *FEATURES).sort(CUT_OFF, *KEYS)
    )
