"""What analysts are shown beside the funnel, on both warehouses: each figure once by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from lead_assets.contracts import (
    TABLES,
    WHOLE_HOME,
    Calls,
    CampaignFunnel,
    Classification,
    CompanyOverview,
    Delivery,
    Duplicate,
    EmailAddress,
    EnrichedLead,
    JobPostings,
    JournaledCall,
    Lead,
    LeadOutcome,
    PersonProfile,
    Quarantined,
    QuarantinedSummary,
    RejectedPayload,
    RoutingDecision,
    Score,
    SignalRow,
    Table,
)
from lead_assets.contracts.marts import (
    DataQuality,
    Governance,
    Lead360,
    LedgerSavings,
    ProviderHealth,
    RejectReason,
    RoutingLoad,
    ScoreDistribution,
    SignalCoverage,
    UnitCosts,
    WaterfallYield,
)
from lead_assets.marts.drawn import story
from lead_assets.marts.mart import mart
from lead_assets_tests.rows import AT, rows
from lead_assets_tests.stores.conftest import Store

pytestmark = pytest.mark.slow

Filled = Mapping[type[Table], list[dict[str, Any]]]


def fill(store: Store, filled: Filled) -> None:
    """Write rows of campaign a, or of the home."""
    for contract, each in filled.items():
        home = contract.grain == "home"
        frame = rows(contract, [({} if home else {"campaign_id": "a"}) | row for row in each])
        store.warehouse.write(contract, frame, [WHOLE_HOME] if home else ["a"])


def made(store: Store, contract: type[Table]) -> list[dict[str, Any]]:
    """A mart's rows as its asset would store them, its checks included."""
    declared = mart(contract)
    if contract.grain == "campaign":
        for read in declared.reads:
            if "a" not in store.warehouse.partitions(read):
                store.warehouse.write(read, read.empty(), ["a"])
    partitions = None if contract.grain == "home" else ["a"]
    store.warehouse.write(contract, store.warehouse.query(declared.sql, declared.reads, partitions), partitions or [WHOLE_HOME])
    frame = store.warehouse.read(contract)
    for column in contract.columns():
        values = frame[column.name].drop_nulls()
        if column.low is not None:
            assert (values >= column.low).all(), column.name
        if column.high is not None:
            assert (values <= column.high).all(), column.name
    return frame.sort(contract.key).rows(named=True)


def only(row: dict[str, Any], *names: str) -> list[Any]:
    return [float(row[name]) if name.endswith("_usd") else row[name] for name in names]


FINDER = {"provider": "hunter", "operation": "hunter.email-finder", "signal": "email", "place": 3}
VERIFIER = {"provider": "hunter", "operation": "hunter.email-verifier", "signal": "email", "place": 1}
JOURNAL = [
    VERIFIER
    | {"call_id": 1, "question": 1, "attempt": 1, "state": "unknown", "reason": "uncertain", "uncertain": True, "uncertain_usd": "0.5"},
    VERIFIER | {"call_id": 2, "question": 1, "attempt": 2, "state": "found", "cost_usd": "0.5", "latency_ms": 100},
    VERIFIER | {"call_id": 3, "question": 3, "attempt": 1, "state": "not_found", "latency_ms": 200},
    VERIFIER | {"call_id": 4, "question": 4, "attempt": 1, "state": "unknown", "reason": "bad_answer", "latency_ms": 300},
    FINDER | {"call_id": 5, "question": 5, "attempt": 1, "state": "found", "cost_usd": "1", "latency_ms": 50},
    {
        "call_id": 6,
        "question": 6,
        "attempt": 1,
        "state": "found",
        "provider": "anthropic",
        "operation": "anthropic.messages",
        "cost_usd": "0.1",
    },
]
JOURNAL = [{"campaign_id": "a", "day": date(2026, 11, 24)} | row for row in JOURNAL]


def test_coverage_says_why_a_signal_is_not_there(store: Store) -> None:
    states = [("found", "pipe0", None), ("found", "given", None), ("not_found", "pipe0", "no_result"), ("unknown", None, "not_worth_it")]
    states += [("unknown", None, "no_subject"), ("unknown", None, "provider_error")]
    signal = [{"lead_id": str(n), "state": s, "provider": p, "reason": r, "cost_usd": "0.03"} for n, (s, p, r) in enumerate(states)]
    fill(store, {CompanyOverview: signal, JournaledCall: JOURNAL})
    (row,) = made(store, SignalCoverage)
    assert only(row, "signal", "leads", "found", "given", "not_found", "not_worth_it", "no_subject", "failed") == [
        *("company_overview", 6, 2, 1, 1, 1, 1, 1),
    ]
    assert only(row, "coverage", "hit_rate", "cost_usd") == [pytest.approx(2 / 6, abs=1e-6), pytest.approx(2 / 3, abs=1e-6), 0.18]


