"""What comes by itself beside leads: how they ended, and who must not be contacted.

Files in two folders of the landing zone, as `lead-assets outcomes import` and `lead-assets suppress import` read them; and the deals of a CRM that is a
destination.

    .outcomes/deals-2026-11.csv        .suppressions/unsubscribed.csv

A file leaves once it counts: outcomes are in the archive then, and of suppressed people only keyed hashes are kept. Taking one again after a crash adds
nothing. A file that cannot be read stays, and is read again once it has changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from lead_assets.core.settings import Settings
from lead_assets.core.tabular import UnreadableTable
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger.ledger import Ledger
from lead_assets.privacy import lists
from lead_assets.privacy.asking import answers
from lead_assets.scoring.outcome_rules import load_outcome_rules
from lead_assets.scoring.statements import read_statements
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import Entry, ObjectChanged, Objects, open_objects

OUTCOMES, SUPPRESSIONS = ".outcomes/", ".suppressions/"
SETTLED_SECONDS = 10.0
"""A file in a folder is complete if nobody has written to it for this long."""
MOST = 100
"""Most files that one tick takes."""


@dataclass(frozen=True)
class Emptied:
    """What a tick did: path → what was read of it, without data; `unread`: path → why a file stays."""

    taken: dict[str, str]
    unread: dict[str, str]
    outcomes: str | None
    """The newest file of outcomes in the archive, if the last tick did not know it, however it came there."""
    cursor: str


def empty(settings: Settings, archive: Archive, ledger: Ledger, cursor: str | None, *, now: datetime) -> Emptied:
    """Take the files of both folders. `cursor`: the newest file of outcomes, and path → version and reason of the files that could not be read."""
    landing, (newest_before, before) = open_objects(settings.landing_location), _known(cursor)
    taken: dict[str, str] = {}
    stuck: dict[str, tuple[str, str]] = {}

    def outcomes(name: str, data: bytes) -> str:
        read = read_statements(data, name, load_outcome_rules(settings), {})
        archive.add_outcomes(data, name, now, source="file", columns={})
        return f"{read.statements.height} of {read.rows} rows say how a lead ended"

    def suppressions(name: str, data: bytes) -> str:
        told = lists.import_data(ledger, data, name, reason="opted out")
        return f"{told['added']} new, {told['already']} known, {len(told['unread'])} lines cannot be read"

    for folder, take in ((OUTCOMES, outcomes), (SUPPRESSIONS, suppressions)):
        for entry in landing.entries(folder):
            if len(taken) >= MOST or not _is_complete(entry, now):
                continue
            known = before.get(entry.name)
            why = known[1] if known and known[0] == entry.version else _take(landing, entry, take, taken)
            if why:
                stuck[entry.name] = (entry.version, why)
    newest = max(archive.outcome_names(), default=None)
    cursor = json.dumps({"newest": newest, "stuck": stuck})
    return Emptied(taken, {name: why for name, (_, why) in stuck.items()}, newest if newest != newest_before else None, cursor)


def fetch_outcomes(
    settings: Settings, archive: Archive, rules: DeliveryRules, now: datetime, only: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Store what the destinations that are on know of how leads ended. Returns one row per destination that can tell: {destination, read, new, why}."""
    told = []
    asked = answers(settings, rules, lambda there: there.tells_outcomes, lambda there, access: there.outcomes(access), only)
    for name, deals, why in asked:
        row: dict[str, Any] = {"destination": name, "read": len(deals or ()), "new": False, "why": why}
        if deals:
            # A line per deal, so that a person's lines can leave the file.
            lines = b"".join(orjson.dumps(deal, option=orjson.OPT_APPEND_NEWLINE) for deal in deals)
            _, row["new"] = archive.add_outcomes(lines, f"{name}-deals.ndjson", now, source=name, columns={})
        told.append(row)
    return told


def _take(landing: Objects, entry: Entry, take: Callable[[str, bytes], str], taken: dict[str, str]) -> str:
    """Why the file stays; empty if it was taken or its sender withdrew it."""
    try:
        taken[entry.name] = take(entry.name.rpartition("/")[2], landing.get(entry.name, entry))
        landing.remove(entry)
    except (FileNotFoundError, ObjectChanged):
        return ""
    except UnreadableTable as error:
        return str(error)
    return ""


def _is_complete(entry: Entry, now: datetime) -> bool:
    hidden = entry.name.rpartition("/")[2].startswith(".")
    return not hidden and (entry.whole or now.astimezone(UTC).timestamp() - entry.arrived >= SETTLED_SECONDS)


def _known(cursor: str | None) -> tuple[str | None, dict[str, tuple[str, str]]]:
    try:
        value = json.loads(cursor or "{}")
        return value.get("newest"), {str(name): (str(version), str(why)) for name, (version, why) in value.get("stuck", {}).items()}
    except (ValueError, TypeError, AttributeError):
        return None, {}
