"""OpenTelemetry: a span per request, and the figures of `/metrics`, sent where OTEL_EXPORTER_OTLP_ENDPOINT says (with OpenTelemetry's other variables, such
as OTEL_SERVICE_NAME or OTEL_METRIC_EXPORT_INTERVAL). The endpoint for traces or for metrics alone sends only those.

Not configured, nothing is imported, traced or sent. A span has the route, never the query string or a header, where an address or a key could be.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from lead_assets.service.metrics import Metrics

_WHERE = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES, _METRICS = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
_WITH_QUERY = ("http.url", "http.target", "url.full", "url.query")


def trace(app: FastAPI) -> None:
    """Trace and count the application's requests, if OpenTelemetry is configured. Raises ModuleNotFoundError if its packages are missing then."""
    traces, metrics = (any(os.environ.get(name) for name in (_WHERE, own)) for own in (_TRACES, _METRICS))
    if not (traces or metrics):
        return
    try:
        from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.trace import NoOpTracerProvider

        about = {"service.name": "lead-assets", "service.version": version("lead-assets")}
        resource = Resource.create(about)
        app.state.telemetry = [_tracers(resource) if traces else None, _meters(resource, app.state.metrics) if metrics else None]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{_WHERE} is set, but {error.name} is not installed: pip install 'lead-assets[telemetry]', or unset it", name=error.name
        ) from None
    tracers, meters = app.state.telemetry
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=tracers or NoOpTracerProvider(),
        meter_provider=meters or NoOpMeterProvider(),
        server_request_hook=_without_query,
        exclude_spans=["receive", "send"],
    )


def flush(app: FastAPI) -> None:
    """Send what was not sent yet."""
    for provider in getattr(app.state, "telemetry", ()):
        if provider is not None:
            provider.shutdown()


def _tracers(resource: Resource) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _meters(resource: Resource, metrics: Metrics) -> MeterProvider:
    """Requests and their time are counted by the instrumentation, what was received as `/metrics` has it."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource)
    meter = provider.get_meter("lead_assets")

    def observed(name: str) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _: [Observation(metrics.totals()[name])]

    for name in metrics.totals():
        meter.create_observable_counter(name, [observed(name)])
    return provider


def _without_query(span: Any, scope: dict[str, Any]) -> None:
    if span is not None and span.is_recording():
        for name in _WITH_QUERY:
            with contextlib.suppress(Exception):
                if name in span.attributes:
                    span.set_attribute(name, "" if name == "url.query" else scope["path"])
