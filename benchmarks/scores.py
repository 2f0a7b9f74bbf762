"""1,000,000 leads of 300,000 companies scored with every part known: seconds and peak memory. Made-up leads in 100 campaigns, two thirds of profile b2b."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score, Table
from lead_assets.core.settings import Settings
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score

LEADS, COMPANIES, CAMPAIGNS = 1_000_000, 300_000, 100


def main() -> None:
    frames = made()
    before = _peak_mb()
    began = time.perf_counter()
    scores = score(*frames[:3], load_scoring_rules(Settings()), frames[3])
    seconds = time.perf_counter() - began
    assert scores.schema == Score.polars_schema()
    assert scores.height == LEADS
    unknown = scores["unknown_parts"].list.len().sum()
    print(f"{LEADS:,} leads scored in {seconds:.1f} s; peak memory {_peak_mb()} MB, {before} MB of it the tables they are scored from")
    print(f"unknown parts: {unknown}; tiers: {dict(scores['tier'].value_counts().sort('tier').iter_rows())}")


def made() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Classifications, leads, enriched leads, and the measures of other rooms."""
    chance = np.random.default_rng(1)

    def one_of(values: list[object], size: int = LEADS) -> pl.Series:
        return pl.Series(values).gather(chance.integers(0, len(values), size))

    numbers = np.arange(LEADS)
    ids = {
        "campaign_id": pl.Series([f"campaign-{n:03}" for n in range(CAMPAIGNS)]).gather(numbers % CAMPAIGNS),
        "lead_id": pl.Series([f"ld_{n:07}" for n in range(LEADS)]),
    }
    of = chance.integers(0, COMPANIES, LEADS)
    company = {
        "headcount_min": one_of([1, 11, 51, 201, 1001], COMPANIES).gather(of),
        "company_industry": one_of(["SaaS", "Retail", "Fintech", "Logistics", "Health care"], COMPANIES).gather(of),
        "company_description": pl.Series([f"Company {n} makes machine learning tools for warehouses" for n in range(COMPANIES)]).gather(of),
        "technologies": one_of([["OpenAI", "Postgres"], ["Salesforce", "Segment"], ["Databricks"]], COMPANIES).gather(of),
        "posting_titles": one_of([["Data Scientist"], ["Account Executive", "ML Engineer"]], COMPANIES).gather(of),
        "funding_total_usd": pl.Series(chance.lognormal(15, 2, COMPANIES)).gather(of),
        "latest_round": one_of(["Seed", "Series A", "Series B", "Series D"], COMPANIES).gather(of),
    }
    classified = _frame(
        Classification,
        ids
        | {
            "profile": one_of(["lending", "b2b", "b2b"]),
            "loan_type": one_of(["bridge_rtl", "rental", "unknown"]),
            "investor_experience": one_of(["experienced", "first_time", "unknown"]),
            "icp_fit": one_of(["strong", "moderate", "weak"]),
            "urgency_score": one_of([1, 2, 3, 4, 5]),
            "answer": one_of(['{"buying_stage":"decision"}', '{"buying_stage":"awareness"}']),
            "model": "claude-haiku-5-5",
        },
    )
    leads = _frame(
        Lead,
        ids
        | {
            "title": one_of(["VP Sales", "Head of Growth", "Account Manager", "Engineer"]),
            "seniority": one_of(["c_suite", "vp", "head", "manager", "entry"]),
            "email_kind": one_of(["business", "free"]),
            "phone_e164": one_of(["+13055550100", "+493055550100"]),
            "country_code": one_of(["US", "DE", "BR"]),
            "web_activity_score": chance.uniform(0, 100, LEADS),
            "email_engagement_score": chance.uniform(0, 100, LEADS),
            "loan_amount_requested": chance.lognormal(12, 1, LEADS),
            "property_address": "1 Main St",
            "estimated_arv": 400_000.0,
        },
    )
    enriched = _frame(EnrichedLead, ids | company | {"enrichment_quality": chance.uniform(0, 1, LEADS)})
    measures = pl.DataFrame(ids | {"contrast": chance.normal(0, 0.05, LEADS), "win_probability": chance.beta(1, 9, LEADS)})
    return classified, leads, enriched, measures


_FILLED: dict[type[pl.DataType], object] = {
    pl.String: "{}",
    pl.Int64: 1,
    pl.Float64: 1.0,
    pl.Boolean: True,
    pl.Datetime: datetime(2026, 11, 1, tzinfo=UTC),
    pl.Date: datetime(2026, 11, 1, tzinfo=UTC).date(),
    pl.Decimal: Decimal(0),
    pl.List: ["x"],
}


def _frame(contract: type[Table], columns: dict[str, object]) -> pl.DataFrame:
    """A frame with a value in every column."""
    frame = pl.DataFrame(columns | {"__rows": np.zeros(LEADS)})
    missing = {name: dtype for name, dtype in contract.polars_schema().items() if name not in columns}
    filled = (pl.lit(pl.Series([_FILLED[dtype.base_type()]], dtype=dtype)).first().alias(name) for name, dtype in missing.items())
    return frame.with_columns(filled).select(pl.col(name).cast(dtype) for name, dtype in contract.polars_schema().items())


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
