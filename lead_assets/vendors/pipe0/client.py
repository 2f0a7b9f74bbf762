"""pipe0 over HTTP: pipes in, records of fields out.

Belongs here: pipe0's wire format, status codes and task errors. Does not belong here: which pipes make a signal and what their
fields mean (see `lead_assets.signals`), caches, budgets and retries (see `lead_assets.ledger.buying`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from lead_assets.core.errors import ProviderError
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, VendorHttp, json_object, meaning, problem, retry_after

MAX_RECORDS = 100
"""Most records per request, sync and async alike."""

_DEADLINE_SECONDS = 200.0
"""Timeout per request. Long, because a run whose id does not arrive can never be fetched, but may be billed."""

_NOT_FINISHED = frozenset({"pending", "processing"})

# Task errors that say "this request can never succeed" (see pipe0's validation messages).
_INVALID_REQUEST = frozenset(
    {
        "RequirementUnmet",
        "InvalidValue",
        "TypeMismatch",
        "ValidationFailed",
        "MissingIdInInput",
        "IDConflict",
        "UnknownResolver",
        "DuplicatePipeOutput",
        "AmbiguousDependency",
        "CircularDependency",
        "InputDataTypeMismatch",
        "ConditionTargetFieldNotFound",
        "MissingCustomConnections",
    }
)


class _Wire(BaseModel):
    # Lenient, because the vendor may add keys at any time. Input is hidden because a validation error would print personal data.
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Reason(_Wire):
    """Why a field has no value."""

    code: str | None = None


class PipeField(_Wire):
    """One field of one record. Status: completed, no_result, failed, skipped, or pending, queued, processing while the run is in progress."""

    value: Any = None
    status: str
    reason: Reason | None = None
    widgets: dict[str, Any] | None = None
    claimed_by: dict[str, Any] | None = None
    resolved_by: dict[str, Any] | None = None

    @property
    def pipe(self) -> str | None:
        """The pipe that claimed the field; None if the answer does not say."""
        return (self.claimed_by or {}).get("ref")

    @property
    def is_input(self) -> bool:
        return self.pipe == "input" or (self.resolved_by or {}).get("ref") == "input"


class Record(_Wire):
    fields: dict[str, PipeField]


class TaskError(_Wire):
    code: str | None = None


class PipesResponse(_Wire):
    """A run: its id and status, and the records by input id (as text)."""

    id: str
    status: str
    records: dict[str, Record] = Field(default_factory=dict)
    errors: list[TaskError] = Field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.status not in _NOT_FINISHED


@dataclass(frozen=True)
class Pace:
    """pipe0 does not refuse requests that come too fast; it queues them and says so. `priority` 1 is best; capacities are records admitted per priority."""

    priority: int | None = None
    p1_capacity: int | None = None
    p2_capacity: int | None = None
    p3_capacity: int | None = None

    @property
    def must_stop(self) -> bool:
        """True if pipe0 says to stop and wait."""
        return self.p2_capacity == 0

    @property
    def should_slow_down(self) -> bool:
        """True if runs no longer get the best priority."""
        return self.priority is not None and self.priority > 1


@dataclass(frozen=True)
class PipesRun:
    """The result of one request: the run, and how soon the next may follow."""

    response: PipesResponse
    pace: Pace


class RunFailed(ProviderError):
    """The run has ended without an answer."""


class Pipe0(VendorClient):
    """pipe0's API; use with `async with`. Environment "sandbox" is pipe0's own mock data: free, but not facts."""

    def __init__(
        self,
        base_url: str,
        key: SecretStr,
        *,
        environment: Literal["production", "sandbox"] = "production",
        connections: int = 4,
        deadline: float = _DEADLINE_SECONDS,
    ) -> None:
        self._environment = environment
        super().__init__(
            VendorHttp(
                "pipe0",
                base_url,
                {"authorization": f"Bearer {key.get_secret_value()}"},
                connections=connections,
                deadline=deadline,
            )
        )

    async def run(self, pipes: Sequence[Mapping[str, Any]], records: Sequence[Mapping[str, Any]]) -> PipesRun:
        """Starts a run of `pipes` ({"pipe_id", "config"?}) on at most 100 `records` ({"id", fields…}). Answers at once with the run's id, usually long
        before the run ends: `check` that id, and never submit the run again.

        Raises ProviderError. After a 408, its `vendor_ref` is the id of the run, which continues.
        """
        operation = _operation(pipes)
        if not 0 < len(records) <= MAX_RECORDS:
            raise ValueError(f"pipe0 takes 1 to {MAX_RECORDS} records per request, not {len(records)}")
        payload = {
            "config": {"environment": self._environment, "widgets": {"enabled": False}, "field_definitions": {"enabled": False}},
            "pipes": list(pipes),
            "input": list(records),
        }
        answer = await self._http.request(operation, "POST", "/v1/pipes/run", json=payload)
        return self._read(operation, answer)

    async def check(self, run_id: str, operation: str = "check") -> PipesRun:
        """The state of a run, finished or not. pipe0 keeps runs for 21 days.

        Raises ProviderError: `RunFailed` if the run ended without an answer; any other carries the run's id as `vendor_ref`.
        """
        if not run_id.replace("-", "").replace("_", "").isalnum():
            raise ProviderError("pipe0", operation, "permanent", "provider_error", vendor_ref=run_id)
        try:
            return self._read(operation, await self._http.request(operation, "GET", f"/v1/pipes/check/{run_id}"))
        except RunFailed:
            raise
        except ProviderError as error:
            # A failure to ask says nothing about the run, which continues.
            error.vendor_ref = run_id
            raise

    def _read(self, operation: str, answer: HttpAnswer) -> PipesRun:
        if answer.status >= 300:
            raise _failure(operation, answer)
        body = json_object("pipe0", operation, answer)
        if body.get("status") in _NOT_FINISHED:
            body.pop("records", None)  # a hundred records without values yet: parsing them would be half the work of a run
        try:
            response = PipesResponse.model_validate(body)
        except ValidationError:
            raise ProviderError("pipe0", operation, "contract", "bad_answer", status=answer.status) from None
        if response.errors or response.status in ("failed", "canceled"):
            raise _task_failure(operation, answer, response)
        return PipesRun(response, _pace(answer))


def _operation(pipes: Sequence[Mapping[str, Any]]) -> str:
    return "+".join(str(pipe["pipe_id"]) for pipe in pipes)


_KINDS: Kinds = {
    401: ("auth", "auth"),
    402: ("quota", "quota"),
    403: ("auth", "auth"),
    408: ("transient", "timeout"),
    409: ("transient", "provider_error"),
    425: ("transient", "provider_error"),
    429: ("rate_limited", "rate_limited"),
    451: ("suppressed", "suppressed"),
}


def _failure(operation: str, answer: HttpAnswer) -> ProviderError:
    body = problem(answer)
    kind, reason = meaning(answer, _KINDS)
    if _codes(body) & {"CreditBalanceInsufficient"}:
        kind, reason = "quota", "quota"
    elif answer.status == 400 and not body:
        # pipe0 reports problems with a request as JSON. Anything else comes from something in front of pipe0 and says nothing about the request.
        kind, reason = "contract", "bad_answer"
    return ProviderError(
        "pipe0",
        operation,
        kind,
        reason,
        status=answer.status,
        retry_after=retry_after(answer),
        vendor_ref=_run_id(body) if answer.status == 408 else None,
    )


def _task_failure(operation: str, answer: HttpAnswer, response: PipesResponse) -> RunFailed:
    """A 200 that contains an error: the whole task failed."""
    codes = {error.code for error in response.errors}
    if "CreditBalanceInsufficient" in codes:
        return RunFailed("pipe0", operation, "quota", "quota", status=answer.status)
    if codes & _INVALID_REQUEST:
        return RunFailed("pipe0", operation, "permanent", "provider_error", status=answer.status)
    return RunFailed("pipe0", operation, "transient", "provider_error", status=answer.status)


def _codes(body: Mapping[str, Any]) -> set[str]:
    errors = body.get("errors")
    listed = [error.get("code") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return {code for code in (*listed, body.get("code"), body.get("type")) if isinstance(code, str)}


def _run_id(body: Mapping[str, Any]) -> str | None:
    """The run's id from a 408. The documentation says "in the error detail" but not under which key, so every likely key is tried."""
    places: list[Any] = [body, body.get("detail"), body.get("error"), body.get("details")]
    errors = body.get("errors")
    places += errors if isinstance(errors, list) else []
    for place in places:
        if not isinstance(place, dict):
            continue
        for key in ("run_id", "runId", "task_id", "id"):
            if isinstance(place.get(key), str) and place[key]:
                return str(place[key])
    return _run_id_in_text(body)


def _run_id_in_text(body: Mapping[str, Any]) -> str | None:
    for key in ("detail", "message", "title"):
        text = body.get(key)
        found = re.search(r"\bid\b(?:\s+is)?[\s:=\"'`(]*([A-Za-z0-9_-]{8,})", text, re.IGNORECASE) if isinstance(text, str) else None
        if found:
            return found.group(1)
    return None


def _pace(answer: HttpAnswer) -> Pace:
    def number(name: str) -> int | None:
        text = answer.headers.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else None

    return Pace(number("x-task-priority"), number("x-p1-capacity"), number("x-p2-capacity"), number("x-p3-capacity"))
