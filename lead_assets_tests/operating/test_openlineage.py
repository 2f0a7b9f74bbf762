"""A lineage service is told of each run once, through dagster-openlineage and its client, and what it does not take is told again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from dagster import AssetSelection, DagsterInstance, build_sensor_context
from pydantic import SecretStr

from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.operating.openlineage import adapter_of, tell
from lead_assets.stores.opened import archive_of, warehouse_of


class Service(HTTPServer):
    """What a lineage service was told. `status` is its answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 201
        self.told: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        service = self.server
        assert isinstance(service, Service)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if service.status < 300:
            service.told.append(json.loads(body))
            service.keys.add(self.headers["Authorization"])
        self.send_response(service.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as opened:
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        yield opened
        opened.shutdown()


@pytest.mark.slow
def test_a_service_is_told_of_a_run_once_with_its_tables_columns_and_checks(settings: Settings, service: Service) -> None:
    address = f"http://127.0.0.1:{service.server_port}"
    lead = {"email": "jane@firm.example", "company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
    ingest(archive_of(settings), json.dumps(lead).encode(), name="d.ndjson", received_at=datetime.now(UTC), campaign="fair")
    settings = settings.model_copy(update={"openlineage_url": address, "openlineage_api_key": SecretStr("k-1")})
    definitions = build_defs(settings)
    assert "openlineage_sensor" in {each.name for each in definitions.sensors or ()}
    assert "openlineage_sensor" not in {each.name for each in build_defs(Settings(home=settings.home)).sensors or ()}

    def tick(cursor: str | None) -> tuple[str, str | None]:
        resources = dict(definitions.resources or {})
        with build_sensor_context(instance, cursor=cursor, definitions=definitions, resources=resources) as context:
            done = definitions.get_sensor_def("openlineage_sensor").evaluate_tick(context)
        return str(done.skip_message), done.cursor

    with DagsterInstance.ephemeral() as instance:
        said, cursor = tick(None)
        assert said == "0 runs told"
        runs.add_campaigns(instance, ["fair"])
        chosen = sorted(AssetSelection.groups("intake", "identity").resolve(definitions.resolve_asset_graph()))
        chosen = [key for key in chosen if key.path[-1] in {"raw_leads", "rejected_payloads", "leads", "duplicates", "suppressed"}]
        (ran,) = runs.run_campaigns(definitions, instance, ["fair"], assets=chosen)
        assert ran.success
        service.status = 503
        said, cursor = tick(cursor)
        assert said.startswith("0 runs told; then the service of OPENLINEAGE_URL did not take run")
        assert service.told == []
        service.status = 201
        said, cursor = tick(cursor)
        assert said == "1 runs told"
        told = list(service.told)
        assert tick(cursor)[0] == "0 runs told"
        assert service.told == told
    assert service.keys == {"Bearer k-1"}
    assert {event["run"]["runId"] for event in told} == {ran.run_id}
    assert {event["job"]["namespace"] for event in told} == {"lead_assets"}
    assert [(event["eventType"], event["job"]["name"]) for event in (told[0], told[-1])] == [
        ("START", "lead_pipeline"),
        ("COMPLETE", "lead_pipeline"),
    ]
    (made,) = [event for event in told if event["job"]["name"] == "identity/leads"]
    assert [each["name"] for each in made["inputs"]] == ["intake/raw_leads"]
    (output,) = made["outputs"]
    fields = {field["name"]: field["type"] for field in output["facets"]["schema"]["fields"]}
    assert (output["name"], fields["email"]) == ("identity/leads", "VARCHAR")
    sources = output["facets"]["columnLineage"]["fields"]["email"]["inputFields"]
    assert [(each["name"], each["field"]) for each in sources] == [("intake/raw_leads", "email")]
    (judged,) = [event for event in told if event["job"]["name"] == "intake/raw_leads__checks"]
    assertions = judged["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {each["assertion"]: each["success"] for each in assertions}["conserves"] is True
    assert "jane" not in json.dumps(told).lower()


def test_a_run_that_failed_is_told_with_what_it_did_not_make(settings: Settings, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings.model_copy(update={"openlineage_url": f"http://127.0.0.1:{service.server_port}"})

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(WarehouseIOManager, "handle_output", broken)
    definitions = build_defs(settings)
    with DagsterInstance.ephemeral() as instance:
        runs.add_campaigns(instance, ["fair"])
        chosen = [
            key
            for key in definitions.resolve_asset_graph().get_all_asset_keys()
            if key.path in (["intake", "raw_leads"], ["intake", "rejected_payloads"])
        ]
        (ran,) = runs.run_campaigns(definitions, instance, ["fair"], assets=chosen)
        assert not ran.success
        earlier = datetime.now(UTC) - timedelta(minutes=5)
        start = tell(instance, adapter_of(settings), warehouse_of(settings), None, earlier)
        assert start.runs == [ran.run_id]
    failed = {event["job"]["name"] for event in service.told if event["eventType"] == "FAIL"}
    assert failed >= {"lead_pipeline", "intake/raw_leads"}
