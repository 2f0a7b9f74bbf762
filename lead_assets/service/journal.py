"""The receiver's journal: bytes on the disk before anybody is told that they are safe, and files for the landing zone made from them once a second.

    <home>/receiving/<drop id>.open      records: a JSON line (source, campaign, event_id, lead_id, at, size), then the body, then a newline

A living process holds a lock on its journal. A journal without one was left by a process that died: it is landed by whoever starts next, without the record
that was being written. Landing is repeatable: the names of its files come from the drop id and their content, and equal bytes in the archive count once.

Does not belong here: reading payloads (see `receiving`), taking landing files (see `lead_assets.intake.landing`).
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import orjson

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.stores.objects import Objects


@dataclass(frozen=True)
class Received:
    """One request's body. `at`: microseconds since 1970 UTC; `campaign`: the key of the one that the sender named for all of it."""

    source: str
    body: bytes
    at: int
    event_id: str | None = None
    campaign: str | None = None
    lead_id: str | None = None


class Journal:
    """An open journal of this process. Not safe for threads: one thread writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.drop_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}"
        self.path = folder / f"{self.drop_id}.open"
        self.records = 0
        self._size = 0
        self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        sync_folder(folder)

    def append(self, records: Sequence[Received]) -> None:
        """Write records and wait for the disk. Raises OSError if they are not safe; then none of them is in the journal."""
        data = b"".join(_encoded(record) for record in records)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self.records += len(records)

    def close(self) -> None:
        os.close(self._file)


def left_behind(folder: Path) -> Iterator[Path]:
    """The journals of processes that died, each locked while the caller has it."""
    for path in sorted(folder.glob("*.open")):
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:  # another process has landed it
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                yield path
        except BlockingIOError:
            continue
        finally:
            os.close(file)


def read(path: Path) -> list[Received]:
    """The whole records of a journal. What follows the last one was being written when its process died, and was answered to nobody."""
    records: list[Received] = []
    with path.open("rb") as file:
        while line := file.readline():
            try:
                said = orjson.loads(line)
            except orjson.JSONDecodeError:
                break
            body = file.read(said.pop("size") + 1)
            if not body.endswith(b"\n") or len(line) < 2:
                break
            records.append(Received(body=body[:-1], **said))
    return records


def land(drop_id: str, records: Sequence[Received], landing: Objects) -> list[str]:
    """Put the records' bodies into the landing zone: the JSON objects of a campaign in one file, any other body in a file of its own. Returns the names."""
    together: dict[str | None, list[bytes]] = {}
    alone: list[tuple[str | None, bytes]] = []
    for record in records:
        if (line := _as_line(record.body)) is not None:
            together.setdefault(record.campaign, []).append(line)
        else:
            alone.append((record.campaign, record.body))
    files = [(campaign, b"\n".join(lines) + b"\n") for campaign, lines in together.items()] + alone
    day = drop_id[:8]
    names = []
    for campaign, data in files:
        folder = f"dt={day[:4]}-{day[4:6]}-{day[6:]}/" + (f"{campaign_key(campaign)}/" if campaign else "")
        name = f"{folder}{drop_id}-{sha256(data).hexdigest()[:16]}.ndjson"
        landing.put(name, data)
        names.append(name)
    return names


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _encoded(record: Received) -> bytes:
    said = asdict(record)
    said["size"] = len(said.pop("body"))
    return orjson.dumps(said) + b"\n" + record.body + b"\n"


def _as_line(body: bytes) -> bytes | None:
    """A body that is one JSON object, on one line: a line break in JSON is white space wherever it is allowed."""
    if not body.lstrip().startswith(b"{"):
        return None
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return body.strip().replace(b"\r", b" ").replace(b"\n", b" ")
