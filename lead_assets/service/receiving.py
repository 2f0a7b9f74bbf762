"""Receives bodies: reads which leads they contain, makes them durable many at a time, and lands them once a second.

While one group is being written, the next gathers, so a wait for the disk is shared by all that came in meanwhile.
Does not belong here: HTTP (see `receive_api`), the files (see `journal`), what payloads mean (see `lead_assets.intake`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.drops import Drops, read_drops
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.received import ReceivedEvent
from lead_assets.service import journal
from lead_assets.service.journal import Journal, Received
from lead_assets.stores.objects import open_objects

GATHERED = 1_000
"""Most bodies in a group, and records in a journal before it is landed early."""
LANDED_AFTER_SECONDS = 1.0
NOT_LEADS = ("notice", "test_event")
"""Codes of payloads that are kept as rejects though their sender did nothing wrong."""
_LEDGER_SECONDS = 1.0
"""How long a group waits for the ledger to say which events are known."""
_FEW, _GATHER_SECONDS = 16, 0.004
"""How few bodies wait for others, and how long."""
_REMEMBERED = 100_000
_SHOWN = 100
_log = logging.getLogger(__name__)


class NoLead(NamedTuple):
    """Why a payload is no lead."""

    code: str
    reason: str
    field: str | None
    position: int


@dataclass(frozen=True)
class SafeBody:
    """What became of a body: it is safe in the drop `drop_id`. `lead_ids` and `faults` are the first of `leads` and `rejected`.
    `earlier`: the same event was received before, and nothing was stored."""

    drop_id: str
    lead_ids: list[str] = field(default_factory=list)
    leads: int = 0
    faults: list[NoLead] = field(default_factory=list)
    rejected: int = 0
    earlier: bool = False


class NotStored(Exception):
    """The body is not safe: the disk is full, or the process is ending. The sender has to send it again."""


class _Waiting(NamedTuple):
    record: Received
    answer: asyncio.Future[SafeBody]


class Receiver:
    """The receiver of one process; any number of them may share a home and a landing zone."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._folder: Path = settings.home / "receiving"
        self._landing = open_objects(settings.landing_location)
        self._adapters = adapters_of(settings)
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._writer = ThreadPoolExecutor(1, "receiver")
        # Landing takes longer than a group, and nobody waits for it.
        self._lander = ThreadPoolExecutor(1, "landing")
        self._asker = ThreadPoolExecutor(1, "events")
        self._asking: Future[dict[tuple[str, str], ReceivedEvent]] | None = None
        self._full: list[Journal] = []
        self._journal: Journal | None = None
        self._opened_at = 0.0
        self._events: OrderedDict[tuple[str, str], ReceivedEvent] = OrderedDict()
        self.pending: OrderedDict[str, str] = OrderedDict()
        """Lead → its drop, for those received lately by this process."""
        self._closing = False

    @property
    def is_open(self) -> bool:
        return not self._closing

    async def take(self, body: bytes, *, source: str, event_id: str | None = None, campaign: str | None = None) -> SafeBody:
        """Make a body durable. Raises NotStored."""
        if self._closing:
            raise NotStored
        waiting = _Waiting(Received(source, body, time.time_ns() // 1_000, event_id, campaign), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        return await waiting.answer

    async def work(self) -> None:
        """Write groups and land journals until cancelled; then everything that was received is landed."""
        loop = asyncio.get_running_loop()
        landing: asyncio.Future[None] | None = loop.run_in_executor(self._lander, self._recover)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), LANDED_AFTER_SECONDS / 4)
                await self._group()
                if self._is_due():
                    self._put_aside()
                if self._full and (landing is None or landing.done()):
                    landing = loop.run_in_executor(self._lander, self._land)
        finally:
            self._closing = True
            await self._group()
            self._put_aside()
            await loop.run_in_executor(self._lander, self._land)
            self._lander.shutdown()
            self._writer.shutdown()
            self._asker.shutdown(wait=False, cancel_futures=True)

    async def land_what_came(self, most_seconds: float = 10.0) -> bool:
        """Wait until every body that was received before this call is in the landing zone. False if that takes too long."""
        until = time.monotonic() + most_seconds
        before = [path for path in self._folder.glob("*.open") if path.stat().st_size]
        while any(path.exists() for path in before):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.05)
        return True

    def _is_due(self) -> bool:
        if self._journal is None or not self._journal.records:
            return False
        return self._journal.records >= GATHERED or time.monotonic() - self._opened_at >= LANDED_AFTER_SECONDS

    async def _group(self) -> None:
        self._arrived.clear()
        while self._waiting:
            if len(self._waiting) < _FEW:
                # A group costs as much as a hundred bodies: one for each two of them would take all of a core at 500 bodies per second.
                await asyncio.sleep(_GATHER_SECONDS)
            group, self._waiting = self._waiting[:GATHERED], self._waiting[GATHERED:]
            await self._answer(group)

    async def _answer(self, group: Sequence[_Waiting]) -> None:
        records = [each.record for each in group]
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._writer, partial(self._store, records))
        except Exception as error:
            if len(group) > 1 and not isinstance(error, OSError):
                # One body that cannot be read must not refuse the others.
                for each in group:
                    await self._answer([each])
                return
            _log.error("service: %d bodies could not be stored: %s", len(group), type(error).__name__)
            for each in group:
                if not each.answer.done():
                    each.answer.set_exception(NotStored())
            return
        for each, result in zip(group, results, strict=True):
            if not each.answer.done():
                each.answer.set_result(result)

    def _store(self, records: Sequence[Received]) -> list[SafeBody]:
        known = self._known(records)
        new: list[Received] = []
        first: dict[tuple[str, str], int] = {}
        for number, record in enumerate(records):
            event = (record.source, record.event_id or "")
            if record.event_id is not None and (event in known or event in first):
                continue
            if record.event_id is not None:
                first[event] = number
            new.append(record)
        journal_ = self._journal or self._open()
        found = _found(
            read_drops(((each.body, {}) for each in new), limits=self._settings.limits, adapters=self._adapters) if new else None,
            len(new),
            journal_.drop_id,
        )
        new = [replace(record, lead_id=taken.lead_ids[0] if taken.lead_ids else None) for record, taken in zip(new, found, strict=True)]
        if new:
            journal_.append(new)
        for record, taken in zip(new, found, strict=True):
            if record.event_id is not None:
                entry = ReceivedEvent(record.source, record.event_id, taken.drop_id, record.lead_id, record.at)
                self._events[record.source, record.event_id] = entry
            for lead_id in taken.lead_ids:
                self.pending[lead_id] = taken.drop_id
        for memory in (self._events, self.pending):
            while len(memory) > _REMEMBERED:
                memory.popitem(last=False)
        stored = iter(found)
        answers: list[SafeBody] = []
        for number, record in enumerate(records):
            event = (record.source, record.event_id or "")
            if record.event_id is None or first.get(event) == number:
                answers.append(next(stored))
            else:
                before = known.get(event) or self._events[event]
                answers.append(SafeBody(before.drop_id, [before.lead_id] if before.lead_id else [], earlier=True))
        return answers

    def _known(self, records: Sequence[Received]) -> dict[tuple[str, str], ReceivedEvent]:
        """Events that were received before. While the ledger does not answer, those that this process remembers: landing asks again."""
        asked = {(record.source, record.event_id) for record in records if record.event_id is not None}
        known = {event: self._events[event] for event in asked if event in self._events}
        if not asked - known.keys():
            return known
        if self._asking is not None and not self._asking.done():
            return known
        self._asking = self._asker.submit(self._ledger.received, asked - known.keys())
        try:
            return known | self._asking.result(_LEDGER_SECONDS)
        except TimeoutError:
            _log.warning("service: the ledger does not answer; repeated events are left out when they are landed")
            return known

    def _open(self) -> Journal:
        self._journal = Journal(self._folder)
        self._opened_at = time.monotonic()
        return self._journal

    def _put_aside(self) -> None:
        """The next group opens a journal of its own. Only called while no group is being written."""
        if self._journal is not None:
            self._full.append(self._journal)
            self._journal = None

    def _land(self) -> None:
        """Land what was put aside. If that fails, it stays, and is tried again."""
        while self._full:
            opened = self._full[0]
            try:
                self._land_file(opened.path)
            except Exception as error:
                _log.error("service: the journal %s could not be landed (%s); it is tried again", opened.path.name, type(error).__name__)
                return
            opened.close()
            self._full.pop(0)

    def _land_file(self, path: Path) -> None:
        records = journal.read(path)
        drop_id = path.name.removesuffix(".open")
        # The ledger decides whose an event is before it is landed: two receivers may have accepted it at the same time, and a killed one lands again.
        events = [ReceivedEvent(each.source, each.event_id, drop_id, each.lead_id, each.at) for each in records if each.event_id]
        self._ledger.note_received(events)
        owners = self._ledger.received({(each.source, each.event_id) for each in events})
        mine = [each for each in records if not each.event_id or owners[each.source, each.event_id].drop_id == drop_id]
        if mine:
            journal.land(drop_id, mine, self._landing)
        path.unlink()

    def _recover(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in journal.left_behind(self._folder):
            try:
                self._land_file(path)
            except Exception as error:
                _log.error("service: the journal %s could not be landed (%s); the next start tries again", path.name, type(error).__name__)


def _found(drops: Drops | None, count: int, drop_id: str) -> list[SafeBody]:
    """What each body contains."""
    taken = [SafeBody(drop_id) for _ in range(count)]
    if drops is None:
        return taken
    leads: list[list[str]] = [[] for _ in range(count)]
    faults: list[list[NoLead]] = [[] for _ in range(count)]
    for number, lead_id in drops.leads.select("drop", "lead_id").iter_rows():
        leads[number].append(lead_id)
    for number, code, reason, name, position in drops.rejects.select("drop", "code", "reason", "field", "position").iter_rows():
        faults[number].append(NoLead(code, reason, name, position))
    return [
        replace(each, lead_ids=ids[:_SHOWN], leads=len(ids), faults=wrong[:_SHOWN], rejected=len(wrong))
        for each, ids, wrong in zip(taken, leads, faults, strict=True)
    ]
