"""Who has opted out at a destination, or cannot be reached there, is suppressed here, too: bounces, unsubscribes, complaints.

Does not belong here: how a destination is asked for them (see `Destination.opted_out` in its folder), or how they are stored (see `lists`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from lead_assets.core.settings import Settings
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger.ledger import Ledger
from lead_assets.privacy.asking import answers
from lead_assets.privacy.lists import Identifier, keep_out, read_identifier


def fetch(settings: Settings, ledger: Ledger, rules: DeliveryRules, only: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Suppress whom the destinations that are on know to have opted out. Returns one row per destination that can tell: {destination, read, added, why}."""
    told = []
    asked = answers(settings, rules, lambda there: there.tells_opt_outs, lambda there, access: there.opted_out(access), only)
    for name, found, why in asked:
        told.append({"destination": name, "read": 0, "added": 0, "why": why} | (_stored(ledger, name, found) if found is not None else {}))
    return told


def _stored(ledger: Ledger, name: str, found: list[tuple[str, str]]) -> dict[str, int]:
    by_reason: defaultdict[str, list[Identifier]] = defaultdict(list)
    for email, reason in found:
        if read := read_identifier(email, kind="email"):
            by_reason[reason].append(read)
    added = [keep_out(ledger, those, f"{name}: {reason}")["added"] for reason, those in by_reason.items()]
    return {"read": len(found), "added": sum(added)}
