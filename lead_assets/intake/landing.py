"""The drop sensor's decisions: which files in the landing zone are complete and new, which campaigns to run for them, and what to remember.

The landing zone is a folder or a bucket (`lead_assets.stores.objects`). The first folder in a file's path names its campaign; machines put their files below a
folder named after the UTC day, which people need not do:

    [dt=2026-11-20/][<campaign>/]leads.ndjson

A file is taken (its bytes go to the archive) in one tick and leaves in a later one, once the cursor with its campaign is known to be saved: it is moved below
`.taken/<day>/`, or deleted. So the landing zone contains only pending files, a tick lists two pages of it, and the cursor remembers no more files than
one tick takes. A crash at any point loses nothing: a file taken twice leaves one receipt and requests the same run, and no file leaves before it counts.

A campaign with a queued run is not requested again: that run will read everything that has arrived. One with a run in progress may have read the
archive already, so it is requested once more when that run ends.

Does not belong here: Dagster (see `lead_assets.automation`, `lead_assets.kit.standing`), reading a drop (see `drops`).
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import BinaryIO, Literal

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.limits import DEFAULT_LIMITS, DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import Adapters, adapters_of
from lead_assets.intake.ingest import STREAMED_BYTES, Arrival, IngestedDrop, ingest_many
from lead_assets.intake.parsed import ParsedDrops, parsed_of
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import Entry, ObjectChanged, Objects, open_objects

SETTLE_SECONDS = 2.0
"""A file is complete if its size and time have not changed for this long between two ticks."""
SETTLED_AGE_SECONDS = 10.0
"""A file last written this long ago is complete when first seen."""
BUDGET_SECONDS = 30.0
"""Time limit for a tick's files; Dagster ends a tick after 60 s."""
MAX_RUNS = 25
"""Most runs requested in one tick; the cursor keeps the rest for the next."""
PAGE = 1_000
"""Most files that a tick looks at, and thus takes and remembers: one page of a bucket listing."""
MAX_DUE = 1_000
"""If more campaigns than this still wait for a run request, no more files are taken: they are safe where they are."""
FORGET_SECONDS = 86_400.0
"""A file not seen for this long counts as gone."""
TAKEN_FOLDER = ".taken/"
"""Where taken files go. It is not a campaign, because names that start with a dot are ignored."""

_AT_ONCE = 8
_TOGETHER = 128
_TOGETHER_BYTES = 16 << 20
_CONTENT_NAME = re.compile(r"-([0-9a-f]{16})\.ndjson$")
_DAY = re.compile(r"dt=\d{4}-\d{2}-\d{2}")
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~")

Leave = Literal["move", "delete"]
Standing = Literal["queued", "under_way"]


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing zone. `campaign` is the name of its first folder (after the day's): the sender's campaign for the whole file."""

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
        """Identifies this state of the file: a different size or version gives a different mark."""
        text = f"{self.entry.name}\0{self.entry.size}\0{self.entry.version}"
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers between ticks.

    `taken`: marks of the files that the last tick took, and `stood`: the range of their names; `stuck`: marks of files that were taken earlier
    but have not left, with when they were last seen; `seen`: marks of files that may still be incomplete, with when they were first seen; `due`: campaigns
    whose run is still to be requested, with its key; `page`: the name from which the next tick looks for new files.
    """

    taken: list[str] = field(default_factory=list)
    stood: tuple[str, str] | None = None
    stuck: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)
    page: str = ""

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """An unreadable cursor counts as empty, because taking files again adds nothing."""
        try:
            value = json.loads(text or "{}")
            taken, stood = value.get("taken", []), value.get("stood")
            return cls(
                taken=[str(mark) for mark in taken] if isinstance(taken, list) else [],
                stood=(str(stood[0]), str(stood[1])) if stood else None,
                stuck={str(mark): float(at) for mark, at in value.get("stuck", {}).items()},
                seen={str(mark): float(at) for mark, at in value.get("seen", {}).items()},
                due={str(campaign): str(key) for campaign, key in value.get("due", {}).items()},
                page=str(value.get("page", "")),
            )
        except (ValueError, TypeError, AttributeError, LookupError):
            return cls()

    def text(self) -> str:
        return json.dumps({name: value for name, value in self.__dict__.items() if value}, separators=(",", ":"))


