"""The service keeps what its OpenAPI document says, by every check that schemathesis knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lead_assets.contracts import Lead
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.slow
def test_schemathesis_finds_nothing(service: Service, tmp_path: Path) -> None:
    """Few examples of each call. The long run, with coverage of every schema and chains of calls, is in docs/BENCHMARKS.md."""
    warehouse = warehouse_of(service.settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, [{"campaign_id": "c0", "lead_id": "0", "company": "Acme", "email": "ada@acme.example"}]), ["c0"])
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run", f"{service.url}/openapi.json"]
    command += ["-H", f"Authorization: Bearer {service.keys['admin']}", "--checks", "all", "--phases", "examples,fuzzing"]
    command += ["--max-examples", "4", "--seed", "1", "--continue-on-failure", "--no-color"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert ran.returncode == 0, ran.stdout[-20_000:]
    calls = sum(map(len, service.client("admin").get("/openapi.json").json()["paths"].values()))
    assert f"Tested: {calls}" in ran.stdout, "every call was tried"


def test_a_path_tells_all_its_methods(service: Service) -> None:
    client = service.client("admin")
    said = {path: client.request("OPTIONS", path).headers["allow"] for path in ("/api/v1/leads", "/api/v1/leads/x", "/api/v1/leads/export")}
    assert said == {"/api/v1/leads": "GET, POST", "/api/v1/leads/x": "DELETE, GET, PATCH, PUT", "/api/v1/leads/export": "GET"}
