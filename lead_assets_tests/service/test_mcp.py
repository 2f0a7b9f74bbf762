"""`/mcp`, asked with the official SDK's client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from lead_assets.contracts import Lead
from lead_assets.ledger.opened import opened_ledger
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service

LEAD = {
    "campaign_id": "m1",
    "lead_id": "M1",
    "email_normalized": "ada@acmecapital.com",
    "company": "Acme",
    "company_domain": "acmecapital.com",
}


@pytest.fixture(scope="module")
def stored(service: Service) -> Service:
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, [LEAD]), ["m1"])
    return service


def asked(service: Service, key: str, work: Callable[[Client], Any]) -> Any:
    async def session() -> Any:
        headers = {"Authorization": f"Bearer {service.keys.get(key, key)}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(f"{service.url}/mcp", http_client=http)) as client,
        ):
            return await work(client)

    return asyncio.run(session())


def called(service: Service, key: str, tool: str, **given: Any) -> Any:
    return asked(service, key, lambda client: client.call_tool(tool, given))


def test_the_tools_are_listed_and_say_what_they_do(stored: Service) -> None:
    listed = asked(stored, "read", lambda client: client.list_tools()).tools
    assert {tool.name for tool in listed} == {"find_leads", "explain_lead", "estimate_cost", "enrich_lead", "enrich_new_lead"}
    assert all(tool.description for tool in listed)
    assert {tool.name for tool in listed if tool.annotations and tool.annotations.read_only_hint} == {
        "find_leads",
        "explain_lead",
        "estimate_cost",
    }


def test_reading_is_masked_as_the_key_says(stored: Service) -> None:
    for key, shown in (("read", "***@acmecapital.com"), ("read-pii", "ada@acmecapital.com")):
        said = called(stored, key, "find_leads", search={"filters": {"campaign_id": "m1"}})
        assert [item["email_normalized"] for item in said.structured_content["items"]] == [shown]
        assert called(stored, key, "explain_lead", asked="M1").structured_content["leads"][0]["lead_id"] == "M1"


def test_nothing_is_told_without_a_key_and_nothing_bought_without_the_scope(stored: Service) -> None:
    assert httpx2.post(f"{stored.url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).status_code == 401
    refused = called(stored, "read", "enrich_lead", lead_id="M1", max_usd=1)
    assert refused.is_error
    assert "'write'" in refused.content[0].text
    assert called(stored, "read", "estimate_cost", lead_id="nobody").is_error


@pytest.mark.slow
def test_an_estimate_is_what_enriching_then_costs_at_most_and_the_budget_of_the_key_binds(stored: Service) -> None:
    estimated = called(stored, "read", "estimate_cost", lead_id="M1").structured_content
    assert estimated["usd"] > 0
    with opened_ledger(stored.settings) as ledger:
        poor = ledger.keys.create("poor", ["read", "write"], budget_micros=1)[1]
        before = ledger.last_call()
        said = called(stored, poor, "enrich_lead", lead_id="M1", max_usd=10).structured_content
        assert "over_budget" in said["enrichment"]["miss_reasons"].values()
        rich = ledger.keys.create("rich", ["read", "write"])[1]
        said = called(stored, rich, "enrich_lead", lead_id="M1", max_usd=10).structured_content
        assert said["enrichment"]["routing"]["owner"]
        assert ledger.last_call() > before
    assert called(stored, "read", "estimate_cost", lead_id="M1").structured_content["usd"] < estimated["usd"]


@pytest.mark.slow
def test_a_new_lead_is_stored_and_enriched(stored: Service) -> None:
    with opened_ledger(stored.settings) as ledger:
        writer = ledger.keys.create("writer", ["read", "write"])[1]
    lead = {"email": "grace@acmecapital.com", "full_name": "Grace Hopper", "title": "CTO"}
    said = called(stored, writer, "enrich_new_lead", lead=lead, max_usd=0)
    assert said.structured_content["raw"] == lead
    assert called(stored, writer, "enrich_new_lead", lead={"email": "no-address"}, max_usd=0).is_error
