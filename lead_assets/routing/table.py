"""The routing table in force, from rules/routing.yaml.

Belongs here: reading the file, and refusing a wrong one with file, line, territory and next step. Does not belong here: what it may say (`model`).
"""

from __future__ import annotations

import hashlib
import json

from lead_assets.core.declared import RulesFile, document_of
from lead_assets.core.document import read_document
from lead_assets.core.settings import Settings
from lead_assets.routing.mistakes import mistakes
from lead_assets.routing.model import RoutingTable

ROUTING = RulesFile(
    "routing.yaml",
    RoutingTable,
    mistakes,
    lambda table: f"{len(table.territories)} territories, {len(table.owners)} owners",
    parts={"territories": "territory", "owners": "owner", "teams": "team", "pools": "pool", "segments": "segment"},
)


def load_routing_table(settings: Settings) -> RoutingTable:
    """The table in force: ROUTING_JSON (inline JSON, or the path of a JSON or YAML file), then routing.yaml in LEAD_ASSETS_RULES_DIR, then the shipped one.

    Raises RulesError.
    """
    return ROUTING.load(settings)


def content_of(settings: Settings) -> tuple[str, str]:
    """What the table in force says, as JSON, and its digest: kept in the ledger with the leads routed by it."""
    return digested(document_of(settings, ROUTING.name).value)


def digested(value: object) -> tuple[str, str]:
    content = json.dumps(value, ensure_ascii=False, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16], content


def table_from(content: str) -> RoutingTable:
    """The table of a content kept in the ledger."""
    return ROUTING.parse(read_document(content, "routing table in the ledger"))
