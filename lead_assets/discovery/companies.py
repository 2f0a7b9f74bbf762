"""Found companies as rows: what the signals know about each, and its AI adoption with reasons.

The signals' own engine buys the organization and its open jobs, so that a later run of the campaign finds both in the ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from lead_assets.contracts import Lead
from lead_assets.core.settings import Settings
from lead_assets.scoring.adoption import adoption
from lead_assets.scoring.ruleset import AdoptionRules

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

_EVIDENCE = ("organization", "job_postings")


def describe(
    companies: Sequence[dict[str, Any]], *, campaign_id: str, now: datetime, rules: AdoptionRules, ledger: Ledger, settings: Settings
) -> list[dict[str, Any]]:
    """One row per company, in the given order: domain, name, website, industry, employees, city, state, country, funding_stage, description, technologies,
    posting_titles, ai_adoption_score, ai_adoption_reasons. Anything unavailable is null or an empty list."""
    known = _collected(companies, campaign_id, now, ledger, settings)
    return [_row(record, known.get(record["primary_domain"], {}), rules) for record in companies]


def _collected(
    companies: Sequence[dict[str, Any]], campaign_id: str, now: datetime, ledger: Ledger, settings: Settings
) -> dict[str, dict[str, Any]]:
    from lead_assets.signals.engine import collect_all
    from lead_assets.signals.signal import load_signals

    signals = [signal for name, signal in load_signals(settings).items() if name in _EVIDENCE]
    if not companies or not signals:
        return {}
    asked = Lead.frame(_as_lead(record["primary_domain"], campaign_id, now) for record in companies)
    known: dict[str, dict[str, Any]] = {}
    for name, collected in collect_all(signals, asked, ledger=ledger, settings=settings).items():
        columns = next(signal for signal in signals if signal.name == name).value_columns
        for row in collected.frame.filter(pl.col("subject").is_not_null()).to_dicts():
            known.setdefault(row["subject"], {}).update({column: row[column] for column in columns})
    return known


def _as_lead(domain: str, campaign_id: str, now: datetime) -> dict[str, Any]:
    """As much of a lead as the engine needs to ask about its company."""
    return {
        "campaign_id": campaign_id,
        "lead_id": domain,
        "adapter": "discovery",
        "drop_sha256": "",
        "position": 0,
        "part": 1,
        "received_at": now,
        "payload": "{}",
        "extra": "{}",
        "company_domain": domain,
        "account_key": domain,
    }


def _row(record: dict[str, Any], known: dict[str, Any], rules: AdoptionRules) -> dict[str, Any]:
    technologies, titles = known.get("technologies") or [], known.get("posting_titles") or []
    scored = adoption(rules, technologies=technologies, posting_titles=titles, description=known.get("company_description"))
    return {
        "domain": record["primary_domain"],
        "name": record.get("name") or known.get("organization_name"),
        "website": record.get("website_url"),
        "industry": known.get("company_industry"),
        "employees": known.get("employees"),
        "city": known.get("hq_city"),
        "state": known.get("hq_state"),
        "country": known.get("hq_country"),
        "funding_stage": known.get("latest_round"),
        "description": known.get("company_description"),
        "technologies": technologies,
        "posting_titles": titles,
        "ai_adoption_score": scored.score,
        "ai_adoption_reasons": list(scored.reasons),
    }
