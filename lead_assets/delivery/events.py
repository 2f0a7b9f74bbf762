"""Enrichment events in the shape a customer data platform takes: lead, AI fields, score, routing, raw payload, metadata.

Events are archived as gzipped NDJSON, one file a campaign and materialization: no null keys and no invalid line, because Snowpipe drops a whole
file for one. The same events are the same bytes under the same name, so that nothing is loaded twice.
"""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import EnrichmentEvent
from lead_assets.stores.archive import Archive

SCHEMA_VERSION = "enrichment-event-1"
PART_EVENTS = 200_000
"""Events of one file: about 100 MB, the size that Snowpipe is best at. A campaign with more has several files."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "lead_assets/enrichment-event")

_LEAD = [
    *("lead_id", "campaign_id", "source", "submitted_at", "received_at"),
    *("email", "email_normalized", "phone", "phone_e164", "linkedin_url"),
    *("full_name", "first_name", "last_name", "name_first", "name_last", "title", "seniority", "department"),
    *("company", "company_clean", "company_domain", "country_code", "state_code"),
]
_METADATA = ["enriched_at", "model", "fallback_reason", "input_tokens", "output_tokens", "cost_usd", "synthetic"]
_ROUTING = ["owner", "territory", "rule", "reason", "fallback", "assigned_at"]
_KEYS = ["campaign_id", "lead_id"]


def enrichment_events(
    decisions: pl.DataFrame,
    leads: pl.DataFrame,
    enriched: pl.DataFrame,
    classifications: pl.DataFrame,
    scores: pl.DataFrame,
    archive: Archive,
) -> pl.DataFrame:
    """One event a routed lead, in the columns of `contracts.EnrichmentEvent`; archives them as NDJSON, one file a campaign.

    The frames are of the contracts RoutingDecision, Lead, EnrichedLead, Classification and Score.
    """
    rows: list[dict[str, Any]] = []
    wide = _join(decisions, leads, enriched, classifications, scores)
    for (campaign_id,), group in wide.partition_by("campaign_id", as_dict=True, maintain_order=True).items():
        for part in group.iter_slices(PART_EVENTS):
            events = list(_events(part))
            archived_as = archive.put_events(str(campaign_id), ndjson_gz(_checked(event) for event in events))
            rows += [{**event, "archived_as": archived_as} for event in events]
    return EnrichmentEvent.frame(rows)


def ndjson_gz(lines: Iterator[str]) -> bytes:
    """Lines as gzipped NDJSON; equal lines give equal bytes."""
    return gzip.compress("".join(line + "\n" for line in lines).encode(), mtime=0)


def _checked(event: dict[str, Any]) -> str:
    """The event's line. Raises ValueError for what Snowpipe would drop a whole file for: what is no number, say, which JSON can only write as null."""
    line: str = event["event"]
    if "\n" in line or ("null" in line and _has_null(orjson.loads(line))):
        raise ValueError(
            f"event {event['event_id']} of campaign {event['campaign_id']} has a null or a line break in it: nothing is archived. Look for a value "
            f"that is not a number (NaN) in the lead's rows"
        )
    return line


def _has_null(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(_has_null(each) for each in inner)


def _join(decisions: pl.DataFrame, *others: pl.DataFrame) -> pl.DataFrame:
    """One row a decision; each table is one struct column, so that equal names cannot meet."""
    wide = decisions.select(*_KEYS, pl.struct(pl.all()).alias("routing"))
    for name, other in zip(("lead", "enriched", "classification", "score"), others, strict=True):
        wide = wide.join(other.select(*_KEYS, pl.struct(pl.all()).alias(name)), on=_KEYS, how="left", validate="1:1")
    return wide.sort(_KEYS)


def _events(wide: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for row in wide.iter_rows(named=True):
        lead, enriched, classification, score = row["lead"], row["enriched"], row["classification"], row["score"]
        body = {
            "type": "lead_enriched",
            "lead": _pick(lead, _LEAD),
            "company": _without_nulls(
                {k: v for k, v in enriched.items() if k.startswith(("company_", "headcount", "estimated_", "founded_"))}
            ),
            "signals": {"found": enriched["signals_found"], "missed": enriched["signals_missed"]},
            "ai": {"profile": classification["profile"], **_without_nulls(orjson.loads(classification["answer"]))},
            "score": {"value": score["score"], "tier": score["tier"], "parts": orjson.loads(score["parts"]), "ruleset": score["ruleset"]},
            "routing": _pick(row["routing"], _ROUTING),
            "raw": _without_nulls(orjson.loads(lead["payload"])),
            "metadata": {
                **_pick(classification, _METADATA),
                "schema_version": SCHEMA_VERSION,
                "contract_version": classification["schema_version"],
            },
        }
        body = _without_nulls(body)
        content = _dumps(body)
        event_id = str(uuid.uuid5(_NAMESPACE, f"{row['campaign_id']}/{row['lead_id']}/{content}"))
        yield {
            "campaign_id": row["campaign_id"],
            "lead_id": row["lead_id"],
            "event_id": event_id,
            "event": _dumps({"event_id": event_id, **body}),
            "schema_version": SCHEMA_VERSION,
            "enriched_at": classification["enriched_at"],
        }


def _pick(row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return _without_nulls({name: row[name] for name in names})


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value if inner is not None]
    return value


def _dumps(value: Any) -> str:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"an event holds a {type(value).__name__}, which JSON cannot")
