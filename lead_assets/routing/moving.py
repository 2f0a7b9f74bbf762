"""Moving leads and accounts because a person says so: how such a decision is kept, and who may be given leads.

Does not belong here: storing moves (see `lead_assets.ledger.routes`), or rerouting, which chooses as ever (`choose`).
"""

from __future__ import annotations

import hashlib

import orjson

from lead_assets.core.unknown_words import UnknownWord, unknown
from lead_assets.ledger.assignments_model import Move
from lead_assets.routing.model import RoutingTable


def way_of(move: Move, owner: str, table: RoutingTable, digest: str) -> tuple[str, str]:
    """Key and JSON of how a lead came to an owner by hand."""
    said = {
        "authority": "moved",
        "territory": move.kind,
        "rule": move.kind,
        "reason": f"moved by {move.by}: {move.why}",
        "fallback": False,
        "team": table.team_of.get(owner),
        "path": None,
        "facts": {},
        "passed_over": [],
        "table": digest,
    }
    text = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:20], text.decode()


def check_receiver(owner: str, table: RoutingTable) -> None:
    """Raises UnknownWord for somebody who is not in the table or cannot be given leads."""
    person = table.people.get(owner)
    if person is None:
        raise unknown("no owner", owner, table.people)
    if person.left or not person.active:
        raise UnknownWord(
            f"--to: '{owner}' {'has left' if person.left else 'is not active'}: give the leads to somebody else, or reroute them"
        )
