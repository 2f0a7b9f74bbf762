"""The generated clients are current, and the Python client works against a running service."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lead_assets.contracts import Lead
from lead_assets.core.settings import Settings
from lead_assets.service.app import build_app
from lead_assets.service.clients import files
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service

CLIENTS = Path(__file__).parent.parent.parent / "clients"


def test_the_clients_are_those_of_the_document_and_it_names_every_call_once(settings: Settings) -> None:
    document = build_app(settings).openapi()
    ids = [call["operationId"] for methods in document["paths"].values() for call in methods.values()]
    assert len(ids) == len(set(ids))
    for name, text in files(document).items():
        assert (CLIENTS / name).read_text(encoding="utf-8") == text, f"run `make clients`: {name} is not current"


@pytest.fixture(scope="module")
def client() -> ModuleType:
    found = importlib.util.spec_from_file_location("lead_assets_client", CLIENTS / "lead_assets_client.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_python_client_sends_reads_and_is_refused(service: Service, client: ModuleType) -> None:
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, [{"campaign_id": "p1", "lead_id": "a/b?c", "company": "Acme"}]), ["p1"])
    with client.LeadAssets(service.url, service.keys["admin"]) as leads:
        taken = leads.post_webhooks_source("lead", {"email": "ada@acme.example"}, campaign="c1")
        assert (taken["status"], taken["leads"]) == ("accepted", 1)
        table = leads.post_v1_leads_import(b"email\nx@acme.example\ny@acme.example\n", content_type="text/csv")
        assert table["leads"] == 2
        assert leads.get_v1_leads(campaign_id="p1")["items"][0]["lead_id"] == "a/b?c"
        assert leads.post_v1_leads_search({"filters": {"campaign_id": "p1"}})["total"] == 1
        assert leads.get_v1_leads_export(format="csv", campaign_id="p1").startswith(b"email,")
        with pytest.raises(client.Refused) as refused:
            leads.get_v1_leads_lead_id("nobody")
        assert refused.value.status == 404