@pytest.mark.parametrize("contract", [SignalCoverage, LedgerSavings])
def test_coverage_and_the_ledgers_savings_know_every_signal(store: Store, contract: type[Table]) -> None:
    signals = [each for each in TABLES.values() if issubclass(each, SignalRow)]
    fill(store, {each: [{"lead_id": "1", "state": "found"}] for each in signals})
    assert [row["signal"] for row in made(store, contract)] == sorted(each.table_name() for each in signals)


def test_an_answer_that_was_not_bought_was_saved(store: Store) -> None:
    """Whatever the number of calls that a purchase took; calls that two signals share are a purchase for both."""
    bought, earlier = AT, AT - timedelta(days=3)

    def shown(lead: str, subject: str, at: datetime | None = bought, cost: str = "0", provider: str = "hunter") -> dict[str, Any]:
        return {"lead_id": lead, "subject": subject, "state": "found", "provider": provider, "as_of": at, "cost_usd": cost}

    calls = [
        FINDER | {"call_id": 1, "answered_at": earlier, "campaign_id": "b", "state": "found"},
        VERIFIER | {"call_id": 2, "answered_at": AT - timedelta(minutes=1), "state": "not_found"},
        FINDER | {"call_id": 3, "answered_at": bought, "state": "found"},
        {"call_id": 4, "provider": "apollo", "operation": "apollo.people/bulk_match", "signal": "person + email"}
        | {"answered_at": bought, "state": "found"},
    ]
    email = [
        shown("1", "ana", cost="1.5"),
        shown("2", "ana"),  # the same person in another lead
        shown("3", "bob", earlier),  # bought by another campaign
        shown("4", "eve", None, provider="given"),
        {"lead_id": "5", "state": "unknown", "reason": "not_worth_it"},
    ]
    person = [shown("1", "ana", cost="0.5", provider="apollo")]
    jobs = [shown("1", "acme.example", provider="apollo")]  # follows from what another signal bought
    named = [{"campaign_id": "a", "signal": name} for name in ("email", "job_postings", "person")]
    fill(store, {SignalCoverage: named, EmailAddress: email, PersonProfile: person, JobPostings: jobs})
    fill(store, {JournaledCall: [{"campaign_id": "a", "day": AT.date()} | row for row in calls]})
    first, follows, second = made(store, LedgerSavings)
    assert only(follows, "signal", "shown", "bought", "saved", "usd_per_answer") == ["job_postings", 1, 0, 1, None]
    assert only(first, "signal", "shown", "bought", "given", "saved", "usd_per_answer", "saved_usd") == ["email", 4, 1, 1, 3, 1.5, 4.5]
    assert only(second, "signal", "shown", "bought", "given", "saved", "usd_per_answer", "saved_usd") == ["person", 1, 1, 0, 0, 0.5, 0.0]


def test_a_waterfall_counts_questions_and_not_only_its_winners(store: Store) -> None:
    fill(store, {JournaledCall: JOURNAL})
    finder, verifier = made(store, WaterfallYield)
    assert only(verifier, "place", "questions", "attempts", "found", "not_found", "failed") == [1, 3, 4, 1, 1, 2]
    assert only(verifier, "hit_rate", "share_of_found", "found_so_far", "cost_usd", "uncertain_usd") == [0.5, 0.5, 0.5, 0.5, 0.5]
    assert only(finder, "hit_rate", "share_of_found", "found_so_far", "usd_per_found") == [1.0, 0.5, 1.0, 1.0]


def test_health_is_that_of_all_attempts(store: Store) -> None:
    fill(store, {JournaledCall: JOURNAL})
    found = {row["operation"]: row for row in made(store, ProviderHealth)}
    row = found["hunter.email-verifier"]
    assert only(row, "calls", "errors", "uncertain", "repeats", "error_rate", "latency_max_ms") == [4, 1, 1, 1, 0.5, 300]
    assert only(row, "latency_p50_ms", "latency_p95_ms") == [150.0, pytest.approx(285.0)]


