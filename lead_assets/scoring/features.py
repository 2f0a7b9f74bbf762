"""What a model sees of a lead: columns that say nothing of who it is, as they stood when the lead was first scored.

Belongs here: choosing the columns, storing them at scoring time, and finding them again for the leads that have ended. Does not belong here: learning.
"""

from __future__ import annotations

import io
from collections.abc import Collection

import polars as pl

from lead_assets.stores.archive import Archive, time_of

KEYS = ["campaign_id", "lead_id"]
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

AS_OF, CUT_OFF, BEFORE, OUTCOME = "scored_at", "ended_at", "before_outcome", "outcome"


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


def remember(archive: Archive, known: pl.DataFrame, scored_before: pl.DataFrame, at: object) -> None:
    """Stores the features of leads that are scored for the first time. `scored_before`: KEYS of those with a score already."""
    first = known.join(scored_before.select(KEYS), on=KEYS, how="anti")
    for (campaign,), rows in first.partition_by("campaign_id", as_dict=True).items():
        buffer = io.BytesIO()
        rows.write_parquet(buffer)
        archive.add_features(str(campaign), buffer.getvalue(), at)  # type: ignore[arg-type]


def as_first_scored(archive: Archive, leads: pl.DataFrame) -> pl.DataFrame:
    """KEYS, AS_OF and FEATURES of those of the leads (KEYS) that were ever scored, each as it stood at its first score."""
    wanted: Collection[str] = set(leads["campaign_id"])
    frames = [
        pl.read_parquet(io.BytesIO(archive.read(name))).with_columns(pl.lit(time_of(name)).alias(AS_OF))
        for name in archive.feature_names()
        if name.split("/")[1] in wanted
    ]
    if not frames:
        return pl.DataFrame(
            schema={**dict.fromkeys(KEYS, pl.String), AS_OF: pl.Datetime("us", "UTC"), **dict.fromkeys(FEATURES, pl.String)}
        )
    every = pl.concat(frames, how="diagonal_relaxed")
    lacking = [pl.lit(None, dtype=pl.String).alias(name) for name in FEATURES if name not in every.columns]
    found = every.with_columns(lacking).join(leads.select(KEYS).unique(), on=KEYS, how="semi")
    return found.sort(AS_OF).unique(KEYS, keep="first", maintain_order=True).select(*KEYS, AS_OF, *FEATURES)


def training_table(outcomes: pl.DataFrame, scored: pl.DataFrame) -> pl.DataFrame:
    """KEYS, OUTCOME (won, lost, open), CUT_OFF, BEFORE and FEATURES of the leads with an outcome, in order of CUT_OFF.

    outcomes: rows of contracts.LeadOutcome; scored: of `as_first_scored`. Of a lead that was scored only after it had ended, what was found and judged then may
    know how it ended; only what the lead brought itself is left. So nothing that is known after an outcome is learned from.
    """
    said = outcomes.filter(pl.col("lead_id").is_not_null()).select(*KEYS, OUTCOME, pl.coalesce("outcome_at", "known_at").alias(CUT_OFF))
    both = said.join(scored, on=KEYS, how="inner", validate="1:1")
    before = (pl.col(OUTCOME) == "open") | (pl.col(AS_OF) <= pl.col(CUT_OFF))
    hidden = (pl.when(BEFORE).then(name).alias(name) for name in (*FOUND, *JUDGED))
    return (
        both.with_columns(before.alias(BEFORE)).with_columns(hidden).select(*KEYS, OUTCOME, CUT_OFF, BEFORE, *FEATURES).sort(CUT_OFF, *KEYS)
    )
