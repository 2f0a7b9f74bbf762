"""What the vendors would have billed, and the requests they saw. A single event loop writes it, so it is exact without locks."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

NANOS = 1_000_000_000
"""Dollars are counted as whole nano-dollars: a token costs less than a micro-dollar."""
_KEPT_REQUESTS = 100_000
_KEPT_BODIES = 300


@dataclass
class MeterEntry:
    """One operation of one service."""

    requests: int = 0
    """HTTP requests received, including refused ones."""
    billed: int = 0
    """Billable units charged: one per subject and purchase."""
    nanos: int = 0
    subjects: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class SeenRequest:
    """One request as it arrived."""

    at: float
    operations: tuple[str, ...]
    method: str
    path: str
    query: str = ""
    status: int | None = None
    body: bytes | None = None


class Meter:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._entries: dict[str, dict[str, MeterEntry]] = {}
        self._seen: dict[str, deque[SeenRequest]] = {}

    def received(self, service: str, operations: tuple[str, ...], method: str, path: str, body: bytes, query: str = "") -> SeenRequest:
        for operation in operations:
            self._entry(service, operation).requests += 1
        log = self._seen.setdefault(service, deque(maxlen=_KEPT_REQUESTS))
        if len(log) >= _KEPT_BODIES:
            log[-_KEPT_BODIES].body = None
        log.append(SeenRequest(time.time(), operations, method, path, query, body=body))
        return log[-1]

    def charge(self, service: str, operation: str, subject: str, nanos: int) -> None:
        """One unit of `operation` was sold for `subject`."""
        entry = self._entry(service, operation)
        entry.billed += 1
        entry.nanos += nanos
        entry.subjects[subject] += 1

    def delivered(self, service: str, operation: str, subject: str) -> None:
        """Something arrived that is not paid per unit, such as a message: it shows among the subjects, but never as billed."""
        self._entry(service, operation).subjects[subject] += 1

    def rate_limited(self, service: str) -> None:
        self._entry(service, "_rate_limited").requests += 1

    def report(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {
            service: {
                operation: {"requests": entry.requests, "billed": entry.billed, "usd": entry.nanos / NANOS}
                for operation, entry in operations.items()
            }
            for service, operations in self._entries.items()
        }

    def subjects(self, service: str) -> dict[str, dict[str, int]]:
        return {operation: dict(entry.subjects) for operation, entry in self._entries.get(service, {}).items()}

    def requests(self, service: str) -> list[dict[str, Any]]:
        return [
            {
                "at": seen.at,
                "operations": list(seen.operations),
                "method": seen.method,
                "path": seen.path,
                "query": seen.query,
                "status": seen.status,
                "body": None if seen.body is None else seen.body.decode("utf-8", "replace"),
            }
            for seen in self._seen.get(service, ())
        ]

    def _entry(self, service: str, operation: str) -> MeterEntry:
        return self._entries.setdefault(service, {}).setdefault(operation, MeterEntry())
