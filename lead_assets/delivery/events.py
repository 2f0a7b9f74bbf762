"""Enrichment events in the shape a customer data platform takes: lead, AI fields, score, routing, raw payload, metadata.

Events are archived as gzipped NDJSON, one file per campaign and materialization, without null keys or invalid lines, because Snowpipe drops a whole
file for one. Equal events give equal bytes under the same name, so that nothing is loaded twice.
"""

from __future__ import annotations

import gzip
import struct
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import EnrichedLead, EnrichmentEvent
from lead_assets.stores.archive import Archive

SCHEMA_VERSION = "enrichment-event-1"
PART_EVENTS = 200_000
"""Most events per file: about 100 MB, the best size for Snowpipe. A campaign with more has several files."""
_AT_ONCE = 1_000
_COMPARED, _MOST_COMPARED = 50_000, 3
"""Most events that are compared with archived ones, because they are all in memory, and with how many of the campaign's newest files."""
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
    """One event per routed lead, in the columns of `contracts.EnrichmentEvent`; archives them as NDJSON, one file per campaign.

    The frames follow the contracts RoutingDecision, Lead, EnrichedLead, Classification and Score.
    """
    wide = _join(decisions, leads, enriched, classifications, scores)
    made = [EnrichmentEvent.empty()]
    for (campaign_id,), group in wide.partition_by("campaign_id", as_dict=True, maintain_order=True).items():
        for part in group.iter_slices(PART_EVENTS):
            events, name = _events_and_file(part, archive, str(campaign_id))
            archived_as = pl.lit(name)
            added = part.select(schema_version=pl.lit(SCHEMA_VERSION), enriched_at="classification.enriched_at", archived_as=archived_as)
            made.append(events.hstack(added).select(made[0].columns).cast(made[0].schema))
    return pl.concat(made)


def _events_and_file(wide: pl.DataFrame, archive: Archive, campaign_id: str) -> tuple[pl.DataFrame, str]:
    """The rows' events, and the name of the archived file with the same as gzipped NDJSON.

    Compressing takes as long as making them but needs no interpreter, so it runs in parallel; and where the file is archived already, which is seen
    by unpacking it in a fifth of the time, nothing is compressed.
    """
    archived = sorted(archive.events(campaign_id), key=lambda entry: entry.arrived)[-_MOST_COMPARED:] if wide.height <= _COMPARED else []
    pack = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    events, lines, packed = [], [], []
    with ThreadPoolExecutor(1) as pool:
        for some in wide.iter_slices(_AT_ONCE):
            events.append(_events(some))
            text = "".join(_checked(*row) + "\n" for row in events[-1].iter_rows()).encode()
            if archived:
                lines.append(text)
            else:
                packed.append(pool.submit(pack.compress, text))
        if lines:
            text = b"".join(lines)
            trailer = struct.pack("<II", zlib.crc32(text), len(text) & 0xFFFF_FFFF)
            for entry in reversed(archived):
                data = archive.read(entry.name)
                if data[-8:] == trailer and gzip.decompress(data) == text:
                    return pl.concat(events), entry.name
            packed.append(pool.submit(pack.compress, text))
    return pl.concat(events), archive.put_events(campaign_id, b"".join(part.result() for part in packed) + pack.flush())


def _checked(campaign_id: str, _lead_id: str, event_id: str, line: str) -> str:
    """The event as a line. Raises ValueError for anything that would make Snowpipe drop the whole file, such as NaN, which JSON can only write as null."""
    if "\n" in line or ("null" in line and _has_null(orjson.loads(line))):
        raise ValueError(
            f"event {event_id} of campaign {campaign_id} contains a null or a line break, so nothing was archived. Look for a value "
            f"that is not a number (NaN) in the lead's rows"
        )
    return line


def _has_null(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(_has_null(each) for each in inner)


def _join(decisions: pl.DataFrame, *others: pl.DataFrame) -> pl.DataFrame:
    """One row per decision; the columns of each table are prefixed with its name, so that equal names do not collide."""
    wide = decisions.select(*_KEYS, pl.exclude(_KEYS).name.prefix("routing."))
    for name, other in zip(("lead", "enriched", "classification", "score"), others, strict=True):
        wide = wide.join(other.select(*_KEYS, pl.exclude(_KEYS).name.prefix(f"{name}.")), on=_KEYS, how="left", validate="1:1")
    return wide.sort(_KEYS)


def _events(wide: pl.DataFrame) -> pl.DataFrame:
    """Columns campaign_id, lead_id, event_id, event."""
    company = [name for name in EnrichedLead.polars_schema() if name.startswith(("company_", "headcount", "estimated_", "founded_"))]
    rows = zip(
        wide["campaign_id"].to_list(),
        wide["lead_id"].to_list(),
        _section(wide, "lead", _LEAD),
        _section(wide, "enriched", company),
        _section(wide, "enriched", ["signals_found", "signals_missed"]),
        _section(wide, "classification", ["profile", "answer", "schema_version"]),
        _section(wide, "classification", _METADATA),
        _section(wide, "score", ["score", "tier", "parts", "ruleset"]),
        _section(wide, "routing", _ROUTING),
        wide["lead.payload"].to_list(),
        strict=True,
    )
    made: list[tuple[str, str, str, str]] = []
    for campaign_id, lead_id, lead, enriched, signals, classification, metadata, score, routing, payload in rows:
        # In two halves, because keys are sorted and the event's id comes between them.
        before = {"ai": {"profile": classification["profile"], **_loads(classification["answer"])}, "company": enriched}
        after = {
            "lead": lead,
            "metadata": {**metadata, "schema_version": SCHEMA_VERSION, "contract_version": classification["schema_version"]},
            "raw": _loads(payload),
            "routing": routing,
            "score": {
                "value": score.get("score"),
                "tier": score.get("tier"),
                "parts": orjson.loads(score["parts"]),
                "ruleset": score.get("ruleset"),
            },
            "signals": {"found": signals.get("signals_found"), "missed": signals.get("signals_missed")},
            "type": "lead_enriched",
        }
        first, rest = _dumps(before)[:-1], _dumps(after)[1:]
        event_id = str(uuid.uuid5(_NAMESPACE, f"{campaign_id}/{lead_id}/{first},{rest}"))
        made.append((campaign_id, lead_id, event_id, f'{first},"event_id":"{event_id}",{rest}'))
    return pl.DataFrame(made, schema=[*_KEYS, "event_id", "event"], orient="row", infer_schema_length=None)


def _section(wide: pl.DataFrame, table: str, names: list[str]) -> list[dict[str, Any]]:
    """Each row's values from one table, by name, without nulls."""
    columns = [wide[name if name in _KEYS else f"{table}.{name}"].to_list() for name in names]
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in zip(*columns, strict=True)]


def _loads(text: str) -> Any:
    value = orjson.loads(text)
    return _without_nulls(value) if "null" in text else value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value if inner is not None]
    return value


def _dumps(value: dict[str, Any]) -> str:
    text = orjson.dumps(value, default=_plain, option=_OPTIONS)
    # Checking every value for null would take most of the time per event, and few values are null.
    return (orjson.dumps(_without_nulls(value), default=_plain, option=_OPTIONS) if b"null" in text else text).decode()


_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"an event contains a {type(value).__name__}, which JSON cannot represent")
