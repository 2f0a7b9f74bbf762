"""Asks pipe0 about a batch of subjects: wants in, replies out.

Belongs here: building pipe0's request from subjects, joining the pipes of several signals into one request, and telling from the answer what was
found, what was not, and what was charged. Does not belong here: the life of a run (see `runs`), pipe0's HTTP (see
`lead_assets.vendors.pipe0.client`), what the values mean (see `parsers`), retries and money (see `lead_assets.ledger`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Reply, Want
from lead_assets.vendors.offer import Offer, Opening, SubjectKind
from lead_assets.vendors.pipe0.client import Pipe0, PipeField, PipesRun, RunFailed
from lead_assets.vendors.pipe0.runs import Runs

_FIRST_LOOK = 1.0
_FIRST_LOOK_IN_SANDBOX = 0.03
"""Seconds before the first poll in the sandbox, which takes only as long as a test or benchmark says."""

_Records = tuple[SubjectKind, tuple[str, ...]]


@asynccontextmanager
async def open_source(opening: Opening) -> AsyncIterator[Pipe0Source]:
    settings, terms = opening.settings, opening.asked[0][1].terms
    # The pipes of several signals share one request, so more connections than one signal uses would stay idle.
    client = Pipe0(opening.url, opening.key, environment=settings.pipe0_environment, connections=terms.concurrency, **opening.deadline)
    runs = Runs(
        client,
        opening.turns,
        bucket=terms.bucket,
        rates=terms.rates_in(settings),
        first_look=_FIRST_LOOK if settings.world == "live" else _FIRST_LOOK_IN_SANDBOX,
        patience=terms.deadline or Runs.PATIENCE,
    )
    async with client, runs, Pipe0Source(runs, opening.awaited) as source:
        yield source


@dataclass
class _Joint:
    """A request being assembled: the pipes that several signals want for the same records, and the keys of each one's wants."""

    asked: dict[str, tuple[Offer, list[str]]] = field(default_factory=dict)
    """Keys by pipe id."""
    task: asyncio.Task[PipesRun] | None = None


class Pipe0Source:
    """pipe0 as a source of signals.

    `awaited` says how many signals may still ask about each kind of subject. If several want the same records, their pipes go in one request: pipe0 admits
    records, not pipes, so four pipes in one request use a quarter of the capacity. The price is the same.
    """

    # How long a batch waits for other signals to join, which claim it in the ledger one after another; and how often it looks whether any will.
    JOIN_SECONDS = 0.25
    LOOK_SECONDS = 0.003

    def __init__(self, runs: Runs, awaited: Callable[[SubjectKind], int]) -> None:
        self._runs = runs
        self._awaited = awaited
        self._joints: dict[_Records, _Joint] = {}
        self._tasks: set[asyncio.Task[PipesRun]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def call(self, kind: SubjectKind, offer: Offer, wants: Sequence[Want]) -> list[Reply]:
        records: _Records = (kind, tuple(want.subject for want in wants))
        keys = [want.key for want in wants]
        if self._awaited(kind) < 2:
            run = await self._run([offer], records, keys)
        else:
            run = await self._run_jointly(offer, records, keys)
        return [_reply(offer, want, run) for want in wants]

    async def take_up(self, offer: Offer, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        try:
            run = await self._runs.end(vendor_ref, offer.operation)
        except RunFailed as error:
            if error.kind != "transient":
                raise
            # This answer would never change: only a new run can help.
            raise ProviderError(error.provider, error.operation, "permanent", error.reason, status=error.status) from None
        return [_reply(offer, want, run) for want in wants]

    async def _run_jointly(self, offer: Offer, records: _Records, keys: list[str]) -> PipesRun:
        joint = self._joints.get(records)
        first = joint is None
        if joint is not None and offer.operation in joint.asked:
            return await self._run([offer], records, keys)
        if joint is None:
            joint = self._joints[records] = _Joint()
            joint.task = asyncio.create_task(self._gather(joint, records))
            self._tasks.add(joint.task)
            joint.task.add_done_callback(self._tasks.discard)
        joint.asked[offer.operation] = (offer, keys)
        assert joint.task is not None
        try:
            # Shielded, so that one signal giving up does not take the answer from the others.
            return await asyncio.shield(joint.task)
        except ProviderError as error:
            if error.kind != "permanent" or error.vendor_ref is not None or len(joint.asked) == 1:
                raise (error if first else error.for_another()) from None
        # One refused pipe fails the whole request; sent alone, only its own signal is refused.
        return await self._run([offer], records, keys)

    async def _gather(self, joint: _Joint, records: _Records) -> PipesRun:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.JOIN_SECONDS):
                while len(joint.asked) < self._awaited(records[0]):
                    await asyncio.sleep(self.LOOK_SECONDS)
        del self._joints[records]
        offers = [offer for offer, _ in joint.asked.values()]
        return await self._run(offers, records, [key for _, keys in joint.asked.values() for key in keys])

    async def _run(self, offers: Sequence[Offer], records: _Records, keys: list[str]) -> PipesRun:
        kind, subjects = records
        pipes = [{"pipe_id": offer.operation, **({"config": dict(offer.config)} if offer.config else {})} for offer in offers]
        return await self._runs.run(pipes, [{"id": record_id(subject), **_input(kind, subject)} for subject in subjects], keys)


def record_id(subject: str) -> str:
    """A record's name inside a vendor request: reveals nothing about the subject, and is the same after a restart."""
    return hashlib.sha256(subject.encode()).hexdigest()[:32]


def _input(kind: SubjectKind, subject: str) -> dict[str, str]:
    if kind == "company_domain":
        return {"company_website_url": f"https://{subject}"}
    return {"profile_url": subject} if kind == "person_profile" else {"email": subject}


def _reply(offer: Offer, want: Want, run: PipesRun) -> Reply:
    record = run.response.records.get(record_id(want.subject))
    fields = _claimed_by(offer.operation, record.fields) if record is not None else {}
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
        return Reply("not_found", "no_result", body, want.price_micros if offer.billing == "always" else 0, reference)
    return Reply("unknown", "bad_answer", body, 0, reference)


def _claimed_by(pipe_id: str, fields: Mapping[str, PipeField]) -> dict[str, PipeField]:
    """The fields that the pipe answered, without those merely echoed from the input."""
    answered = {name: field for name, field in fields.items() if not field.is_input}
    claimed = {name: field for name, field in answered.items() if field.pipe == pipe_id}
    # If the answer does not say which pipe claimed a field and the request had one pipe, it was that one.
    return claimed or {name: field for name, field in answered.items() if field.pipe is None}


def _journaled(field: PipeField) -> dict[str, Any]:
    """A field as sent, without the vendor's bookkeeping, which is most of its size."""
    kept: dict[str, Any] = {"value": field.value, "status": field.status}
    if field.reason is not None and field.reason.code:
        kept["reason"] = field.reason.code
    if field.widgets:
        kept["widgets"] = field.widgets
    return kept
