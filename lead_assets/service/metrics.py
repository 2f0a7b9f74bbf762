"""What `/metrics` says, in Prometheus' text format. No label has a value that a caller chooses, or a stranger could make millions of series."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from lead_assets.service.receiving import SafeBody

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.3, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lead_assets_requests", "Requests by route and status", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "lead_assets_request_seconds", "Time until the answer", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self._leads = Counter("lead_assets_received_leads", "Leads received", registry=self._registry)
        self._rejected = Counter("lead_assets_received_rejects", "Payloads received that are no leads", registry=self._registry)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._repeated = Counter("lead_assets_repeated_events", "Events that were received earlier", registry=self._registry)

    def asked(self, method: str, route: str, status: int, seconds: float) -> None:
        child = self._children.get((method, route, status))
        if child is None:
            child = self._children[method, route, status] = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
        child[0].inc()
        child[1].observe(seconds)

    def received(self, taken: SafeBody) -> None:
        if taken.earlier:
            self._repeated.inc()
        else:
            self._leads.inc(taken.leads)
            self._rejected.inc(taken.rejected)

    def totals(self) -> dict[str, float]:
        """What was received since the start: leads, payloads that are none, events that were received earlier."""
        names = ("lead_assets_received_leads", "lead_assets_received_rejects", "lead_assets_repeated_events")
        return {name: self._registry.get_sample_value(f"{name}_total") or 0.0 for name in names}

    def text(self) -> bytes:
        return generate_latest(self._registry)
