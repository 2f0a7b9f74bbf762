"""One lead, everything: from the bytes to the owner, by address, id or company; masked unless asked."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from lead_assets.contracts import (
    Classification,
    CompanyOverview,
    Delivery,
    Duplicate,
    EmailAddress,
    EnrichmentEvent,
    Lead,
    RawLead,
    RejectedPayload,
    RoutingDecision,
    Score,
    SuppressedLead,
)
from lead_assets.core.settings import Settings
from lead_assets.explaining.explain import explain
from lead_assets.explaining.markdown import as_markdown
from lead_assets.ledger import Ledger, Want, buy
from lead_assets.ledger.model import Reply
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.conftest import Command
from lead_assets_tests.ledger.vendor import Vendor, want
from lead_assets_tests.rows import AT, rows

PARTS = json.dumps([{"part": "fit", "points": 12.5, "max_points": 20, "because": "seniority is vp", "rule": "seniority"}])

SENT = AT + timedelta(days=3)
HISTORY = json.dumps(
    [
        {"at": SENT.isoformat(), "attempt": 0, "reason": None, "state": "waiting"},
        {"at": (SENT + timedelta(seconds=1)).isoformat(), "attempt": 1, "reason": "rate_limited", "state": "failed"},
        {"at": (SENT + timedelta(minutes=5)).isoformat().replace("+00:00", "Z"), "attempt": 2, "reason": None, "state": "confirmed"},
    ]
)


class Seldom(Vendor):
    def reply(self, one: Want) -> Reply:
        return Reply("not_found", "no_result")


@pytest.fixture
def known(settings: Settings, home: Path) -> Settings:
    """A lead that arrived twice, was enriched, classified, scored and routed; one that is suppressed; and a reject."""
    warehouse = DuckDBWarehouse(settings.warehouse_folder)
    lead = {
        "campaign_id": "a",
        "lead_id": "L1",
        "email": "Ana@acme.example",
        "email_normalized": "ana@acme.example",
        "account_key": "acme.example",
    }
    lead |= {"company_domain": "acme.example", "website": "acme.example", "title": "VP", "seniority": "vp", "position": 2, "part": 1}
    raw = [
        {"campaign_id": "a", "lead_id": "L0", "drop_name": "old.csv", "position": 1, "part": 1, "adapter": "csv"},
        {
            "campaign_id": "a",
            "lead_id": "L1",
            "drop_name": "new.csv",
            "position": 2,
            "part": 1,
            "adapter": "csv",
            "received_at": AT + timedelta(days=1),
        },
    ]
    later = AT + timedelta(days=2)
    frames = {
        RawLead: raw,
        RejectedPayload: [{"campaign_id": "a", "raw_text": '{"email":"ana@acme.example","x":', "code": "truncated_json"}],
        Lead: [lead],
        Duplicate: [{"campaign_id": "a", "lead_id": "L0", "duplicate_of": "L1", "position": 1, "part": 1, "matched_on": "person"}],
        SuppressedLead: [{"campaign_id": "a", "lead_id": "L9", "reason": "unsubscribed", "suppressed_at": AT}],
        CompanyOverview: [
            {
                "campaign_id": "a",
                "lead_id": "L1",
                "subject": "acme.example",
                "state": "found",
                "provider": "pipe0",
                "as_of": later,
                "cost_usd": "0.03",
            }
        ],
        EmailAddress: [
            {
                "campaign_id": "a",
                "lead_id": "L1",
                "subject": "ana acme.example",
                "state": "unknown",
                "reason": "not_worth_it",
                "needs": "pre-score 9, needs 30",
            }
        ],
        Classification: [
            {
                "campaign_id": "a",
                "lead_id": "L1",
                "icp_fit": "strong",
                "model": "m-1",
                "answer": '{"evidence": ["I need | it now"]}',
                "enriched_at": later,
                "cost_usd": "0.002",
            }
        ],
        Score: [{"campaign_id": "a", "lead_id": "L1", "score": 62.5, "tier": "warm", "path": "route", "parts": PARTS}],
        RoutingDecision: [
            {
                "campaign_id": "a",
                "lead_id": "L1",
                "owner": "kim",
                "authority": "rule",
                "reason": "country DE",
                "assigned_at": later + timedelta(hours=1),
            }
        ],
        EnrichmentEvent: [{"campaign_id": "a", "lead_id": "L1", "event_id": "ev-1", "archived_as": "events/a/1.ndjson"}],
        Delivery: [
            {"campaign_id": "a", "lead_id": "L1", "destination": "slack", "kind": "lead", "state": "confirmed", "history": HISTORY},
            {"campaign_id": "a", "lead_id": "L9", "destination": "hubspot", "kind": "contact", "state": "waiting"},
        ],
    }
    for contract, each in frames.items():
        warehouse.write(contract, rows(contract, each), ["a"])
    ledger = Ledger(settings.ledger_location)
    overview = "company:overview@2"
    asyncio.run(buy(ledger, [want("acme.example", operation=overview)], Vendor()))
    asyncio.run(buy(ledger, [want("ana@acme.example", provider="hunter", operation="email-verifier")], Seldom()))
    asyncio.run(buy(ledger, [want("other.example", operation=overview)], Vendor()))
    return settings


def test_a_lead_is_told_from_the_bytes_to_the_event(known: Settings) -> None:
    (lead,) = explain(known, "L1")["leads"]
    assert [step["step"] for step in lead["timeline"]][:2] == ["received", "received"]
    assert lead["timeline"][0]["what"] == "old.csv, position 1, read as csv; superseded: the same lead by its person"
    assert {step["step"] for step in lead["timeline"]} == {"received", "signal", "classified", "scored", "routed", "event", "delivery"}
    assert [step["at"] for step in lead["timeline"] if step["at"]] == sorted(step["at"] for step in lead["timeline"] if step["at"])
    signals = {signal["signal"]: signal for signal in lead["signals"]}
    assert [(call["operation"], call["state"]) for call in signals["company_overview"]["attempts"]] == [
        ("pipe0.company:overview@2", "found")
    ]
    assert [(call["operation"], call["state"]) for call in signals["email"]["attempts"]] == [("hunter.email-verifier", "not_found")]
    assert lead["score"]["parts"][0]["because"] == "seniority is vp"
    assert {"column": "seniority", "value": "vp", "from": {"title": "VP"}} in lead["read"]
    assert lead["routing"]["rules_tried"]
    assert str(lead["cost_usd"]) == "0.032000"


def test_a_lead_is_told_from_tables_of_a_release_that_noted_neither_parts_nor_facts(known: Settings, tmp_path: Path) -> None:
    old = known.model_copy(update={"home": tmp_path / "old"})
    shutil.copytree(known.home, old.home)
    for table, column in (
        ("intake/raw_leads", "part"),
        ("identity/leads", "part"),
        ("identity/duplicates", "part"),
        ("routing/decisions", "facts"),
    ):
        for file in (old.home / "warehouse" / table).rglob("*.parquet"):
            pl.read_parquet(file, hive_partitioning=False).drop(column).write_parquet(file)
    (lead,) = explain(old, "L1")["leads"]
    assert [step["step"] for step in lead["timeline"]][:2] == ["received", "received"]
    assert lead["routing"]["rules_tried"] == []


def test_what_was_sent_is_told_with_every_state_and_its_time(known: Settings) -> None:
    (lead,) = explain(known, "L1")["leads"]
    assert [(step["what"], step["at"] - SENT) for step in lead["timeline"] if step["step"] == "delivery"] == [
        ("slack lead: waiting", timedelta(0)),
        ("slack lead: failed (rate_limited)", timedelta(seconds=1)),
        ("slack lead: confirmed", timedelta(minutes=5)),
    ]
    assert [(each["destination"], each["state"]) for each in lead["deliveries"]] == [("slack", "confirmed")]
    assert "| delivery | slack lead: failed (rate\\_limited) |" in as_markdown(explain(known, "L1"))


@pytest.mark.parametrize("asked", ["ana@acme.example", "ANA@acme.example", "acme.example", "L0", "L1"])
def test_a_lead_is_found_by_address_id_or_company_and_by_its_duplicates_id(known: Settings, asked: str) -> None:
    assert [(lead["campaign_id"], lead["lead_id"]) for lead in explain(known, asked)["leads"]] == [("a", "L1")]
    assert explain(known, asked, campaign="b")["leads"] == []


def test_what_was_kept_out_is_told_too(known: Settings) -> None:
    (lead,) = explain(known, "L9")["leads"]
    assert [(step["step"], step["what"]) for step in lead["timeline"]] == [("suppressed", "unsubscribed")]
    assert [row["code"] for row in explain(known, "ana@acme.example")["rejected"]] == ["truncated_json"]


def test_personal_data_is_masked_unless_asked_for(known: Settings) -> None:
    masked, shown = as_markdown(explain(known, "L1")), as_markdown(explain(known, "L1", pii=True))
    assert "Ana@" not in masked
    assert "I need" not in masked
    assert "Ana@acme.example" in shown
    assert "I need \\| it now" in shown


def test_a_name_that_is_sql_is_only_a_name(known: Settings) -> None:
    answer = explain(known, "x' OR '1'='1")
    assert (answer["leads"], answer["rejected"]) == ([], [])
    assert as_markdown(answer).startswith("Nothing is known of x' OR")


def test_the_command_prints_it_and_fails_for_nobody(command: Command, known: Settings) -> None:
    assert command("explain", "L1", "--json").answer()["leads"][0]["account_key"] == "acme.example"
    printed = command("explain", "acme.example")
    assert (printed.code, "seniority is vp" in printed.stdout) == (0, True)
    assert command("explain", "nobody@nowhere.example").code == 1
