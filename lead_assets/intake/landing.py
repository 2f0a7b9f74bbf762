"""The drop sensor's decisions: which files of the landing folder are whole and new, what taking them in touches, what to remember.

Everything is told from the folder, the clock that is handed in, and the cursor of the last tick. A crash at any point costs nothing: a file taken twice
leaves one receipt and asks for the same run. Does not belong here: Dagster (see `lead_assets.automation`), reading a drop (see `drops`).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from upath import UPath

from lead_assets.archive import Archive
from lead_assets.campaigns import campaign_key
from lead_assets.intake.ingest import DEFAULT_MAX_PAYLOAD_BYTES, IngestedDrop, ingest
from lead_assets.settings import Settings

SETTLE_SECONDS = 2.0
"""A file whose size and time have not changed for this long between two ticks is whole."""
SETTLED_AGE_SECONDS = 10.0
"""A file last written this long ago is whole the first time it is seen."""
BUDGET_SECONDS = 30.0
"""Time for taking files in one tick; Dagster ends a tick after 60 s."""
MAX_RUNS = 25
"""Runs asked for in one tick; the rest are kept in the cursor for the next."""
REMEMBERED = 20_000
"""Files that a cursor remembers one by one; of more, the oldest are known by their time."""

_CONTENT_NAME = re.compile(r"-([0-9a-f]{16})\.ndjson$")
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~")


@dataclass(frozen=True)
class LandedFile:
    """A file of the landing folder. `path` is below it; `campaign` is the sub-folder's name: the sender's campaign for all of the file."""

    path: str
    size: int
    modified_ns: int
    arrived: float
    campaign: str | None

    @property
    def mark(self) -> str:
        """Names this state of this file: another size or time is another mark."""
        text = f"{self.path}\0{self.size}\0{self.modified_ns}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers between ticks.

    `taken`: marks of files taken that still stand in the folder, with their time of arrival; `before`: everything that arrived up to this time and is
    not in `taken` was taken as well; `seen`: marks of files that may still be written, with when they were first seen so; `due`: runs not yet asked for.
    """

    taken: dict[str, float] = field(default_factory=dict)
    before: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """An unreadable cursor is an empty one: taking files again adds nothing."""
        try:
            value = json.loads(text or "{}")
            return cls(
                taken={str(mark): float(at) for mark, at in value.get("taken", {}).items()},
                before=float(value.get("before", 0.0)),
                seen={str(mark): float(at) for mark, at in value.get("seen", {}).items()},
                due={str(campaign): str(key) for campaign, key in value.get("due", {}).items()},
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        return json.dumps({"taken": self.taken, "before": self.before, "seen": self.seen, "due": self.due}, separators=(",", ":"))


@dataclass(frozen=True)
class Scan:
    """What stands in the landing folder: `ready` to be taken (oldest first), `waiting` until they are whole, and the cursor so far."""

    landing: UPath
    ready: list[LandedFile]
    waiting: list[LandedFile]
    cursor: Cursor
    promised: frozenset[str] = frozenset()
    """Marks of files that are ready only because their name ends in the hash of their content: to be checked when they are read."""


@dataclass(frozen=True)
class Run:
    """A run to ask for: equal drops of a campaign give an equal key, on any machine, after any crash."""

    campaign_id: str
    run_key: str


@dataclass(frozen=True)
class Taken:
    """What a tick did. `postponed`: path → why a file that looked whole was left for a later tick (changed_while_read, still_being_written, unreadable)."""

    drops: list[IngestedDrop]
    runs: list[Run]
    waiting: int
    cursor: str
    postponed: dict[str, str] = field(default_factory=dict)


def watch(settings: Settings, archive: Archive, cursor: str | None, *, now: datetime) -> Taken:
    """One tick: look, take what is whole and new, say which campaigns to run."""
    found = scan(UPath(settings.landing_location), cursor, now=now)
    return take(found, archive, now=now, max_payload_bytes=settings.max_payload_bytes)


def take_all(settings: Settings, archive: Archive) -> list[IngestedDrop]:
    """Take every whole file now, without a sensor: what was new. A file that the sensor takes as well is one drop with one receipt."""
    landing = UPath(settings.landing_location)
    now = datetime.now(UTC)
    found = scan(landing, None, now=now)
    taken = take(found, archive, now=now, max_payload_bytes=settings.max_payload_bytes, budget_seconds=float("inf"))
    return [drop for drop in taken.drops if drop.status != "already_ingested"]


def scan(landing: UPath, cursor: str | None, *, now: datetime) -> Scan:
    """Tell new files that are whole from those still being written. Hidden files and unfinished downloads are not looked at.

    A file is whole if it has not changed for a while, or if its name ends in the hash of its content (which `take` checks).
    """
    known = Cursor.parse(cursor)
    clock = now.timestamp()
    ready: list[LandedFile] = []
    waiting: list[LandedFile] = []
    taken: dict[str, float] = {}
    seen: dict[str, float] = {}
    promised: set[str] = set()
    for file in _files(landing):
        if file.mark in known.taken:
            taken[file.mark] = known.taken[file.mark]
            continue
        if file.arrived <= known.before:
            continue
        since = seen[file.mark] = min(known.seen.get(file.mark, clock), clock)
        settled = clock - since >= SETTLE_SECONDS or clock - file.arrived >= SETTLED_AGE_SECONDS
        if not settled and _CONTENT_NAME.search(file.path):
            promised.add(file.mark)
        (ready if settled or file.mark in promised else waiting).append(file)
    ready.sort(key=lambda file: (file.modified_ns, file.path))
    return Scan(landing, ready, waiting, Cursor(taken=taken, before=known.before, seen=seen, due=known.due), frozenset(promised))


def take(
    found: Scan,
    archive: Archive,
    *,
    now: datetime,
    max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
    budget_seconds: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Taken:
    """Take ready files into the archive until the time is used up; what is left stays ready for the next tick. At least one file is tried."""
    taken, seen, due = dict(found.cursor.taken), dict(found.cursor.seen), dict(found.cursor.due)
    drops: list[IngestedDrop] = []
    postponed: dict[str, str] = {}
    receipts: dict[str, list[str]] = {}
    end = clock() + budget_seconds
    for index, file in enumerate(found.ready):
        if index and clock() >= end:
            break
        path = found.landing / file.path
        try:
            data = path.read_bytes()
            after = _landed(found.landing, path)
        except FileNotFoundError:
            continue  # withdrawn by its sender
        except OSError as error:
            postponed[file.path] = f"unreadable: {type(error).__name__}"
            continue
        sha256 = hashlib.sha256(data).hexdigest()
        if after is None or after.mark != file.mark or len(data) != file.size:
            postponed[file.path] = "changed_while_read"
            seen.pop(file.mark, None)
            continue
        if file.mark in found.promised and not _is_named_by(file.path, sha256):
            postponed[file.path] = "still_being_written"
            continue
        receipt_id = hashlib.sha256(f"{file.mark}\0{sha256}".encode()).hexdigest()[:32]
        drop = ingest(
            archive,
            data,
            name=file.path,
            received_at=now,
            campaign=file.campaign,
            receipt_id=receipt_id,
            max_payload_bytes=max_payload_bytes,
        )
        drops.append(drop)
        taken[file.mark] = file.arrived
        seen.pop(file.mark, None)
        for campaign_id in drop.campaigns:
            receipts.setdefault(campaign_id, []).append(receipt_id)
    for campaign_id, ids in receipts.items():
        due[campaign_id] = f"{campaign_id}:{hashlib.sha256(' '.join(sorted(ids)).encode()).hexdigest()[:16]}"
    runs = [Run(campaign_id, due.pop(campaign_id)) for campaign_id in list(due)[:MAX_RUNS]]
    cursor = _bounded(Cursor(taken=taken, before=found.cursor.before, seen=seen, due=due), [*found.ready, *found.waiting])
    return Taken(drops, runs, len(found.waiting) + len(postponed), cursor.text(), postponed)


def _bounded(cursor: Cursor, open_files: list[LandedFile]) -> Cursor:
    """A cursor of at most REMEMBERED marks: the oldest are known by their time of arrival, never past a file that is still to be taken."""
    excess = len(cursor.taken) - REMEMBERED
    if excess <= 0:
        return cursor
    earliest_open = min((file.arrived for file in open_files if file.mark not in cursor.taken), default=float("inf"))
    oldest = [(mark, at) for mark, at in sorted(cursor.taken.items(), key=lambda item: item[1])[:excess] if at < earliest_open]
    if not oldest:
        return cursor
    before = max(cursor.before, oldest[-1][1])
    forgotten = {mark for mark, at in oldest}
    return Cursor(
        taken={mark: at for mark, at in cursor.taken.items() if mark not in forgotten}, before=before, seen=cursor.seen, due=cursor.due
    )


def _is_named_by(path: str, sha256: str) -> bool:
    named = _CONTENT_NAME.search(path)
    return named is not None and sha256.startswith(named[1])


def _files(landing: UPath) -> Iterator[LandedFile]:
    if not landing.exists():
        return
    for path in landing.rglob("*"):
        try:
            file = _landed(landing, path)
        except OSError:
            continue  # gone, or out of reach, between listing and looking: the next tick looks again
        if file is not None:
            yield file


def _landed(landing: UPath, path: UPath) -> LandedFile | None:
    """What is known of a file without reading it; None for folders, hidden files and unfinished downloads."""
    relative = path.relative_to(landing)
    parts = relative.parts
    if any(part.startswith(".") for part in parts) or parts[-1].casefold().endswith(_UNFINISHED) or not path.is_file():
        return None
    stat = path.stat()
    modified_ns = getattr(stat, "st_mtime_ns", None) or int(stat.st_mtime * 1_000_000_000)
    # Moving a file into the folder keeps its time of writing; its time of change tells when it came.
    arrived = max(stat.st_mtime, getattr(stat, "st_ctime", 0.0) or 0.0)
    return LandedFile("/".join(parts), stat.st_size, modified_ns, arrived, _campaign(parts[0]) if len(parts) > 1 else None)


def _campaign(folder: str) -> str | None:
    try:
        return campaign_key(folder)
    except ValueError:  # a folder whose name is white space names no campaign
        return None
