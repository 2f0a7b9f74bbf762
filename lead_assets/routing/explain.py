"""Why a lead has its owner: every condition on the way with the lead's value, and everybody who was passed over.

Computed when asked, from what the ledger kept: the lead's facts and the routing table that decided, even if rules/routing.yaml says something else today.
"""

from __future__ import annotations

from typing import Any

from lead_assets.core.conditions import KnownValue, Test
from lead_assets.routing.fields import FIELDS
from lead_assets.routing.matching import Facts, facts_frame, shown, test_of
from lead_assets.routing.model import RoutingTable, Territory, said_test


def on_the_way(way: dict[str, Any], table: RoutingTable) -> list[dict[str, Any]]:
    """The rules that were tried, in order, up to the one that decided: [{rule, goes_to, met, conditions: [{field, wants, value, met}]}].

    Empty if no rule was tried, because the account had an owner or is named. Rules after a condition that is not met have all theirs shown, too.
    """
    if way["authority"] not in ("rule", "fallback"):
        return []
    tried = []
    for territory in table.territories:
        conditions = [_condition(table, name, test, way.get("facts", {})) for name, test in territory.when.items()]
        met = all(condition["met"] for condition in conditions)
        tried.append({"rule": territory.name, "goes_to": goes_to(territory), "met": met, "conditions": conditions})
        if met and territory.name == way["territory"] and way["authority"] == "rule":
            break
    return tried


def goes_to(territory: Territory) -> str:
    return f"{territory.action} {territory.target}" if territory.target is not None else territory.action


def _condition(table: RoutingTable, name: str, test: Test, facts: Facts) -> dict[str, Any]:
    known = FIELDS.get(name)
    if known is not None and known.in_ledger:
        value = facts.get(name)
        met = (
            (value is not None) == test.known
            if isinstance(test, KnownValue)
            else isinstance(test, tuple) and value is not None and value.lower() in [each.lower() for each in test]
        )
    else:
        met = bool(facts_frame(facts, table).select(test_of(table, name, test)).item())
    value = facts.get("subdivision") or facts.get("country_code") if name == "region" else facts.get(name)
    return {"field": name, "wants": said_test(test), "value": shown(value), "met": met}
