"""A forgotten lead leaves the registers that know it by its id alone."""

from __future__ import annotations

from datetime import UTC, datetime

from lead_assets.ledger import Ledger
from lead_assets.ledger.erasing import FORGOTTEN, Erasure
from lead_assets.ledger.keys import Use
from lead_assets.ledger.received import ReceivedEvent

AT = datetime(2026, 11, 30, tzinfo=UTC)


def test_the_audit_log_and_the_events_keep_their_rows_without_the_lead(ledger: Ledger) -> None:
    key, _ = ledger.keys.create("crm", ["read"])
    ledger.keys.note_uses([Use(key.key_id, AT, "GET /admin/leads/{lead_id}", 200, lead, 1) for lead in ("CUST-1", "CUST-12", None)])
    events = [ReceivedEvent("hubspot", f"e{number}", "drop", f"CUST-{number}", 0) for number in (1, 12)]
    ledger.note_received(events)
    done = ledger.erase(Erasure(leads=[("spring", "CUST-1")]))
    assert (done["key_uses"], done["received_events"]) == (1, 1)
    assert {use.about for use in ledger.keys.uses()} == {FORGOTTEN, "CUST-12", None}
    known = ledger.received([("hubspot", "e1"), ("hubspot", "e12")])
    # Still known, so that the event is not received twice.
    assert {event: each.lead_id for (_, event), each in known.items()} == {"e1": None, "e12": "CUST-12"}
