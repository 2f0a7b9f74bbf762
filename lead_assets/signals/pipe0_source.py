"""How pipe0 is asked for the subjects of a batch: wants in, replies out.

Belongs here: building pipe0's request from subjects, joining the pipes of several signals into one request, and reading off its answer what was
found, what was not, and what was charged. Does not belong here: the life of a run (see `pipe0_runs`), pipe0's HTTP (see
`lead_assets.vendors.pipe0.client`), what the values mean (see `parsers`), retries and money (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Reply, Want
from lead_assets.signals.pipe0_runs import Runs
from lead_assets.signals.signal import Signal, Source
from lead_assets.signals.subjects import SubjectKind
from lead_assets.vendors.pipe0.client import PipeField, PipesRun, RunFailed

_Records = tuple[SubjectKind, tuple[str, ...]]


@dataclass
class _Joint:
    """A request in the making: the pipes that several signals want for the same records, and the keys of what each wants."""

    asked: dict[str, tuple[Source, list[str]]] = field(default_factory=dict)
    """By the pipe's id."""
    complete: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[PipesRun] | None = None


class Pipe0Source:
    """pipe0 as a source of signals.

    `partners` says how many signals are collected at once for each kind of subject. Where several want the same records, their pipes go in one
    request: pipe0 admits records, not pipes, so four pipes in one request use a quarter of the capacity. The price is the same.
    """

    # How long a batch waits for the other signals to want it too; they claim it in the ledger one after the other.
    JOIN_SECONDS = 0.25

    def __init__(self, runs: Runs, partners: Mapping[SubjectKind, int]) -> None:
        self._runs = runs
        self._partners = partners
        self._joints: dict[_Records, _Joint] = {}
        self._tasks: set[asyncio.Task[PipesRun]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        records: _Records = (signal.subject, tuple(want.subject for want in wants))
        keys = [want.key for want in wants]
        if self._partners.get(signal.subject, 1) < 2:
            run = await self._run([source], records, keys)
        else:
            run = await self._run_jointly(source, records, keys)
        return [_reply(source, want, run) for want in wants]

    async def resume(self, source: Source, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        try:
            run = await self._runs.end(vendor_ref, source.operation)
        except RunFailed as error:
            if error.kind != "transient":
                raise
            # It would say so for ever: only a new run can help.
            raise ProviderError(error.provider, error.operation, "permanent", error.reason, status=error.status) from None
        return [_reply(source, want, run) for want in wants]

    async def _run_jointly(self, source: Source, records: _Records, keys: list[str]) -> PipesRun:
        joint = self._joints.get(records)
        if joint is not None and source.operation in joint.asked:
            return await self._run([source], records, keys)
        if joint is None:
            joint = self._joints[records] = _Joint()
            joint.task = asyncio.create_task(self._gather(joint, records))
            self._tasks.add(joint.task)
            joint.task.add_done_callback(self._tasks.discard)
        joint.asked[source.operation] = (source, keys)
        if len(joint.asked) == self._partners[records[0]]:
            joint.complete.set()
        assert joint.task is not None
        try:
            # Shielded: one signal that gives up must not take the answer from the others.
            return await asyncio.shield(joint.task)
        except ProviderError as error:
            if error.kind != "permanent" or error.vendor_ref is not None or len(joint.asked) == 1:
                raise
        # One pipe that pipe0 refuses fails the whole request; alone, only its own signal is refused.
        return await self._run([source], records, keys)

    async def _gather(self, joint: _Joint, records: _Records) -> PipesRun:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.JOIN_SECONDS):
                await joint.complete.wait()
        del self._joints[records]
        sources = [source for source, _ in joint.asked.values()]
        return await self._run(sources, records, [key for _, keys in joint.asked.values() for key in keys])

    async def _run(self, sources: Sequence[Source], records: _Records, keys: list[str]) -> PipesRun:
        kind, subjects = records
        pipes = [{"pipe_id": source.operation, **({"config": dict(source.config)} if source.config else {})} for source in sources]
        return await self._runs.run(pipes, [{"id": record_id(subject), **_input(kind, subject)} for subject in subjects], keys)


def record_id(subject: str) -> str:
    """A record's name inside a vendor's request: says nothing of the subject, and is the same after a restart."""
    return hashlib.sha256(subject.encode()).hexdigest()[:32]


def _input(kind: SubjectKind, subject: str) -> dict[str, str]:
    if kind == "company_domain":
        return {"company_website_url": f"https://{subject}"}
    return {"profile_url": subject} if kind == "person_profile" else {"email": subject}


def _reply(source: Source, want: Want, run: PipesRun) -> Reply:
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