@dataclass(frozen=True)
class Scan:
    """The files in the landing zone: `ready` to be taken (oldest first), `waiting` until complete, `leaving` because they were taken; and the cursor.

    `page`: the name from which this tick looked for new files.
    """

    landing: Objects
    ready: list[LandedFile]
    waiting: list[LandedFile]
    leaving: list[LandedFile]
    cursor: Cursor
    page: str = ""
    promised: frozenset[str] = frozenset()
    """Marks of files that are ready only because their name ends in their content hash, which is checked when they are read."""


@dataclass(frozen=True)
class RunWanted:
    """A run to request: equal drops of a campaign give an equal key, on any machine and after any crash."""

    campaign_id: str
    run_key: str


@dataclass(frozen=True)
class Taken:
    """What a tick did. `left`: files that have left; `postponed`: path → why a file was left for a later tick (changed_while_read, still_being_written,
    unreadable, cannot_leave)."""

    drops: list[IngestedDrop]
    waiting: int
    cursor: Cursor
    left: int = 0
    postponed: dict[str, str] = field(default_factory=dict)


class LandingFull(OSError):
    """Taken files cannot leave the landing zone, and there are too many of them to remember."""


def landing_of(settings: Settings) -> Objects:
    return open_objects(settings.landing_location)


def day_folder(now: datetime) -> str:
    """The folder where a machine puts files that it sends now."""
    return f"dt={now.astimezone(UTC):%Y-%m-%d}/"


def watch(settings: Settings, archive: Archive, cursor: str | None, *, now: datetime) -> Taken:
    """One tick: scan, move or delete taken files, take complete new ones. `ask` then says which campaigns to run.

    Raises LandingFull.
    """
    found = scan(landing_of(settings), cursor, now=now)
    return take(
        found,
        archive,
        now=now,
        leave=settings.landing_taken,
        limits=settings.limits,
        adapters=adapters_of(settings),
        parsed=parsed_of(settings),
    )


def ask(cursor: Cursor, standing: Mapping[str, Standing]) -> tuple[list[RunWanted], Cursor]:
    """The runs to request now, and the cursor without them. `standing`: campaigns that have a run, which must have been looked up after the files were
    taken, because a run that was still queued then will read them."""
    due = {campaign: key for campaign, key in cursor.due.items() if standing.get(campaign) != "queued"}
    free = [campaign for campaign in due if campaign not in standing]
    runs = [RunWanted(campaign, due.pop(campaign)) for campaign in free[:MAX_RUNS]]
    return runs, replace(cursor, due=due)


def take_these(settings: Settings, archive: Archive, paths: Iterable[str]) -> list[IngestedDrop]:
    """Take files of the landing zone that are known to be whole: what was new. They stay for the sensor, to which they are the same drops, with one
    receipt, and which sees them off."""
    landing, now = landing_of(settings), datetime.now(UTC)
    entries = [replace(entry, whole=True) for path in paths for entry in landing.entries(path) if entry.name == path]
    found = _sorted(landing, entries, Cursor(), now)
    how = settings.limits, adapters_of(settings), parsed_of(settings)
    outcomes = [outcome for files in _batches(found.ready) for _, outcome in _take_batch(found, files, archive, now, *how)]
    return [outcome[1] for outcome in outcomes if isinstance(outcome, tuple) and outcome[1].status != "already_ingested"]


def scan(landing: Objects, cursor: str | None, *, now: datetime) -> Scan:
    """Tell complete new files from those still being written and those already taken. Hidden files and unfinished downloads are ignored.

    A file is complete if its store shows only complete ones, if it has not changed for a while, or if its name ends in its content hash (which
    `take` checks).
    """
    known, clock = Cursor.parse(cursor), now.timestamp()
    departing = list(islice(_entries(landing, *known.stood), 2 * PAGE)) if known.stood else []
    page = list(islice(_entries(landing, known.page, ""), PAGE + 1))
    next_page = page[PAGE].name if len(page) > PAGE else ""
    found = _sorted(landing, page[:PAGE], known, now)
    leaving = {file.mark: file for file in (*_sorted(landing, departing, known, now).leaving, *found.leaving)}
    # Files that the last tick took and that are no longer in their place are gone, unless the listing was too short to tell.
    unseen = dict.fromkeys(known.taken, clock) if len(departing) == 2 * PAGE else {}
    stuck = {mark: at for mark, at in (known.stuck | unseen).items() if clock - at < FORGET_SECONDS}
    seen = found.cursor.seen if not (known.page or next_page) else _newest(known.seen | found.cursor.seen)
    fresh = Cursor(stuck=stuck | dict.fromkeys(leaving, clock), seen=seen, due=known.due, page=next_page)
    return replace(found, leaving=list(leaving.values()), cursor=fresh, page=known.page)


