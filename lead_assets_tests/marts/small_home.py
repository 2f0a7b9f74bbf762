"""A warehouse with a few rows in every table that marts read, and the marts made from them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from lead_assets.contracts import TABLES, WHOLE_HOME, Table
from lead_assets.marts.mart import mart
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets_tests.rows import AT, rows

_CALL = {
    "campaign_id": "a",
    "day": date(2026, 11, 24),
    "provider": "hunter",
    "operation": "hunter.email-finder",
    "signal": "email",
    "place": 1,
}
_LEADS = [str(number) for number in range(7)]

_ROWS: dict[str, list[dict[str, Any]]] = {
    "intake.raw_leads": [{"lead_id": n, "position": int(n), "part": 1} for n in _LEADS] + [{"lead_id": "d", "position": 20, "part": 1}],
    "intake.rejected_payloads": [{"position": n, "part": 1, "code": code} for n, code in enumerate(["not_json", "not_json", "empty"])],
    "identity.leads": [
        {"lead_id": n, "email_normalized": "x" if n < "5" else None, "title": "VP" if n < "3" else None, "country_code": "DE"} for n in _LEADS
    ],
    "identity.duplicates": [{"lead_id": "d", "duplicate_of": "1", "position": 20, "part": 1}],
    "signals.email": [
        {"lead_id": n, "state": "found" if n < "3" else "not_found" if n < "4" else "unknown", "reason": None if n < "3" else "not_worth_it", "cost_usd": "0.1"}
        for n in _LEADS
    ],
    "signals.enriched_leads": [{"lead_id": n, "signals_found": ["email"] if n < "3" else [], "signals_cost_usd": "0.1"} for n in _LEADS],
    "classification.classifications": [{"lead_id": n, "profile": "b2b", "model": "m", "attempts": 1, "cost_usd": "0.01"} for n in _LEADS[:5]],
    "classification.quarantine": [{"lead_id": n, "profile": "b2b", "model": "m", "code": "placeholder", "attempt": 2} for n in _LEADS[5:]],
    "scoring.scores": [{"lead_id": n, "score": 95.0 - 10 * int(n), "tier": "hot" if n < "2" else "cold"} for n in _LEADS[:5]],
    "scoring.outcomes": [
        {"outcome_id": n, "campaign_id": "a", "lead_id": n, "outcome": "won" if n in "02" else "lost"} for n in ("0", "1", "2", "3")
    ],
    "routing.decisions": [
        {"lead_id": n, "owner": "kim" if n < "3" else "lou", "territory": "dach", "sla_due_at": AT + timedelta(hours=1)} for n in _LEADS[:5]
    ],
    "spending.calls": [
        {key: _CALL[key] for key in ("campaign_id", "day", "provider", "operation", "signal")}
        | {"state": state, "reason": "", "answers": answers, "calls": answers, "cost_usd": cost}
        for state, answers, cost in (("found", 4, "0.8"), ("not_found", 1, "0.1"), ("unknown", 2, "0"))
    ],
    "ledger.calls": [
        _CALL | {"call_id": n, "question": n, "attempt": 1, "about": n, "state": state, "cost_usd": "0.2", "latency_ms": 100 * n}
        for n, state in enumerate(("found", "found", "not_found", "unknown"), start=1)
    ],
}  # fmt: skip


def fill(warehouse: Warehouse) -> None:
    """Write the rows, then make every mart, those first that others read."""
    for name, contract in TABLES.items():
        if contract.schema_name() != "marts":
            home = contract.grain == "home"
            each = [({} if home else {"campaign_id": "a"}) | row for row in _ROWS.get(name, [])]
            warehouse.write(contract, rows(contract, each), [WHOLE_HOME] if home else ["a"])
    done: set[type[Table]] = set()
    for contract in TABLES.values():
        _make(warehouse, contract, done)


def _make(warehouse: Warehouse, contract: type[Table], done: set[type[Table]]) -> None:
    if contract.schema_name() != "marts" or contract in done:
        return
    done.add(contract)
    declared = mart(contract)
    for read in declared.reads:
        _make(warehouse, read, done)
    partitions = None if contract.grain == "home" else ["a"]
    warehouse.write(contract, warehouse.query(declared.sql, declared.reads, partitions), partitions or [WHOLE_HOME])
