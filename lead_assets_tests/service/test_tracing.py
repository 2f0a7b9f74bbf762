"""Spans and figures of requests, sent to a collector on loopback where one is configured."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from lead_assets.core.settings import Settings
from lead_assets_tests.service.conftest import serving


@pytest.mark.slow
def test_a_request_is_a_span_with_its_route_and_counted_with_nothing_of_its_query(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    collector = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    started = serving(settings)
    service = next(started)
    reader = service.client("read")
    assert reader.get("/api/v1/leads", params={"company_domain": "of-nobody-else.example"}).status_code == 200
    assert httpx.get(f"{service.url}/health").status_code == 200
    assert service.client("webhook").post("/webhooks/lead", json={"email": "ada@acme.example"}).status_code == 202
    next(started, None)
    collector.shutdown()
    sent = b"".join(body for _, body in received)
    spans, figures = (b"".join(body for path, body in received if path == f"/v1/{kind}") for kind in ("traces", "metrics"))
    assert b"/api/v1/leads" in spans
    assert b"/webhooks/{source}" in spans
    assert b"lead_assets_received_leads" in figures
    assert b"http.server" in figures
    assert b"ada@acme" not in sent
    assert b"lead-assets" in sent
    assert b"of-nobody-else" not in sent
    assert service.keys["read"].encode() not in sent