def take(
    found: Scan,
    archive: Archive,
    *,
    now: datetime,
    leave: Leave = "move",
    limits: DropLimits = DEFAULT_LIMITS,
    adapters: Adapters | None = None,
    parsed: ParsedDrops | None = None,
    budget_seconds: float = BUDGET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Taken:
    """Move or delete taken files, and store ready ones in the archive until the time is used up; the rest waits for the next tick. Some are always tried.

    Raises LandingFull if as many files cannot leave as a cursor may remember.
    """
    end = clock() + budget_seconds
    left, postponed = _see_off(found, leave, now, clock, end - budget_seconds / 2)
    stuck = {mark: at for mark, at in found.cursor.stuck.items() if mark not in left}
    room = PAGE - len(stuck)
    if found.ready and room <= 0:
        raise LandingFull(
            f"{len(stuck)} files were taken and stay in {found.landing.location} ({next(iter(postponed.values()), 'there was no time to move them')}): "
            f"grant the right to {'delete' if leave == 'delete' else 'move and delete'} there, or move them away by hand; nothing more is taken until then"
        )
    seen, due = dict(found.cursor.seen), dict(found.cursor.due)
    taken: list[str] = []
    drops: list[IngestedDrop] = []
    receipts: dict[str, list[str]] = {}
    done = 0
    for files in _batches(found.ready[:room]):
        if len(due.keys() | receipts.keys()) >= MAX_DUE or (done and clock() >= end):
            break
        done += len(files)
        for file, outcome in _take_batch(found, files, archive, now, limits, adapters, parsed):
            if outcome is None:
                continue
            if isinstance(outcome, str):
                postponed[file.path] = outcome
                if outcome == "still_being_written":
                    continue
            else:
                receipt_id, drop = outcome
                drops.append(drop)
                taken.append(file.mark)
                for campaign_id in drop.campaigns:
                    receipts.setdefault(campaign_id, []).append(receipt_id)
            seen.pop(file.mark, None)
    for campaign_id, ids in receipts.items():
        parts = [due[campaign_id]] if campaign_id in due else []
        due[campaign_id] = f"{campaign_id}:{hashlib.sha256(' '.join([*parts, *sorted(ids)]).encode()).hexdigest()[:16]}"
    cursor = replace(
        found.cursor,
        taken=taken,
        stood=(found.page, found.cursor.page) if taken else None,
        stuck=stuck,
        seen=seen,
        due=due,
        # Files for which there was no time or room are looked at again.
        page=found.cursor.page if done >= len(found.ready) else found.page,
    )
    return Taken(drops, len(found.waiting) + len(postponed), cursor, len(left), postponed)


def _take_batch(
    found: Scan,
    files: list[LandedFile],
    archive: Archive,
    now: datetime,
    limits: DropLimits,
    adapters: Adapters | None,
    parsed: ParsedDrops | None,
) -> Iterator[tuple[LandedFile, tuple[str, IngestedDrop] | str | None]]:
    """For each file, its receipt id and result; or why it is left for a later tick, or None if its sender has withdrawn it."""
    with ThreadPoolExecutor(min(_AT_ONCE, len(files))) as pool:
        read = list(pool.map(lambda file: _bytes_of(found, file), files))
    arrivals: list[tuple[LandedFile, Arrival]] = []
    for file, data in zip(files, read, strict=True):
        if data is not None and not isinstance(data, str):
            receipt_id = hashlib.sha256(f"{file.mark}\0{_sha256(data)}".encode()).hexdigest()[:32]
            arrivals.append((file, Arrival(data, file.path, file.campaign, receipt_id)))
        else:
            yield file, data
    drops = ingest_many(archive, [arrival for _, arrival in arrivals], received_at=now, limits=limits, adapters=adapters, parsed=parsed)
    for (file, arrival), drop in zip(arrivals, drops, strict=True):
        yield file, (arrival.receipt_id or "", drop)


def pending(landing: Objects) -> int:
    """The number of files that wait in the landing zone, those still being written among them."""
    return sum(_landed(entry) is not None for entry in _entries(landing, "", ""))


def _entries(landing: Objects, start: str, end: str) -> Iterator[Entry]:
    """Entries from one name to before another ("" means the end), without those that have left."""
    behind = f"{TAKEN_FOLDER[:-1]}0"  # the first name behind all below the folder
    for low, high in (("", TAKEN_FOLDER), (behind, "")):
        begin, stop = max(start, low), min(end or high, high or end)
        if not stop or begin < stop:
            yield from landing.entries(start=begin, end=stop)


def _sorted(landing: Objects, entries: Iterable[Entry], known: Cursor, now: datetime) -> Scan:
    """Sort the entries by state. The scan's cursor only knows files that are or were waiting."""
    clock = now.timestamp()
    ready: list[LandedFile] = []
    waiting: list[LandedFile] = []
    leaving: list[LandedFile] = []
    seen: dict[str, float] = {}
    promised: set[str] = set()
    taken = {*known.taken, *known.stuck}
    for entry in entries:
        file = _landed(entry)
        if file is None:
            continue
        if file.mark in taken:
            leaving.append(file)
            continue
        since = seen[file.mark] = min(known.seen.get(file.mark, clock), clock)
        settled = entry.whole or clock - since >= SETTLE_SECONDS or clock - file.arrived >= SETTLED_AGE_SECONDS
        if not settled and _CONTENT_NAME.search(file.path):
            promised.add(file.mark)
        (ready if settled or file.mark in promised else waiting).append(file)
    ready.sort(key=lambda file: (file.arrived, file.path))
    return Scan(landing, ready, waiting, leaving, Cursor(seen=seen), promised=frozenset(promised))


def _newest(seen: dict[str, float]) -> dict[str, float]:
    """As many marks as a cursor may hold. A forgotten file only waits a little longer."""
    return dict(sorted(seen.items(), key=lambda item: item[1])[-PAGE:])


def _see_off(found: Scan, leave: Leave, now: datetime, clock: Callable[[], float], end: float) -> tuple[set[str], dict[str, str]]:
    """Marks of files that have left, and path → why a file cannot."""
    gone: set[str] = set()
    postponed: dict[str, str] = {}

    def see_off(file: LandedFile) -> str | None:
        try:
            if leave == "delete":
                found.landing.remove(file.entry)
            else:
                found.landing.move(file.entry, _taken_name(file, now))
        except (FileNotFoundError, ObjectChanged):
            pass  # withdrawn or rewritten: then it is a different file, to be looked at separately
        except OSError as error:
            return f"cannot_leave: {type(error).__name__}"
        return None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for start in range(0, len(found.leaving), _TOGETHER):
            if start and clock() >= end:
                break
            files = found.leaving[start : start + _TOGETHER]
            for file, reason in zip(files, pool.map(see_off, files), strict=True):
                if reason is None:
                    gone.add(file.mark)
                else:
                    postponed[file.path] = reason
    return gone, postponed


def _taken_name(file: LandedFile, now: datetime) -> str:
    """Where a taken file goes: its own path below the day, with its mark, so that it never replaces a file with the same name."""
    stem, ending = posixpath.splitext(file.path)
    return f"{TAKEN_FOLDER}{day_folder(now)}{stem}-{file.mark[:8]}{ending}"


def _batches(files: list[LandedFile]) -> Iterator[list[LandedFile]]:
    batch: list[LandedFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) >= _TOGETHER or size + file.entry.size > _TOGETHER_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.entry.size
    if batch:
        yield batch


def _bytes_of(found: Scan, file: LandedFile) -> bytes | BinaryIO | str | None:
    """The file's bytes, or a copy of a large file; else why it is left for a later tick, or None if its sender has withdrawn it."""
    data: bytes | BinaryIO
    try:
        if file.entry.size <= STREAMED_BYTES:
            data = found.landing.get(file.path, file.entry)
        else:
            data = tempfile.TemporaryFile(prefix="lead-assets-")  # noqa: SIM115 - closed when nobody has it any more
            found.landing.fetch(file.path, data, file.entry)
    except FileNotFoundError:
        return None
    except ObjectChanged:
        return "changed_while_read"
    except OSError as error:
        return f"unreadable: {type(error).__name__}"
    if file.mark in found.promised and not _is_named_by(file.path, _sha256(data)):
        return "still_being_written"
    return data


def _sha256(data: bytes | BinaryIO) -> str:
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest()
    data.seek(0)
    return hashlib.file_digest(data, "sha256").hexdigest()  # type: ignore[arg-type]


def _is_named_by(path: str, sha256: str) -> bool:
    named = _CONTENT_NAME.search(path)
    return named is not None and sha256.startswith(named[1])


def _landed(entry: Entry) -> LandedFile | None:
    """What a file's name says about it; None for hidden files and unfinished downloads."""
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
