"""The drop sensor's decisions: which files of the landing zone are whole and new, what taking them in touches, what to remember.

The landing zone is a folder or a bucket (`lead_assets.stores.objects`). In it a file's first folder names its campaign; machines put their files below a
folder of the day they send them (UTC), people need not:

    [dt=2026-11-20/][<campaign>/]leads.ndjson

A tick never lists it all. It lists the days that are open (yesterday and later), and one page of everything else, going on where the last tick
ended; so a file that comes late to a closed day, or that a listing shows late, is found on the next round.

Everything is told from the listing, the clock that is handed in, and the cursor of the last tick. A crash at any point costs nothing: a file taken
twice leaves one receipt and asks for the same run. Does not belong here: Dagster (see `lead_assets.automation`), reading a drop (see `drops`).
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import DEFAULT_MAX_PAYLOAD_BYTES, IngestedDrop, ingest
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import Entry, ObjectChanged, Objects, open_objects

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
OPEN_DAYS = 2
"""Days whose folders every tick lists whole, today's included."""
PAGE = 1_000
"""Other files that a tick lists: a bucket's page."""
LAG_SECONDS = 300.0
"""A listing may show a file this much later than its time of arrival says."""

_CONTENT_NAME = re.compile(r"-([0-9a-f]{16})\.ndjson$")
_DAY = re.compile(r"dt=\d{4}-\d{2}-\d{2}")
_AFTER_DAYS = "dt>"  # the first name behind all that begin with "dt="
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~")


@dataclass(frozen=True)
class LandedFile:
    """A file of the landing zone. `campaign` is its first folder's name (but for the day's): the sender's campaign for all of the file."""

    entry: Entry
    campaign: str | None

    @property
    def path(self) -> str:
        return self.entry.name

    @property
    def arrived(self) -> float:
        return self.entry.arrived

    @property
    def mark(self) -> str:
        """Names this state of this file: another size or version is another mark."""
        text = f"{self.entry.name}\0{self.entry.size}\0{self.entry.version}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers between ticks.

    `taken`: marks of files taken, with their time of arrival; `before`: everything that arrived up to this time and is not in `taken` was taken as
    well; `seen`: marks of files that may still be written, with when they were first seen so; `due`: runs not yet asked for; `page`: the name from
    which the next tick lists what is outside the open days; `began`: when this round of pages began; `round`: when the last one that ended began.
    """

    taken: dict[str, float] = field(default_factory=dict)
    before: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)
    page: str = ""
    began: float = 0.0
    round: float = 0.0

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
                page=str(value.get("page", "")),
                began=float(value.get("began", 0.0)),
                round=float(value.get("round", 0.0)),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        return json.dumps(self.__dict__, separators=(",", ":"))


@dataclass(frozen=True)
class Scan:
    """What stands in the landing zone: `ready` to be taken (oldest first), `waiting` until they are whole, and the cursor so far."""

    landing: Objects
    ready: list[LandedFile]
    waiting: list[LandedFile]
    cursor: Cursor
    promised: frozenset[str] = frozenset()
    """Marks of files that are ready only because their name ends in the hash of their content: to be checked when they are read."""


@dataclass(frozen=True)
class RunWanted:
    """A run to ask for: equal drops of a campaign give an equal key, on any machine, after any crash."""

    campaign_id: str
    run_key: str


@dataclass(frozen=True)
class Taken:
    """What a tick did. `postponed`: path → why a file that looked whole was left for a later tick (changed_while_read, still_being_written, unreadable)."""

    drops: list[IngestedDrop]
    runs: list[RunWanted]
    waiting: int
    cursor: str
    postponed: dict[str, str] = field(default_factory=dict)


def landing_of(settings: Settings) -> Objects:
    return open_objects(settings.landing_location)


def day_folder(now: datetime) -> str:
    """The folder below which a machine puts what it sends now."""
    return f"dt={now.astimezone(UTC):%Y-%m-%d}/"


def watch(settings: Settings, archive: Archive, cursor: str | None, *, now: datetime) -> Taken:
    """One tick: look, take what is whole and new, say which campaigns to run."""
    return take(scan(landing_of(settings), cursor, now=now), archive, now=now, max_payload_bytes=settings.max_payload_bytes)


def take_all(settings: Settings, archive: Archive) -> list[IngestedDrop]:
    """Take every whole file now, without a sensor: what was new. A file that the sensor takes as well is one drop with one receipt."""
    landing, now = landing_of(settings), datetime.now(UTC)
    return _take_now(_sorted(landing, landing.entries(), Cursor(), now), settings, archive, now)


def take_these(settings: Settings, archive: Archive, paths: Iterable[str]) -> list[IngestedDrop]:
    """Take files of the landing zone that are known to be whole: what was new. One that the sensor takes as well is one drop with one receipt."""
    landing, now = landing_of(settings), datetime.now(UTC)
    entries = [replace(entry, whole=True) for path in paths for entry in landing.entries(path) if entry.name == path]
    return _take_now(_sorted(landing, entries, Cursor(), now), settings, archive, now)


def scan(landing: Objects, cursor: str | None, *, now: datetime) -> Scan:
    """Tell new files that are whole from those still being written. Hidden files and unfinished downloads are not looked at.

    A file is whole if its store shows only whole ones, if it has not changed for a while, or if its name ends in the hash of its content (which
    `take` checks).
    """
    known = Cursor.parse(cursor)
    first_open = day_folder(now - timedelta(days=OPEN_DAYS - 1))
    page, next_page = _page(landing, known.page, first_open)
    found = _sorted(landing, [*landing.entries(start=first_open, end=_AFTER_DAYS), *page], known, now)
    clock = now.timestamp()
    began = known.began if known.page else clock
    fresh = replace(found.cursor, page=next_page, began=began, round=known.round if next_page else began)
    if known.page or next_page:
        # What this tick did not list still stands somewhere; a file that never settles is forgotten after a day.
        fresh = replace(
            fresh,
            taken=known.taken | fresh.taken,
            seen={mark: at for mark, at in known.seen.items() if clock - at < 86_400} | fresh.seen,
        )
    return replace(found, cursor=fresh)


def _page(landing: Objects, start: str, first_open: str) -> tuple[list[Entry], str]:
    """At most PAGE entries outside the open days, from a name on, and the name from which the next page goes on ("" at the end)."""
    found: list[Entry] = []
    for low, high in (("", first_open), (_AFTER_DAYS, "")):
        if not high or start < high:
            found += islice(landing.entries(start=max(start, low), end=high), PAGE + 1 - len(found))
        if len(found) > PAGE:
            return found[:PAGE], found[PAGE].name
    return found, ""


def _sorted(landing: Objects, entries: Iterable[Entry], known: Cursor, now: datetime) -> Scan:
    """The entries told apart. The scan's cursor knows of the entries only."""
    clock = now.timestamp()
    ready: list[LandedFile] = []
    waiting: list[LandedFile] = []
    taken: dict[str, float] = {}
    seen: dict[str, float] = {}
    promised: set[str] = set()
    for entry in entries:
        file = _landed(entry)
        if file is None:
            continue
        if file.mark in known.taken:
            taken[file.mark] = known.taken[file.mark]
            continue
        if file.arrived <= known.before:
            continue
        since = seen[file.mark] = min(known.seen.get(file.mark, clock), clock)
        settled = entry.whole or clock - since >= SETTLE_SECONDS or clock - file.arrived >= SETTLED_AGE_SECONDS
        if not settled and _CONTENT_NAME.search(file.path):
            promised.add(file.mark)
        (ready if settled or file.mark in promised else waiting).append(file)
    ready.sort(key=lambda file: (file.arrived, file.path))
    return Scan(landing, ready, waiting, replace(known, taken=taken, seen=seen), frozenset(promised))


