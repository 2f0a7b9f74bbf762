"""Enrichment events in the shape a customer data platform takes: lead, AI fields, score, routing, raw payload, metadata.

Events are archived as gzipped NDJSON, without null keys or invalid lines, because Snowpipe drops a whole file for one. Each is archived once: a materialization
writes one file per campaign with the events that no file contains, and equal events give equal bytes under the same name, so that nothing is loaded twice.
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import EnrichedLead, EnrichmentEvent
from lead_assets.delivery.archived import ArchivedEvents
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import Objects

SCHEMA_VERSION = "enrichment-event-1"
PART_EVENTS = 200_000
"""Most events per file: about 100 MB, the best size for Snowpipe. If more are new, they become several files."""
_AT_ONCE = 1_000
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
    derived: Objects,
) -> pl.DataFrame:
    """One event per routed lead, in the columns of `contracts.EnrichmentEvent`; archives as NDJSON those that the archive does not have.

    The frames follow the contracts RoutingDecision, Lead, EnrichedLead, Classification and Score. derived: where it is remembered what the archive has.
    """
    wide = _join(decisions, leads, enriched, classifications, scores)
    made = [EnrichmentEvent.empty()]
    for (campaign_id,), group in wide.partition_by("campaign_id", as_dict=True, maintain_order=True).items():
        events = _archived(group, ArchivedEvents(archive, derived, str(campaign_id)))
        added = group.select(schema_version=pl.lit(SCHEMA_VERSION), enriched_at="classification.enriched_at")
        made.append(events.hstack(added).select(made[0].columns).cast(made[0].schema))
    return pl.concat(made)


def _archived(wide: pl.DataFrame, archived: ArchivedEvents) -> pl.DataFrame:
    """The rows' events, and the names of the files that contain them: those that are in none are archived.

    Compressing takes as long as making them but needs no interpreter, so it runs in parallel.
    """
    made, part = [], _Part()
    with ThreadPoolExecutor(1) as pool:
        for some in wide.iter_slices(min(_AT_ONCE, PART_EVENTS)):
            made.append(_events(some))
            new = made[-1].filter([event_id not in archived.ids for event_id in made[-1]["event_id"].to_list()])
            if len(part.event_ids) + new.height > PART_EVENTS:
                archived.add(part.event_ids, part.data())
                part = _Part()
            if new.height:
                part.add(new, pool)
        if part.event_ids:
            archived.add(part.event_ids, part.data())
    archived.remember()
    events = pl.concat(made)
    return events.with_columns(archived_as=archived.names(events["event_id"]))


class _Part:
    """A file of events that is being made."""

    def __init__(self) -> None:
        self.event_ids: list[str] = []
        self._pack = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        self._packed: list[Future[bytes]] = []

    def add(self, events: pl.DataFrame, pool: ThreadPoolExecutor) -> None:
        text = "".join(_checked(*row) + "\n" for row in events.iter_rows())
        self.event_ids += events["event_id"].to_list()
        self._packed.append(pool.submit(self._pack.compress, text.encode()))

    def data(self) -> bytes:
        return b"".join(packed.result() for packed in self._packed) + self._pack.flush()


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
    event_ids, made = [], []
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
                "parts": _as_written(score["parts"]),
                "ruleset": score.get("ruleset"),
            },
            "signals": {"found": signals.get("signals_found"), "missed": signals.get("signals_missed")},
            "type": "lead_enriched",
        }
        first, rest = _dumps(before)[:-1], _dumps(after)[1:]
        event_id = _uuid5(f"{campaign_id}/{lead_id}/".encode() + first + b"," + rest)
        event_ids.append(event_id)
        made.append(b'%b,"event_id":"%b",%b' % (first, event_id.encode(), rest))
    events = pl.Series("event", made, pl.Binary).cast(pl.String)
    return wide.select(*_KEYS, event_id=pl.Series(event_ids, dtype=pl.String), event=events)


def _uuid5(name: bytes) -> str:
    """As `uuid.uuid5`, which takes no bytes before Python 3.12."""
    return str(uuid.UUID(bytes=hashlib.sha1(_NAMESPACE.bytes + name, usedforsecurity=False).digest()[:16], version=5))


def _section(wide: pl.DataFrame, table: str, names: list[str]) -> list[dict[str, Any]]:
    """Each row's values from one table, by name, without nulls."""
    columns = [wide[name if name in _KEYS else f"{table}.{name}"].to_list() for name in names]
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in zip(*columns, strict=True)]


def _as_written(text: str) -> Any:
    """JSON of ours, which has no spaces and sorted keys: as it is, unless there is something in it that may be written in two ways."""
    return _loads(text) if "\\" in text or "null" in text else orjson.Fragment(text)


def _loads(text: str) -> Any:
    value = orjson.loads(text)
    return _without_nulls(value) if "null" in text else value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value if inner is not None]
    return value


def _dumps(value: dict[str, Any]) -> bytes:
    text = orjson.dumps(value, default=_plain, option=_OPTIONS)
    # Checking every value for null would take most of the time per event, and few values are null.
    return orjson.dumps(_without_nulls(value), default=_plain, option=_OPTIONS) if b"null" in text else text


_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"an event contains a {type(value).__name__}, which JSON cannot represent")
