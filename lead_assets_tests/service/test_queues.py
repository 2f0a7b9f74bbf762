"""What waits for somebody, doing it again once, and the jobs that make the tables again."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lead_assets.cli.runs import instance_of
from lead_assets.contracts import Lead, Quarantined
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.conftest import Command
from lead_assets_tests.model.test_replay import break_the_model
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service, serving


def test_queues_are_told_by_pages_and_masked(service: Service) -> None:
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    bad = [{"campaign_id": "q1", "lead_id": f"Q{n}", "code": "placeholder", "raw_text": "Dear Ada"} for n in range(3)]
    warehouse.write(Quarantined, rows(Quarantined, bad), ["q1"])
    reader, insider = service.client("read"), service.client("read-pii")
    first = reader.get("/admin/quarantine", params={"limit": 2}).json()
    assert ([row["lead_id"] for row in first["items"]], first["next_page"]) == (["Q0", "Q1"], 2)
    assert "Dear Ada" not in json.dumps(first)
    rest = insider.get("/admin/quarantine", params={"limit": 2, "page": 2}).json()
    assert ([row["raw_text"] for row in rest["items"]], rest["next_page"]) == (["Dear Ada"], None)
    assert reader.get("/admin/dead-letters").json() == {"items": [], "next_page": None}
    assert reader.get("/admin/rejects").status_code == 200


def test_doing_again_needs_admin_and_campaigns_that_exist(service: Service) -> None:
    writer, admin = service.client("write"), service.client("admin")
    for queue in ("rejects", "quarantine", "dead-letters"):
        assert writer.post(f"/admin/{queue}/replay", json={}).status_code == 403
        answer = admin.post(f"/admin/{queue}/replay", json={"campaigns": ["nobody-knows"]})
        assert (answer.status_code, "nobody-knows" in answer.json()["detail"]) == (404, True)
        assert admin.post(f"/admin/{queue}/replay", json={"campaigns": ["--all"]}).status_code == 422
    assert admin.post("/admin/dead-letters/replay", json={}).json() == {"replayed": 0}
    assert admin.post("/admin/retry/nobody").status_code == 404
    assert admin.get("/api/v1/jobs/..%2f..%2fetc").status_code == 404
    assert admin.get("/api/v1/jobs/0123456789abcdef0123456789abcdef").status_code == 404


def test_a_lead_of_which_nothing_failed_is_left_alone(service: Service) -> None:
    warehouse_of(service.settings).write(Lead, rows(Lead, [{"campaign_id": "q2", "lead_id": "fine"}]), ["q2"])
    said = service.client("admin").post("/admin/retry/fine").json()
    assert (said["status"], said["dead_letters"], said["quarantined"], said["signals"]) == ("nothing_failed", 0, 0, {})


@pytest.fixture
def made(settings: Settings, command: Command, tmp_path: Path, sandbox: Handle) -> Iterator[Service]:
    """A campaign that was run while the model broke its contract, served with Dagster's runs."""
    drop = tmp_path / "leads.ndjson"
    leads = [{"lead_id": f"R-{n}", "email": f"r{n}@retry{n}capital.com", "full_name": "Rea Retry", "notes": "two weeks"} for n in range(2)]
    drop.write_text("".join(json.dumps(lead) + "\n" for lead in leads))
    command("ingest", str(drop), "--campaign", "retried", "--json").answer()
    break_the_model(sandbox)
    try:
        command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    finally:
        sandbox.clear_faults()
    with contextlib.closing(serving(settings, instance=lambda: instance_of(settings))) as started:
        yield next(started)


def _ended(client: Any, job: dict[str, Any]) -> dict[str, Any]:
    until = time.monotonic() + 120
    while (told := client.get(job["status_url"]).json())["status"] in ("pending", "running"):
        assert time.monotonic() < until
        time.sleep(0.3)
    return dict(told)


@pytest.mark.slow
def test_a_quarantined_lead_is_retried_once_and_its_campaign_made_again(made: Service) -> None:
    admin = made.client("admin")
    assert admin.get("/admin/leads/R-0").json()["leads"][0]["lead_id"] == "R-0"
    assert {row["lead_id"] for row in admin.get("/admin/quarantine").json()["items"]} == {"R-0", "R-1"}
    said = admin.post("/admin/retry/R-0").json()
    assert (said["status"], said["quarantined"], said["accepted"]) == ("retried", 1, 1)
    told = _ended(admin, said)
    assert (told["status"], told["error"]) == ("completed", None), told
    assert told["run_ids"]
    assert {(run["job_id"], run["status"]) for run in told["runs"]} == {(run, "completed") for run in told["run_ids"]}
    listed = admin.get("/api/v1/jobs", params={"limit": 50}).json()["items"]
    assert set(told["run_ids"]) <= {job["job_id"] for job in listed}
    one = admin.get(f"/api/v1/jobs/{told['run_ids'][0]}").json()
    assert (one["status"], one["results"]["steps_failed"]) == ("completed", 0)
    assert {row["lead_id"] for row in admin.get("/admin/quarantine").json()["items"]} == {"R-1"}
    with opened_ledger(made.settings) as ledger:
        before = ledger.last_call()
        assert admin.post("/admin/retry/R-0").json()["status"] == "nothing_failed"
        assert ledger.last_call() == before
    # The other one by its queue.
    job = admin.post("/admin/quarantine/replay", json={"campaigns": ["retried"]})
    assert job.status_code == 202
    assert _ended(admin, job.json())["results"]["accepted"] == 1
    assert admin.get("/admin/quarantine").json()["items"] == []