def _take_now(found: Scan, settings: Settings, archive: Archive, now: datetime) -> list[IngestedDrop]:
    taken = take(found, archive, now=now, max_payload_bytes=settings.max_payload_bytes, budget_seconds=float("inf"))
    return [drop for drop in taken.drops if drop.status != "already_ingested"]


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
        try:
            data = found.landing.get(file.path, file.entry)
        except FileNotFoundError:
            continue  # withdrawn by its sender
        except ObjectChanged:
            postponed[file.path] = "changed_while_read"
            seen.pop(file.mark, None)
            continue
        except OSError as error:
            postponed[file.path] = f"unreadable: {type(error).__name__}"
            continue
        sha256 = hashlib.sha256(data).hexdigest()
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
    runs = [RunWanted(campaign_id, due.pop(campaign_id)) for campaign_id in list(due)[:MAX_RUNS]]
    cursor = _bounded(replace(found.cursor, taken=taken, seen=seen, due=due), [*found.ready, *found.waiting])
    return Taken(drops, runs, len(found.waiting) + len(postponed), cursor.text(), postponed)


def _bounded(cursor: Cursor, open_files: list[LandedFile]) -> Cursor:
    """A cursor of at most REMEMBERED marks: the oldest are known by their time of arrival.

    Never past a file that is still to be taken, nor past the time up to which the last whole round has surely shown everything.
    """
    excess = len(cursor.taken) - REMEMBERED
    if excess <= 0:
        return cursor
    earliest_open = min((file.arrived for file in open_files if file.mark not in cursor.taken), default=float("inf"))
    limit = min(earliest_open, cursor.round - LAG_SECONDS)
    oldest = [(mark, at) for mark, at in sorted(cursor.taken.items(), key=lambda item: item[1])[:excess] if at < limit]
    if not oldest:
        return cursor
    forgotten = {mark for mark, at in oldest}
    return replace(
        cursor,
        taken={mark: at for mark, at in cursor.taken.items() if mark not in forgotten},
        before=max(cursor.before, oldest[-1][1]),
    )


def _is_named_by(path: str, sha256: str) -> bool:
    named = _CONTENT_NAME.search(path)
    return named is not None and sha256.startswith(named[1])


def _landed(entry: Entry) -> LandedFile | None:
    """What a name says of a file; None for hidden files and unfinished downloads."""
    parts = entry.name.split("/")
    if any(part.startswith(".") for part in parts) or parts[-1].casefold().endswith(_UNFINISHED):
        return None
    if len(parts) > 1 and _DAY.fullmatch(parts[0]):
        parts = parts[1:]
    return LandedFile(entry, _campaign(parts[0]) if len(parts) > 1 else None)


def _campaign(folder: str) -> str | None:
    try:
        return campaign_key(folder)
    except ValueError:  # a folder whose name is white space names no campaign
        return None
