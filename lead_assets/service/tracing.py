"""OpenTelemetry: a span per request, sent where OTEL_EXPORTER_OTLP_ENDPOINT says (with OpenTelemetry's other variables, such as OTEL_SERVICE_NAME).

Not configured, nothing is imported and nothing is traced. A span has the route, never the query string or a header, where an address or a key could be.
"""

from __future__ import annotations

import contextlib
import os
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

_WHERE = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_WITH_QUERY = ("http.url", "http.target", "url.full", "url.query")


def trace(app: FastAPI) -> None:
    """Trace the application's requests, if OpenTelemetry is configured. Raises ModuleNotFoundError if its packages are missing then."""
    if not any(os.environ.get(name) for name in _WHERE):
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{_WHERE[0]} is set, but {error.name} is not installed: pip install 'lead-assets[telemetry]', or unset it", name=error.name
        ) from None
    about = {"service.name": "lead-assets", "service.version": metadata.version("lead-assets")}
    provider = TracerProvider(resource=Resource.create(about))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, server_request_hook=_without_query, exclude_spans=["receive", "send"])
    app.state.traces = provider


def flush(app: FastAPI) -> None:
    """Send what was not sent yet."""
    if (provider := getattr(app.state, "traces", None)) is not None:
        provider.shutdown()


def _without_query(span: Any, scope: dict[str, Any]) -> None:
    if span is not None and span.is_recording():
        for name in _WITH_QUERY:
            with contextlib.suppress(Exception):
                if name in span.attributes:
                    span.set_attribute(name, "" if name == "url.query" else scope["path"])
