"""Everything that is held of one person, and where each value came from, for the person who asks (GDPR Art. 15 and 20).

Nothing is changed. Does not belong here: who they are (see `person`), or removing it (see `forget`).
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import TABLES, Table
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.privacy.forget import who
from lead_assets.privacy.held_rows import is_of_leads, leads_of, persons_of, subjects_of
from lead_assets.privacy.lists import Identifier
from lead_assets.privacy.needles import Needles
from lead_assets.privacy.person import DataSubject, start
from lead_assets.stores.archive import Archive
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets.stores.warehouse.base import Warehouse


def export_person(settings: Settings, ledger: Ledger, asked: Identifier) -> dict[str, Any]:
    """{person, suppressed, received, tables, answers, sent_to, places}: JSON-serialisable. Raises ValueError for a domain."""
    archive, warehouse = archive_of(settings), warehouse_of(settings)
    warehouse.prepare()
    person = start(asked)
    held = who(settings, archive, warehouse, person)
    needles = person.finder()
    persons = persons_of(person)
    sent = {(each.destination, each.person): None for each in ledger.sent_about(persons, person.leads)}
    known = sent | {(name, whom): vendor_id for name, whom, vendor_id in ledger.ids_at_destinations(persons)}
    return {
        "person": {
            "emails": sorted(person.emails),
            "phones": sorted(person.numbers | person.texts["phone"]),
            "profiles": sorted(person.profiles),
            "names": sorted(person.names),
        },
        "suppressed": sorted({f"{kind}: {reason}" for (kind, _), reason in ledger.suppressed_among(person.tombstone()).items()}),
        "received": _received(archive, person),
        "tables": [shown for contract in TABLES.values() if (shown := _table(warehouse, contract, person))],
        "answers": _answers(ledger, needles, subjects_of(warehouse, person)[0]),
        "sent_to": [{"destination": name, "vendor_id": vendor_id} for (name, _), vendor_id in sorted(known.items())],
        "places": [{"where": holding.where, "found": holding.found} for holding in held],
    }


def _received(archive: Archive, person: DataSubject) -> list[dict[str, Any]]:
    """Each payload's drop: when it came, under what name, in which place of it."""
    found = []
    for sha256 in person.rows["drop_sha256"].unique().sort():
        for receipt in archive.receipts_of(sha256):
            rows = person.rows.filter((pl.col("drop_sha256") == sha256) & (pl.col("campaign_id") == receipt.campaign_id))
            found += [
                {
                    "campaign_id": receipt.campaign_id,
                    "received_at": receipt.received_at.isoformat(),
                    "file": receipt.name,
                    "drop_sha256": sha256,
                    "position": position,
                }
                for position in rows["position"].sort()
            ]
    return found


def _table(warehouse: Warehouse, contract: type[Table], person: DataSubject) -> dict[str, Any] | None:
    """Their rows in a table; for each column with a value what it says and which columns it came from."""
    if not is_of_leads(contract):
        return None
    known = set(warehouse.partitions(contract))
    partitions = [key for key in person.campaigns if key in known] if contract.grain == "campaign" else None
    if partitions == []:
        return None
    rows = warehouse.read(contract, partitions).join(leads_of(person), on=["campaign_id", "lead_id"], how="semi")
    if rows.is_empty():
        return None
    filled = [name for name in rows.columns if rows[name].null_count() < rows.height]
    columns = {column.name: column for column in contract.columns()}
    return {
        "table": contract.table,
        "what": contract.description(),
        "columns": {name: {"what": columns[name].description, "from": list(columns[name].sources)} for name in filled},
        "rows": [{name: _plain(value) for name, value in row.items() if value is not None} for row in rows.select(filled).to_dicts()],
    }


def _answers(ledger: Ledger, needles: Needles, subjects: set[str]) -> list[dict[str, Any]]:
    """What was bought about them, or names them."""
    found = []
    for calls in ledger.calls_in_full():
        anything = needles.places(b"\0".join(call.told for call in calls))
        for call in calls:
            about = call.subject in subjects
            if about or (anything and needles.finds(call.told)):
                found.append(
                    {
                        "provider": call.provider,
                        "operation": call.operation,
                        "about": call.subject,
                        "only_names_them": not about,
                        "campaign_id": call.campaign_id,
                        "answered_at": call.answered_at.isoformat(),
                        "answer": orjson.loads(call.text) if call.text else None,
                    }
                )
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, datetime | date) else value
