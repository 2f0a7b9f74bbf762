"""Faults on demand: what a fault is, which requests it affects, and a real rate limiter.

Belongs here: declaring faults and choosing among them. Does not belong here: their effect on an answer (`service`), or a vendor's wording
(the vendor's module).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

ServiceName = Literal[
    "pipe0", "anthropic", "aturiya", "apollo", "hunter", "hubspot", "slack", "segment", "sendgrid", "salesforce", "webhook"
]

Refusal = Literal[
    "status",  # `status` with `body` and `headers`, or in the vendor's own error form
    "html",  # a proxy's error page with status `status` (200 by default)
    "empty",  # `status` (200) without a body
    "huge_body",  # 200 with `size` bytes of valid JSON (50 MB by default)
    "drop_before",  # the connection is cut before the request is processed
    "stall",  # no answer until the client hangs up
]
"""Faults that replace the answer: the request is not processed and nothing is billed (unless `billed` is set)."""
Spoiling = Literal[
    "malformed_json",  # the answer with its syntax broken
    "truncated_json",  # the first half of the answer, with a matching content-length
    "drop_after",  # the connection is cut after the work was done and billed
    "drop_midway",  # the connection is cut after half of the body
]
"""Faults that spoil the answer: the request is processed and billed, but its answer is lost or broken on the way back."""
Pacing = Literal[
    "latency",  # every answer comes `latency_ms` later; other requests are not held up
    "rate_limit",  # at most `rate` requests per second; more get the vendor's own answer to "too fast"
]
Special = Literal[
    "no_result",  # pipe0: matching records have no result
    "skipped",  # pipe0: matching records are skipped
    "failed",  # pipe0: matching records' fields fail
    "task_failed",  # pipe0: the whole run fails for want of credits
    "run_delay",  # pipe0: a run takes `latency_ms`, whether its request waits for the end or not
    "sync_timeout",  # pipe0: 408 with the run id for the starting request; the run continues and ends after `latency_ms`
    "capacity",  # pipe0: at most `rate` records per minute at priority 1, ten times as many at priority 2
    "batch_delay",  # anthropic: a new batch ends after `latency_ms`
    "batch_errored",  # anthropic: matching batch entries end as errored
    "batch_expired",  # anthropic: matching batch entries end as expired
    "pending",  # hunter: 202, ask again
    "item_error",  # hubspot: matching inputs fail (207); sendgrid: matching contacts fail in the import; salesforce: matching records fail
    "ok_false",  # slack: 200 with ok false; `body` is the name of the error
    "dropped_events",  # segment: 200, but matching events are discarded
]
"""Faults specific to one vendor."""
FaultKind = Literal[Refusal, Spoiling, Pacing, Special]
REFUSALS: frozenset[str] = frozenset(get_args(Refusal))
SPOILINGS: frozenset[str] = frozenset(get_args(Spoiling))


class InjectedFault(BaseModel):
    """One way for a service to misbehave, as accepted by `POST /_faults`."""

    model_config = ConfigDict(extra="forbid")

    service: ServiceName
    kind: FaultKind
    operation: str | None = None
    """Only requests for this operation, named as in the meter."""
    match: str | None = None
    """Only requests whose URL or body contains this text; for faults of single records, only records whose subject contains it."""
    status: int | None = None
    headers: dict[str, str] = {}
    body: Any = None
    """Sent unchanged if it is text, otherwise as JSON."""
    latency_ms: int = 0
    size: int = Field(50_000_000, ge=1)
    times: int | None = Field(None, ge=1)
    """How often it strikes before it is used up; null means forever."""
    skip: int = Field(0, ge=0)
    """How many matching requests pass first."""
    probability: float = Field(1.0, ge=0, le=1)
    seed: int = 0
    rate: float | None = Field(None, gt=0)
    """Requests per second (rate_limit), records per minute (capacity)."""
    window: float = Field(1.0, gt=0)
    """Length in seconds of the rate limit's fixed window, which starts with its first request: `rate * window` requests fit in."""
    billed: bool | None = None
    """Whether the request is processed and billed although its answer is replaced."""

    _left: int | None = PrivateAttr(None)
    _skip: int = PrivateAttr(0)
    _random: random.Random = PrivateAttr()
    _window_opened: float = PrivateAttr(-math.inf)
    _in_window: int = PrivateAttr(0)

    @model_validator(mode="after")
    def _complete(self) -> InjectedFault:
        if self.kind in ("rate_limit", "capacity") and self.rate is None:
            raise ValueError(f"a fault of kind {self.kind} needs `rate`")
        if self.kind == "status" and self.status is None:
            raise ValueError("a fault of kind status needs `status`")
        return self

    def model_post_init(self, context: Any, /) -> None:
        self._left, self._skip = self.times, self.skip
        self._random = random.Random(self.seed)  # noqa: S311 - chance, not secrecy

    @property
    def spent(self) -> bool:
        return self._left == 0

    def concerns(self, service: str, operations: Iterable[str], *texts: str) -> bool:
        if self.service != service or self.spent or (self.operation is not None and self.operation not in operations):
            return False
        return self.match is None or any(self.match in text for text in texts)

    def strikes(self) -> bool:
        """Whether it strikes this time; counts it if so."""
        if self._skip:
            self._skip -= 1
            return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        if self._left is not None:
            self._left -= 1
        return True

    def admit(self) -> tuple[bool, int, float]:
        """For a rate limit: whether one more request fits, how many are left after it, and the seconds until the window closes."""
        assert self.rate is not None
        now, capacity = time.monotonic(), max(1, int(self.rate * self.window))
        if now - self._window_opened >= self.window:
            self._window_opened, self._in_window = now, 0
        closes_in = self._window_opened + self.window - now
        if self._in_window >= capacity:
            return False, 0, closes_in
        self._in_window += 1
        return True, capacity - self._in_window, closes_in


class Faults:
    """The active faults."""

    def __init__(self) -> None:
        self._active: list[InjectedFault] = []

    def add(self, fault: InjectedFault) -> None:
        self._active.append(fault)

    def clear(self) -> None:
        self._active.clear()

    def listed(self) -> list[dict[str, Any]]:
        return [fault.model_dump(exclude_defaults=True) for fault in self._active if not fault.spent]

    def concerning(self, service: str, operations: tuple[str, ...], *texts: str) -> list[InjectedFault]:
        """The faults that may affect a request, in the order they were set."""
        if not self._active:
            return []
        return [fault for fault in self._active if fault.concerns(service, operations, *texts)]

    def any(self, service: str) -> bool:
        return any(fault.service == service for fault in self._active)

    def hit(self, service: str, kind: Special, operation: str, *texts: str) -> InjectedFault | None:
        """The first special fault that strikes this record or request."""
        for fault in self._active:
            if fault.kind == kind and fault.concerns(service, (operation,), *texts) and fault.strikes():
                return fault
        return None

    def setting(self, service: str, kind: FaultKind) -> InjectedFault | None:
        """The latest fault of a kind that is a setting rather than an event, e.g. pipe0's capacity."""
        return next((fault for fault in reversed(self._active) if fault.service == service and fault.kind == kind), None)
