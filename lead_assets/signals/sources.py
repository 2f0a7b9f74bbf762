"""How each provider is asked for the subjects of one batch: wants in, replies out, one vendor request.

Belongs here: building a vendor's request from subjects, and reading off its answer what was found, what was not, and what was charged. Does not
belong here: the vendor's HTTP (see `lead_assets.providers`), what the values mean (see `parsers`), retries and money (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from lead_assets.ledger.model import Reply, Want
from lead_assets.providers.errors import ProviderError
from lead_assets.providers.pipe0 import Pace, Pipe0, PipeField, PipesRun
from lead_assets.settings import Settings
from lead_assets.signals.signal import ProviderTerms, Signal, Source
from lead_assets.signals.subjects import SubjectKind


class SourceClient(Protocol):
    """An open connection to one provider."""

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        """One vendor request for a batch; a reply a want, in order. Raises ProviderError where the request as a whole gave no answer."""
        ...


@asynccontextmanager
async def open_source(provider: str, settings: Settings, terms: ProviderTerms) -> AsyncIterator[SourceClient]:
    """The provider's client, for the event loop it is opened in. The provider's key must be set."""
    key = settings.key("pipe0")
    if key is None:
        raise ValueError(f"{provider} has no key")
    client = Pipe0(settings.base_url("pipe0"), key, environment=settings.pipe0_environment, connections=terms.concurrency)
    async with client:
        yield Pipe0Source(client)


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

    # When pipe0 admits no more records at priority 2, its contract is: stop and wait.
    _STOP_SECONDS = 5.0
    _SLOW_SECONDS = 0.5

    def __init__(self, client: Pipe0) -> None:
        self._client = client
        self._unfinished: dict[str, str] = {}
        self._not_before = 0.0

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        run = await self._run(signal, source, wants)
        return [_pipe0_reply(source, want, run) for want in wants]

    async def _run(self, signal: Signal, source: Source, wants: Sequence[Want]) -> PipesRun:
        run_id = self._unfinished.get(wants[0].key)
        if run_id is not None:
            # pipe0 is still at work on these: submitted again, they would be paid again.
            return await self._finish(run_id, source, wants)
        await self._wait_for_capacity()
        pipe: dict[str, Any] = {"pipe_id": source.operation}
        if source.config:
            pipe["config"] = dict(source.config)
        records = [{"id": record_id(want.subject), **_pipe0_input(signal.subject, want.subject)} for want in wants]
        try:
            run = await self._client.run_sync([pipe], records)
        except ProviderError as error:
            if error.vendor_ref is None:
                raise
            self._unfinished.update({want.key: error.vendor_ref for want in wants})
            return await self._finish(error.vendor_ref, source, wants)
        self._take_pace(run.pace)
        return run

    async def _finish(self, run_id: str, source: Source, wants: Sequence[Want]) -> PipesRun:
        run = await self._client.poll(run_id, source.operation)
        for want in wants:
            self._unfinished.pop(want.key, None)
        return run

    async def _wait_for_capacity(self) -> None:
        while (wait := self._not_before - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait)

    def _take_pace(self, pace: Pace) -> None:
        wait = self._STOP_SECONDS if pace.must_stop else self._SLOW_SECONDS if pace.should_slow_down else 0.0
        if wait:
            self._not_before = max(self._not_before, asyncio.get_running_loop().time() + wait)


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
