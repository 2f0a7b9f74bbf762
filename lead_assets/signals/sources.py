"""How each provider is asked for the subjects of one batch: wants in, replies out, one vendor request.

Belongs here: building a vendor's request from subjects, and reading off its answer what was found, what was not, and what was charged. Does not
belong here: the vendor's HTTP (see `lead_assets.providers`), what the values mean (see `parsers`), retries and money (see `lead_assets.ledger`).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from lead_assets.ledger.model import Reply, Want
from lead_assets.providers.pipe0 import Pipe0, PipeField, PipesRun
from lead_assets.settings import Settings
from lead_assets.signals.signal import ProviderTerms, Signal, Source
from lead_assets.signals.subjects import SubjectKind

Hold = Callable[[float], Awaitable[None]]
"""Nobody who shares the provider's key makes a request for so many seconds."""


class SourceClient(Protocol):
    """An open connection to one provider."""

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        """One vendor request for a batch; a reply a want, in order. Raises ProviderError where the request as a whole gave no answer."""
        ...

    async def resume(self, source: Source, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        """The replies of a request that was made before, by the vendor's id of it."""
        ...


@asynccontextmanager
async def open_source(provider: str, settings: Settings, terms: ProviderTerms, hold: Hold) -> AsyncIterator[SourceClient]:
    """The provider's client, for the event loop it is opened in. The provider's key must be set."""
    key = settings.key("pipe0")
    if key is None:
        raise ValueError(f"{provider} has no key")
    client = Pipe0(settings.base_url("pipe0"), key, environment=settings.pipe0_environment, connections=terms.concurrency)
    async with client:
        yield Pipe0Source(client, hold)


def is_mock(provider: str, settings: Settings) -> bool:
    """True where the provider's answers are made up: from the product's sandbox, or from pipe0's own."""
    return settings.world == "sandbox" or (provider == "pipe0" and settings.pipe0_environment == "sandbox")


def ledger_parameters(source: Source, settings: Settings) -> dict[str, Any]:
    """All that shapes the answer beside operation and subject. pipe0's mock answers are other answers, or they would be served as facts later."""
    parameters: dict[str, Any] = dict(source.config)
    if source.provider == "pipe0" and settings.pipe0_environment == "sandbox":
        parameters["environment"] = "sandbox"
    return parameters


def price_micros(source: Source, settings: Settings) -> int:
    """Most that one subject can cost here: pipe0's mock answers are free."""
    return 0 if source.provider == "pipe0" and settings.pipe0_environment == "sandbox" else source.price_micros


class Pipe0Source:
    """pipe0, one pipe a request."""

    # pipe0 does not refuse what comes too fast: it says in headers when to slow down and when to stop and wait.
    SLOW_SECONDS = 0.5
    STOP_SECONDS = 5.0

    def __init__(self, client: Pipe0, hold: Hold) -> None:
        self._client = client
        self._hold = hold

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        pipe: dict[str, Any] = {"pipe_id": source.operation}
        if source.config:
            pipe["config"] = dict(source.config)
        records = [{"id": record_id(want.subject), **_pipe0_input(signal.subject, want.subject)} for want in wants]
        run = await self._client.run_sync([pipe], records)
        if run.pace.must_stop or run.pace.should_slow_down:
            await self._hold(self.STOP_SECONDS if run.pace.must_stop else self.SLOW_SECONDS)
        return [_pipe0_reply(source, want, run) for want in wants]

    async def resume(self, source: Source, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        run = await self._client.poll(vendor_ref, source.operation)
        return [_pipe0_reply(source, want, run) for want in wants]


def record_id(subject: str) -> str:
    """A record's name inside a vendor's request: says nothing of the subject, and is the same after a restart."""
    return hashlib.sha256(subject.encode()).hexdigest()[:32]


def _pipe0_input(kind: SubjectKind, subject: str) -> dict[str, str]:
    if kind == "company_domain":
        return {"company_website_url": f"https://{subject}"}
    return {"profile_url": subject} if kind == "person_profile" else {"email": subject}


def _pipe0_reply(source: Source, want: Want, run: PipesRun) -> Reply:
    record = run.response.records.get(record_id(want.subject))
    fields = _claimed_by(source.operation, record.fields) if record is not None else {}
    body = {"fields": {name: _journaled(field) for name, field in sorted(fields.items())}}
    reference = run.response.id
    statuses = {field.status for field in fields.values()}
    if any(field.status == "completed" and field.value is not None for field in fields.values()):
        return Reply("found", None, body, want.price_micros, reference)
    if not fields:
        return Reply("unknown", "bad_answer", None, 0, reference)
    if "failed" in statuses:
        return Reply("unknown", "provider_error", body, 0, reference)
    if "skipped" in statuses:
        return Reply("unknown", "skipped", body, 0, reference)
    if statuses <= {"no_result", "completed"}:
        return Reply("not_found", "no_result", body, want.price_micros if source.billing == "always" else 0, reference)
    return Reply("unknown", "bad_answer", body, 0, reference)


def _claimed_by(pipe_id: str, fields: Mapping[str, PipeField]) -> dict[str, PipeField]:
    """The fields that the pipe answered for, without those that were only echoed from the input."""
    answered = {name: field for name, field in fields.items() if not field.is_input}
    claimed = {name: field for name, field in answered.items() if field.pipe == pipe_id}
    # An answer that does not say who claimed what, from a request of one pipe, is that pipe's.
    return claimed or {name: field for name, field in answered.items() if field.pipe is None}


def _journaled(field: PipeField) -> dict[str, Any]:
    """A field as it was sent, without the vendor's bookkeeping, which is most of its size."""
    kept: dict[str, Any] = {"value": field.value, "status": field.status}
    if field.reason is not None and field.reason.code:
        kept["reason"] = field.reason.code
    if field.widgets:
        kept["widgets"] = field.widgets
    return kept
