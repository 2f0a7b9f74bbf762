"""Routed leads, rules and drains that the tests of deliveries share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lead_assets.core.settings import Settings
from lead_assets.delivery import planning
from lead_assets.delivery.dispatch import Drained, drain
from lead_assets.delivery.facts import person_of
from lead_assets.delivery.rules import DeliveryRules, delivery_file
from lead_assets.ledger import Ledger
from lead_assets.vendors.sending import OwnerContact, RoutedLead

RECEIVED = datetime(2026, 11, 20, 9, tzinfo=UTC)
ON: dict[str, dict[str, Any]] = {
    "hubspot": {"fields": {"firstname": "first_name", "jobtitle": "title", "lead_score": "score", "industry": "company_industry"}},
    "slack": {"channel": "C1", "alerts": "CHOT"},
    "segment": {"traits": {"email": "email", "lead_score": "score"}, "properties": {"owner": "owner", "tier": "tier"}},
    "sendgrid": {"lists": ["list-1"], "fields": {"first_name": "first_name", "w1_T": "company"}, "revisit_field": "w2_D"},
    "salesforce": {"fields": {"LastName": "last_name", "Company": "company", "Title": "title", "Email": "email"}},
    "webhook": {"fields": ["email", "score", "owner"]},
    "file": {"fields": ["email", "score"]},
}


def lead(
    n: int = 1, *, path: str = "route", owner: str = "rosa.delgado", high: bool = False, campaign: str = "c1", **facts: Any
) -> RoutedLead:
    """The n-th lead. A fact of None is one that it lacks."""
    email = facts.get("email", f"person{n}@acme{n}.example")
    known: dict[str, Any] = {
        "email": email,
        "first_name": "Ana",
        "last_name": f"Prime{n}",
        "full_name": f"Ana Prime{n}",
        "title": "VP Sales",
        "company": f"Acme {n}",
        "company_domain": f"acme{n}.example",
        "score": 80.0,
        "tier": "hot",
        "reasons": ["headcount"],
        "owner": owner,
        "enriched_at": RECEIVED + timedelta(minutes=1),
    }
    return RoutedLead(
        campaign_id=campaign,
        lead_id=f"l{n:05d}",
        person=person_of(email, campaign, f"l{n:05d}"),
        account=f"acme{n}.example",
        facts={name: value for name, value in (known | facts).items() if value is not None},
        owner=owner,
        contact=OwnerContact(email=f"{owner}@sandbox.example"),
        path=path,  # type: ignore[arg-type]
        high_priority=high,
        received_at=RECEIVED,
        due_by=RECEIVED + timedelta(hours=1),
        revisit_at=RECEIVED + timedelta(days=30),
    )


def briefed(n: int = 1, **facts: Any) -> RoutedLead:
    brief = {"brief": "Wants <a> demo & a quote.", "next_step": "Call.", "briefed_at": RECEIVED + timedelta(minutes=2)}
    return lead(n, **brief | facts)


def rules(
    *names: str, retry_after: Sequence[str] = ("1s", "1s", "1s", "1s", "1s"), also: dict[str, Any] | None = None, **own: Any
) -> DeliveryRules:
    """Rules with these destinations on; `own`: more of a destination's rules, by name; `also`: more of the file."""
    each = {name: {"on": "sandbox", **ON[name], **own.get(name, {})} for name in names}
    touch = {"hot": "1h", "warm": "8h", "cold": "24h"}
    value = {"destinations": each, "first_touch": touch, "nurture": "30d", "retry_after": list(retry_after), **(also or {})}
    return delivery_file().model.model_validate(value)


def deliver(ledger: Ledger, settings: Settings, leads: Sequence[RoutedLead], own: DeliveryRules, *, patience: float = 3.0) -> Drained:
    """Plan and drain, as a run does for the campaigns of the leads."""
    planning.plan(ledger, planning.to_send(leads, own, settings), {each.campaign_id for each in leads})
    return drain(ledger, settings, own, patience=patience)


def states(ledger: Ledger, destination: str | None = None, campaign: str = "c1") -> list[tuple[str, str, str | None]]:
    """(kind, state, reason) of all entries, in order."""
    found = ledger.outbox.entries([campaign])
    return [(row["kind"], row["state"], row["reason"]) for row in found if destination in (None, row["destination"])]
