"""`explain`: what happened to a lead, person or company, step by step, from all tables and the ledger's journal.

Belongs here: finding the leads that are meant, and their steps. Does not belong here: how it is written (see `markdown`), or any decision: everything is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from lead_assets.contracts import TABLES, SignalRow
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.opened import ledger_of
from lead_assets.routing.explain import on_the_way
from lead_assets.routing.table import load_routing_table, table_from
from lead_assets.stores.opened import warehouse_of
from lead_assets.stores.warehouse.base import PartitionMissing, Warehouse
from lead_assets.stores.warehouse.questions import ask, masked_row

MOST_LEADS = 20
"""Leads explained at once: a company may have thousands."""

_TABLES = (
    *("identity.leads", "identity.duplicates", "identity.suppressed", "intake.raw_leads", "signals.enriched_leads"),
    *("classification.classifications", "classification.quarantine", "classification.summaries", "classification.summary_quarantine"),
    *("scoring.scores", "routing.decisions", "delivery.enrichment_events", "delivery.deliveries"),
)
"""Tables that are read of every lead, beside those of the signals."""
_readers = ThreadPoolExecutor(4, "explain")
"""A query of one lead waits for files more than it computes."""

_TEXTS = (
    "email",
    "phone",
    "full_name",
    "first_name",
    "last_name",
    "company",
    "title",
    "website",
    "linkedin_url",
    "country",
    "state",
    "city",
)
_READ = {
    "email_normalized": ("email",),
    "email_kind": ("email",),
    "company_domain": ("website", "email"),
    "company_clean": ("company",),
    "country_code": ("country", "state", "city", "phone"),
    "state_code": ("state", "city"),
    "phone_e164": ("phone",),
    "name_first": ("first_name", "full_name"),
    "name_last": ("last_name", "full_name"),
    "seniority": ("title",),
    "department": ("title",),
}
"""Column of identity.leads → the columns as received that it is read from, as far as it helps to see them side by side."""


def explain(settings: Settings, asked: str, *, pii: bool = False, campaign: str | None = None) -> dict[str, Any]:
    """What is known of an e-mail address, a lead id, or a company (domain, account or name).

    {"asked", "leads": [{"campaign_id", "lead_id", "account_key", "read", "signals", "class", "score", "routing", "deliveries", "cost_usd", "timeline"}],
    "rejected": [...], "more": leads beyond MOST_LEADS}. A timeline is [{"at", "step", "what", ...}], in order of time. Personal data is masked unless
    `pii`. Changes nothing and calls nobody. Nobody found: no leads.
    """
    warehouse, ledger = warehouse_of(settings), ledger_of(settings)
    found = _meant(warehouse, asked.strip(), campaign)
    leads = [_LeadTold(settings, warehouse, ledger, campaign_id, lead_id, pii).told() for campaign_id, lead_id in found[:MOST_LEADS]]
    return {"asked": asked, "leads": leads, "rejected": _rejected(warehouse, asked.strip()), "more": max(0, len(found) - MOST_LEADS)}


@dataclass(frozen=True)
class Told:
    """One lead: `told` as in `explain`, its rows of identity.leads, signals.enriched_leads and identity.duplicates, and the rules that were tried with their
    conditions (see `lead_assets.routing.explain`)."""

    told: dict[str, Any]
    lead: dict[str, Any]
    enriched: dict[str, Any]
    duplicates: list[dict[str, Any]]
    tried: list[dict[str, Any]]


def explain_lead(
    settings: Settings, warehouse: Warehouse, ledger: Ledger, campaign: str, lead_id: str, *, pii: bool = False
) -> Told | None:
    """What is known of one lead of a campaign; None if nothing is. Reads only that campaign, and its tables at the same time."""
    lead = _LeadTold(settings, warehouse, ledger, campaign, lead_id, pii)
    lead.read_ahead()
    found, duplicates = lead.row("identity.leads"), lead.rows("identity.duplicates", lead.as_duplicate)
    if not found and not lead.rows("identity.suppressed") and not any(row["lead_id"] == lead_id for row in duplicates):
        return None
    told = lead.told()
    decision = lead.row("routing.decisions")
    return Told(told, found, lead.row("signals.enriched_leads"), duplicates, lead.tried(decision) if decision else [])


def _meant(warehouse: Warehouse, asked: str, campaign: str | None) -> list[tuple[str, str]]:
    """(campaign, lead id) of the leads that are meant, in order of arrival; also those that were found to be duplicates or suppressed."""
    value, low = _literal(asked), _literal(asked.lower())
    of_lead = [f"lead_id = {value}"]
    if "@" in asked:
        of_lead += [f"email_normalized = {low}", f"LOWER(email) = {low}"]
    else:
        of_lead += [f"account_key = {low}", f"company_domain = {low}", f"LOWER(company_clean) = {low}", f"LOWER(company) = {low}"]
    where = f"({' OR '.join(of_lead)})" + (f" AND campaign_id = {_literal(campaign)}" if campaign else "")
    leads = ask(warehouse, f"SELECT campaign_id, lead_id, received_at FROM identity.leads WHERE {where}", pii=True)
    others = [leads.sort("received_at", "campaign_id", "lead_id").select("campaign_id", "lead_id")]
    alone = f"lead_id = {value}" + (f" AND campaign_id = {_literal(campaign)}" if campaign else "")
    others.append(ask(warehouse, f"SELECT campaign_id, duplicate_of AS lead_id FROM identity.duplicates WHERE {alone}"))
    others.append(ask(warehouse, f"SELECT campaign_id, lead_id FROM identity.suppressed WHERE {alone}"))
    return list(dict.fromkeys(pl.concat(others).iter_rows()))


def _rejected(warehouse: Warehouse, asked: str) -> list[dict[str, Any]]:
    """Payloads that were rejected and hold the address: why, and where they are."""
    if "@" not in asked:
        return []
    sql = (
        "SELECT campaign_id, drop_name, drop_sha256, position, part, received_at, code, reason FROM intake.rejected_payloads "
        f"WHERE STRPOS(LOWER(raw_text), {_literal(asked.lower())}) > 0 ORDER BY received_at, drop_sha256, position, part LIMIT {MOST_LEADS}"
    )
    return ask(warehouse, sql, pii=True).to_dicts()


class _LeadTold:
    """One lead: its rows in each table, read when they are needed."""

    def __init__(self, settings: Settings, warehouse: Warehouse, ledger: Ledger, campaign: str, lead: str, pii: bool) -> None:
        self.settings, self.warehouse, self.ledger = settings, warehouse, ledger
        self.campaign, self.lead, self.pii = campaign, lead, pii
        self._read: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.as_duplicate = f"(duplicate_of = {_literal(lead)} OR lead_id = {_literal(lead)})"

    def read_ahead(self) -> None:
        """Read what every lead is asked for, several tables at a time."""
        wanted = [*_TABLES, *(contract.table for contract in TABLES.values() if issubclass(contract, SignalRow))]
        list(_readers.map(self._rows_of, wanted, [self.as_duplicate if table == "identity.duplicates" else "" for table in wanted]))

    def rows(self, table: str, where: str = "", *, pii: bool | None = None) -> list[dict[str, Any]]:
        """The lead's rows of a table; none if the table was never made for its campaign."""
        if table not in TABLES:
            return []
        shown = self.pii if pii is None else pii
        found = self._rows_of(table, where)
        return found if shown else [masked_row(TABLES[table], row) for row in found]

    def _rows_of(self, table: str, where: str) -> list[dict[str, Any]]:
        if (table, where) not in self._read:
            contract = TABLES[table]
            condition = f"campaign_id = {_literal(self.campaign)} AND " + (where or f"lead_id = {_literal(self.lead)}")
            partitions = [self.campaign] if contract.grain == "campaign" else None
            try:
                rows = self.warehouse.query(f"SELECT * FROM {table} WHERE {condition}", [contract], partitions).to_dicts()
            except PartitionMissing:
                rows = []
            self._read[table, where] = rows
        return self._read[table, where]

    def row(self, table: str) -> dict[str, Any]:
        return next(iter(self.rows(table)), {})

    def told(self) -> dict[str, Any]:
        lead = self.row("identity.leads")
        signals = list(self._signals())
        classified, quarantined = self.row("classification.classifications"), self.row("classification.quarantine")
        score, decision = self.row("scoring.scores"), self.row("routing.decisions")
        events, deliveries = self.rows("delivery.enrichment_events"), self.rows("delivery.deliveries")
        brief = self.row("classification.summaries") or self.row("classification.summary_quarantine")
        judged = classified or quarantined
        told = {
            "campaign_id": self.campaign,
            "lead_id": self.lead,
            "account_key": lead.get("account_key"),
            "read": _reading(lead),
            "signals": signals,
            "class": _judgement(judged),
            "score": _only(score, "score", "tier", "path", "route_score", "ruleset", "reasons", "unknown_parts")
            | ({"parts": json.loads(score["parts"])} if score else {}),
            "routing": self._routing(decision),
            "deliveries": [_parsed(row) for row in deliveries],
            "cost_usd": sum((row["cost_usd"] for row in (*signals, judged, brief) if row.get("cost_usd") is not None), start=0),
        }
        steps = [*self._arrivals(), *self._steps(lead, signals, judged, score, decision, brief, events, deliveries)]
        told["timeline"] = sorted(steps, key=lambda step: (step["at"] is None, step["at"] or datetime.min))
        return told

    def _arrivals(self) -> Iterator[dict[str, Any]]:
        duplicates = self.rows("identity.duplicates", self.as_duplicate)
        superseded = {_place(row): row for row in duplicates}
        # A payload's id may be another lead's too, if it was derived from a mailbox that two people share.
        kept = [_place(row) for row in self.rows("identity.leads")]
        named = " OR ".join(
            f"(drop_sha256 = {_literal(sha)} AND position = {position} AND coalesce(part, 1) = {part})"
            for sha, position, part in (*kept, *superseded)
        )
        for row in self.rows("intake.raw_leads", f"({named})" if named else ""):
            again = superseded.get(_place(row))
            part = f", part {row['part']}" if _place(row)[2] > 1 else ""
            yield {
                "at": row["received_at"],
                "step": "received",
                "what": f"{row['drop_name']}, position {row['position']}{part}, read as {row['adapter']}"
                + (f"; superseded: the same lead by its {again['matched_on']}" if again else ""),
                "drop_sha256": row["drop_sha256"],
                "unread_fields": row["unread_fields"],
            }
        for row in self.rows("identity.suppressed"):
            yield {"at": row["suppressed_at"], "step": "suppressed", "what": row["reason"]}

    def _signals(self) -> Iterator[dict[str, Any]]:
        """Each signal's outcome with all attempts about its subject, whoever made them."""
        contracts = [contract for contract in TABLES.values() if issubclass(contract, SignalRow)]
        shown = {contract.table: self.row(contract.table) for contract in contracts}
        subjects = {table: {row["subject"]} - {None} for table in shown for row in self.rows(table, pii=True)}
        # A mailbox is verified by its address, whatever the lead is searched for by.
        addresses = [row["email_address"] for row in self.rows("signals.email", pii=True)]
        addresses += [row["email_normalized"] for row in self.rows("identity.leads", pii=True)]
        subjects.setdefault("signals.email", set()).update(address for address in addresses if address)
        attempts: dict[str, list[dict[str, Any]]] = {}
        for call in self.ledger.attempts_about(set().union(*subjects.values())).iter_rows(named=True):
            attempts.setdefault(call.pop("subject"), []).append(call)
        operations = _operations(self.settings)
        for table, row in shown.items():
            if row:
                calls = (call for subject in sorted(subjects[table]) for call in attempts.get(subject, ()))
                tried = sorted(
                    (call for call in calls if call["operation"] in operations.get(table, ())), key=lambda call: call["answered_at"]
                )
                yield {
                    "signal": table.split(".")[1],
                    **_only(row, "state", "reason", "needs", "provider", "as_of", "stale", "synthetic", "cost_usd", "subject"),
                    "attempts": tried,
                }

    def _routing(self, decision: dict[str, Any]) -> dict[str, Any]:
        """The decision, and the rules that were tried on the lead's facts, by the table that decided (if it is not kept: the one in force)."""
        if not decision:
            return {}
        told = {name: value for name, value in _parsed(decision).items() if name not in ("campaign_id", "lead_id")}
        return told | {"rules_tried": [{"rule": each["rule"], "met": each["met"]} for each in self.tried(decision)]}

    def tried(self, decision: dict[str, Any]) -> list[dict[str, Any]]:
        """The rules that were tried on the lead's facts, with their conditions. None for a decision that a release wrote which did not note the facts."""
        if decision["facts"] is None:
            return []
        content = self.ledger.routing_table(decision["routing_table"]) if decision.get("routing_table") else None
        way = {"authority": decision["authority"], "territory": decision["territory"], "facts": json.loads(decision["facts"])}
        return on_the_way(way, load_routing_table(self.settings) if content is None else table_from(content))

    def _steps(
        self,
        lead: dict[str, Any],
        signals: Sequence[dict[str, Any]],
        judged: dict[str, Any],
        score: dict[str, Any],
        decision: dict[str, Any],
        brief: dict[str, Any],
        events: Sequence[dict[str, Any]],
        deliveries: Sequence[dict[str, Any]],
    ) -> Iterator[dict[str, Any]]:
        for signal in signals:
            by = f" by {signal['provider']}" if signal["provider"] else ""
            why = f": {signal['needs'] or signal['reason']}" if signal["reason"] else ""
            at = signal["as_of"] or next((call["answered_at"] for call in reversed(signal["attempts"])), None)
            yield {"at": at, "step": "signal", "what": f"{signal['signal']} {signal['state']}{by}{why}", "cost_usd": signal["cost_usd"]}
        if judged:
            quarantined = "code" in judged
            what = (
                f"quarantined: {judged['code']}" if quarantined else "; ".join(f"{k} {v}" for k, v in _judgement(judged)["fields"].items())
            )
            at = judged["quarantined_at" if quarantined else "enriched_at"]
            yield {
                "at": at,
                "step": "classified",
                "what": f"{judged['model']} ({judged['profile']}): {what}",
                "cost_usd": judged["cost_usd"],
            }
        judged_at = judged.get("enriched_at") or judged.get("quarantined_at")
        if score:
            yield {"at": judged_at, "step": "scored", "what": f"{score['score']:g} of 100, {score['tier']}: {score['path']}"}
        if brief:
            at = brief.get("enriched_at") or brief.get("quarantined_at")
            what = f"quarantined: {brief['code']}" if "code" in brief else f"by {brief['model']}"
            yield {"at": at, "step": "brief", "what": what, "cost_usd": brief["cost_usd"]}
        if decision:
            yield {"at": decision["assigned_at"], "step": "routed", "what": f"to {decision['owner']}: {decision['reason']}"}
        for event in events:
            yield {
                "at": decision.get("assigned_at") or event["enriched_at"],
                "step": "event",
                "what": f"{event['event_id']} in {event['archived_as']}",
            }
        for each in deliveries:
            for change in json.loads(each["history"]):
                why = f" ({change['reason']})" if change.get("reason") else ""
                yield {
                    "at": _moment(change["at"]),
                    "step": "delivery",
                    "what": f"{each['destination']} {each['kind']}: {change['state']}{why}",
                }