def test_unit_costs_count_what_failed_runs_paid(store: Store) -> None:
    paid = [{"campaign_id": "a", "cost_usd": "1.5", "uncertain_usd": "0.5"}, {"campaign_id": "discovery", "cost_usd": "0.2"}]
    fill(store, {CampaignFunnel: [{"leads": 10, "enriched": 5, "hot": 2, "cost_usd": "1.2"}], Calls: paid})
    campaign, discovery = made(store, UnitCosts)
    assert only(campaign, "usd_per_lead", "usd_per_enriched", "usd_per_qualified", "unshown_usd", "uncertain_usd") == [
        0.15,
        0.3,
        0.75,
        0.3,
        0.5,
    ]
    assert only(discovery, "leads", "ledger_usd", "usd_per_lead") == [0, 0.2, None]


def test_governance_rates_add_up_for_each_model(store: Store) -> None:
    model = {"model": "m-1", "profile": "b2b", "attempts": 1, "cost_usd": "0.01"}
    fill(
        store,
        {
            Classification: [model | {"lead_id": "1"}, model | {"lead_id": "2", "attempts": 2}, model | {"lead_id": "3"}],
            Quarantined: [model | {"lead_id": "4", "code": "placeholder", "attempt": 2}],
        },
    )
    accepted, held = made(store, Governance)
    assert only(accepted, "code", "leads", "rate", "asked_again", "calls", "usd_per_lead") == ["accepted", 3, 0.75, 1, 4, 0.01]
    assert only(held, "code", "leads", "rate", "asked_again") == ["placeholder", 1, 0.25, 1]


def test_a_score_is_compared_with_how_leads_ended(store: Store) -> None:
    scored = [("1", 95.0, "hot"), ("2", 100.0, "hot"), ("3", 12.0, "cold"), ("4", 19.9, "cold")]
    ended = [("1", "won"), ("2", "open"), ("3", "lost"), ("4", "won")]
    fill(
        store,
        {
            Score: [{"lead_id": n, "score": score, "tier": tier} for n, score, tier in scored],
            Classification: [{"lead_id": n, "profile": "b2b"} for n, _, _ in scored],
            LeadOutcome: [{"outcome_id": n, "campaign_id": "a", "lead_id": n, "outcome": outcome} for n, outcome in ended],
        },
    )
    low, high = made(store, ScoreDistribution)
    assert only(high, "score_from", "leads", "hot", "mean_score", "ended", "won", "won_rate", "lift") == [90, 2, 2, 97.5, 1, 1, 1.0, 1.5]
    assert only(low, "score_from", "share_of_leads", "ended", "won_rate", "lift") == [10, 0.5, 2, 0.5, 0.75]


def test_load_is_compared_with_an_even_share(store: Store) -> None:
    def to(owner: str, lead: str, **more: Any) -> dict[str, Any]:
        return {"lead_id": lead, "owner": owner, "territory": "dach", "account_key": lead, "tier": "hot", "assigned_at": AT} | more

    due = AT + timedelta(minutes=90)
    fill(
        store,
        {RoutingDecision: [to("kim", "1", sla_due_at=due), to("kim", "2"), to("kim", "3", tier="cold"), to("lou", "4", fallback=True)]},
    )
    kim, lou = made(store, RoutingLoad)
    assert only(kim, "leads", "hot", "cold", "share_of_all", "owners", "over_even_share", "with_sla", "sla_minutes") == [
        3,
        2,
        1,
        0.75,
        2,
        0.25,
        1,
        90.0,
    ]
    assert only(lou, "leads", "fallback", "over_even_share", "sla_minutes") == [1, 1, -0.25, None]


def test_rejects_are_counted_by_reason(store: Store) -> None:
    rejected = [
        {"position": n, "part": 1, "code": code, "raw_bytes": 10} for n, code in enumerate(["not_json", "not_json", "invalid_email"])
    ]
    fill(store, {RejectedPayload: rejected, CampaignFunnel: [{"received": 12}]})
    email, json = made(store, RejectReason)
    assert only(json, "code", "payloads", "drops", "bytes", "share_of_received") == ["not_json", 2, 1, 20, pytest.approx(1 / 6, abs=1e-6)]
    assert only(email, "share_of_rejected") == [pytest.approx(1 / 3, abs=1e-6)]


