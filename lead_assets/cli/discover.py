"""`lead-assets discover`: search, score, and file the result as a new campaign's drop.

Does not belong here: searching (see `lead_assets.discovery`), or ingesting a drop (see `lead_assets.intake.ingest`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lead_assets.cli import runs
from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.settings import Settings
from lead_assets.discovery.companies import describe
from lead_assets.discovery.drop import as_ndjson, campaign_of, payloads
from lead_assets.discovery.rules import load_discovery_rules
from lead_assets.discovery.search import credit_usd, search
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.ingest import ingest
from lead_assets.ledger.opened import opened_ledger
from lead_assets.rules.check import check_rules
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.stores.opened import archive_of
from lead_assets.vendors.quotas import quotas


def discover(settings: Settings, filters: Mapping[str, Sequence[str]], *, limit: int, people: int, campaign: str | None) -> dict[str, Any]:
    """Buy what the filters find and file it as a drop. Returns the answer of `lead-assets discover`. Raises ValueError without a key or an answer."""
    check_rules(settings)
    rules = load_discovery_rules(settings)
    name = campaign_key(campaign or campaign_of(filters))
    price = credit_usd(settings)
    with opened_ledger(settings) as ledger:
        since = ledger.last_call()
        found = search(
            filters,
            limit=limit,
            people=people,
            campaign_id=name,
            credit_usd=price,
            rules=rules.search,
            ledger=ledger,
            settings=settings,
        )
        rows = describe(
            found.companies,
            campaign_id=name,
            now=ledger.now(),
            rules=load_scoring_rules(settings).company.adoption,
            ledger=ledger,
            settings=settings,
        )
        billed = ledger.billed(since, [name])
    leads = payloads(found.people, rows, name)
    drops = [_file(settings, as_ndjson(leads), name)] if leads else []
    known = Counter(person.domain for person in found.people)
    return {
        "campaign_id": name,
        "source": "apollo",
        "filters": {key: list(values) for key, values in filters.items()},
        "total": found.total,
        "companies": sorted(
            ({**row, "people": known[row["domain"]]} for row in rows), key=lambda row: (-row["ai_adoption_score"], row["domain"])
        ),
        "leads": len(leads),
        "missed": found.missed,
        "drops": drops,
        "usd": billed["usd"],
        "calls": billed["calls"],
        "uncertain_calls": billed["uncertain_calls"],
        "quotas": [row for row in quotas(settings) if row["provider"] == "apollo"],
        "synthetic": settings.world == "sandbox",
    }


def _file(settings: Settings, data: bytes, campaign: str) -> dict[str, Any]:
    drop = ingest(
        archive_of(settings),
        data,
        name=f"{campaign}.ndjson",
        received_at=datetime.now(UTC),
        campaign=campaign,
        limits=settings.limits,
        adapters=adapters_of(settings),
    )
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, drop.campaigns)
    return {"sha256": drop.sha256, "campaign_id": campaign, "rows": drop.rows, "rejected": drop.rejected, "status": drop.status}
