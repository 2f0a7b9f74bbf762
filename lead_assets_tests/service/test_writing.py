"""Leads created, updated, imported, exported and erased over HTTP."""

from __future__ import annotations

import io
import time

import polars as pl
import pytest

from lead_assets.contracts import Lead
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service, landed


@pytest.fixture(scope="module")
def stored(service: Service) -> Service:
    """Three leads in the warehouse, one with a company that is a formula."""
    found = [
        {
            "campaign_id": "c1",
            "lead_id": f"L{n}",
            "email": f"p{n}@acmecapital.com",
            "email_normalized": f"p{n}@acmecapital.com",
            "company": "=HYPERLINK(1)" if n == 2 else f"Acme {n}",
        }
        for n in range(3)
    ]
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, found), ["c1"])
    return service


def test_created_leads_are_a_drop_whose_state_can_be_asked(stored: Service) -> None:
    writer, reader = stored.client("write"), stored.client("read")
    answer = writer.post("/api/v1/leads?campaign=c9", json={"email": "new@acmecapital.com", "full_name": "Nina New"})
    said = answer.json()
    assert (answer.status_code, said["leads"], said["status_url"]) == (202, 1, f"/admin/leads/{said['lead_id']}")
    states = set()
    for _ in range(400):
        states.add(reader.get(f"/admin/drops/{said['drop_id']}").json()["state"])
        if "landed" in states:
            break
        time.sleep(0.02)
    assert "landed" in states
    assert states <= {"receiving", "landed"}
    assert any(said["drop_id"] in path.name and path.parent.name == "c9" for path in landed(stored.settings))
    assert reader.get("/admin/drops/20260101T000000-000000000000").status_code == 404
    assert reader.get("/admin/drops/..%2F..%2Fetc").status_code == 404
    assert reader.post("/api/v1/leads", json={"email": "new@acmecapital.com"}).status_code == 403


def test_a_table_is_imported(stored: Service) -> None:
    text = "email,full_name\nx1@acmecapital.com,Xi One\nx2@acmecapital.com,Xi Two\n"
    answer = stored.client("write").post("/api/v1/leads/import", content=text, headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()["leads"]) == (202, 2)
    assert stored.client("write").post("/api/v1/leads/import", content=b"x", headers={"Content-Type": "image/png"}).status_code == 415


def test_an_update_is_a_drop_with_the_leads_id(stored: Service) -> None:
    writer = stored.client("write")
    answer = writer.put("/api/v1/leads/L1", json={"title": "CFO"})
    assert (answer.status_code, answer.json()["lead_id"]) == (202, "L1"), answer.text
    assert writer.put("/api/v1/leads/nobody", json={"title": "CFO"}).status_code == 404
    assert writer.put("/api/v1/leads/L1", json=["CFO"]).status_code == 422


@pytest.mark.parametrize("file_format", ["csv", "json", "xlsx", "parquet"])
def test_an_export_has_every_lead_and_runs_no_formula(stored: Service, file_format: str) -> None:
    answer = stored.client("read-pii").get("/api/v1/leads/export", params={"format": file_format, "campaign_id": "c1"})
    assert answer.status_code == 200
    readers = {"csv": pl.read_csv, "json": pl.read_json, "parquet": pl.read_parquet}
    if file_format == "xlsx":
        assert answer.content.startswith(b"PK")
        return
    frame = readers[file_format](io.BytesIO(answer.content))
    assert frame["lead_id"].to_list() == ["L0", "L1", "L2"]
    assert frame["company"][2] == ("'=HYPERLINK(1)" if file_format == "csv" else "=HYPERLINK(1)")
    assert frame["email_normalized"][0] == "p0@acmecapital.com"


def test_an_export_in_parts_is_the_export_and_is_masked(stored: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = stored.client("read")
    for file_format in ("csv", "json"):
        query = {"format": file_format, "campaign_id": "c1"}
        whole = reader.get("/api/v1/leads/export", params=query).content
        assert b"p0@" not in whole
        for size in (1, 2, 3):
            with monkeypatch.context() as patch:
                patch.setattr("lead_assets.service.exporting._AT_ONCE", size)
                assert reader.get("/api/v1/leads/export", params=query).content == whole
        nothing = reader.get("/api/v1/leads/export", params=query | {"campaign_id": "none"})
        assert nothing.text.strip().count("\n") == 0


def test_deleting_a_lead_erases_its_person(stored: Service) -> None:
    admin = stored.client("admin")
    assert stored.client("write").delete("/api/v1/leads/L0").status_code == 403
    answer = admin.delete("/api/v1/leads/L0")
    assert (answer.status_code, answer.json()["proof"]["places_left"]) == (200, 0), answer.text
    assert "p0@" not in answer.text
    assert "p0@" not in admin.get("/api/v1/leads/L0").text
    assert admin.delete("/api/v1/leads/nobody").status_code == 404
    assert admin.post("/enrich", json={"email": "p0@acmecapital.com"}).status_code == 409