def test_quality_is_the_share_of_leads_that_have_what_is_needed(store: Store) -> None:
    whole = {
        "email_normalized": "x",
        "email_kind": "business",
        "phone_e164": "+1",
        "company_domain": "x",
        "country_code": "DE",
        "title": "VP",
    }
    leads = [
        {"lead_id": "1", "name_last": "S", "seniority": "vp", **whole},
        {"lead_id": "2", "email_normalized": "y", "unread_fields": ["phone"]},
    ]
    enriched = [{"lead_id": "1", "enrichment_quality": 0.5, "synthetic": True}, {"lead_id": "2"}]
    fill(store, {Lead: leads, EnrichedLead: enriched, CampaignFunnel: [{"received": 4, "rejected": 1, "duplicate": 1}]})
    (row,) = made(store, DataQuality)
    assert only(row, "leads", "with_email", "with_phone", "with_business_email", "with_unread_fields") == [2, 1.0, 0.5, 0.5, 0.5]
    assert only(row, "completeness", "rejected_rate", "enrichment_quality", "synthetic_rate") == [
        pytest.approx(7 / 12, abs=1e-6),
        0.25,
        0.5,
        0.5,
    ]


def test_a_lead_is_told_in_one_row_without_personal_data(store: Store) -> None:
    touched = AT + timedelta(minutes=2)
    secret = {"email": "ana@acme.example", "full_name": "Ana Silva", "notes": "call Ana"}
    fill(
        store,
        {
            Lead: [{"lead_id": "1", "adapter": "csv", "account_key": "acme.example", **secret}, {"lead_id": "2", "adapter": "csv"}],
            Duplicate: [{"lead_id": "0", "duplicate_of": "1", "position": 3}],
            EnrichedLead: [{"lead_id": "1", "signals_found": ["a", "b"], "signals_missed": ["c"], "signals_cost_usd": "0.1"}],
            Classification: [
                {"lead_id": "1", "profile": "b2b", "model": "m-1", "icp_fit": "strong", "cost_usd": "0.002", "outreach_message": "Hi Ana"}
            ],
            Quarantined: [{"lead_id": "2", "code": "placeholder"}],
            Score: [{"lead_id": "1", "score": 71.6, "tier": "hot", "path": "route"}],
            RoutingDecision: [{"lead_id": "1", "owner": "kim", "reason": "country DE"}],
            QuarantinedSummary: [{"lead_id": "1", "cost_usd": "0.001"}],
            Delivery: [
                {"lead_id": "1", "destination": "segment", "kind": "track", "state": "confirmed", "confirmed_at": AT},
                {"lead_id": "1", "destination": "slack", "kind": "lead", "state": "confirmed", "owner": "kim", "confirmed_at": touched},
                {"lead_id": "1", "destination": "hubspot", "kind": "contact", "state": "dead", "owner": "kim"},
                {"lead_id": "1", "destination": "slack", "kind": "revisit", "state": "waiting", "owner": "kim"},
            ],
        },
    )
    first, second = made(store, Lead360)
    assert only(first, "payloads", "signals_found", "signals_missed", "tier", "owner", "cost_usd") == [2, 2, 1, "hot", "kim", 0.103]
    assert only(first, "messages", "messages_confirmed", "messages_dead", "touched_at") == [4, 2, 1, touched]
    assert only(second, "messages", "messages_confirmed", "messages_dead", "touched_at") == [0, 0, 0, None]
    assert story(first).split("\n\n") == [
        "**Arrived** as csv, 2 payloads; account acme.example",
        "**Enriched**: 2 signals found, 1 not; $0.1030 for all",
        "**Classified** by m-1 as b2b, ICP fit strong",
        "**Scored** 72 of 100, hot: route",
        "**Routed** to kim: country DE",
        "**No event**",
        "**Sent**: 2 of 4 messages confirmed, 1 given up",
    ]
    assert "**Quarantined**: placeholder" in story(second)
    assert "Ana" not in str(first) + str(second)


def test_marts_have_no_column_with_personal_data_and_are_empty_without_rows(store: Store) -> None:
    for contract in TABLES.values():
        if contract.schema_name() == "marts":
            assert not [column.name for column in contract.columns() if column.pii], contract.table
            if contract.grain == "home":
                assert made(store, contract) == []