def _reading(lead: dict[str, Any]) -> list[dict[str, Any]]:
    """What was read as what: [{"column", "value", "from": {column as received: value}}]."""
    told = []
    for column, sources in _READ.items():
        if lead.get(column) is not None:
            told.append(
                {"column": column, "value": lead[column], "from": {name: lead[name] for name in sources if lead.get(name) is not None}}
            )
    return told


def _judgement(row: dict[str, Any]) -> dict[str, Any]:
    """A classification or a quarantine: its fields, and the words of the lead that back them."""
    if not row:
        return {}
    kept = _only(row, "profile", "schema_version", "model", "fallback_reason", "code", "reason", "attempts", "attempt", "cost_usd")
    kept |= _only(row, "classification_rationale", "lead_rating", "rating_reasons", "outreach_message")
    names = ("loan_type", "investor_experience", "icp_fit", "persona", "buying_stage", "urgency_score")
    fields = {name: row[name] for name in names if row.get(name) is not None}
    answer = _json(row.get("answer"))
    return kept | {"fields": fields, "evidence": answer.get("evidence") if isinstance(answer, dict) else None}


def _operations(settings: Settings) -> dict[str, set[str]]:
    """Table of a signal → what its sources are called in the ledger."""
    from lead_assets.signals.signal import load_signals

    return {signal.contract.table: {source.ledger_operation for source in signal.sources} for signal in load_signals(settings).values()}


def _only(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _parsed(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its JSON texts as values."""
    return {name: _json(value) if isinstance(value, str) and value[:1] in "[{" else value for name, value in row.items()}


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))


def _place(row: dict[str, Any]) -> tuple[str, int, int]:
    """Where a row came in: drop, position and part. Rows that releases wrote which did not part payloads are all of a first part."""
    return row["drop_sha256"], row["position"], row["part"] or 1


def _literal(text: str | None) -> str:
    from sqlglot import exp

    return exp.Literal.string(text or "").sql(dialect="duckdb")
