"""The interface of an object store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, Protocol

COPIED_AT_ONCE = 4 << 20


@dataclass(frozen=True)
class Entry:
    """One object in a listing. `name` is relative to the root, with "/" between its parts."""

    name: str
    size: int
    version: str
    """Changes whenever the content changes: a bucket's generation, or a file's modification time in nanoseconds."""
    arrived: float
    """When it appeared here, in seconds since the epoch."""
    whole: bool
    """True if objects appear only when complete (a bucket). A file may still be in the process of being written."""


class ObjectChanged(OSError):
    """The object has changed since it was listed."""


class StoreError(OSError):
    """The store refused a request or could not be reached; the text says which, and what to do. `passing`: a later retry may succeed without a fix."""

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


class Objects(Protocol):
    """A root folder or bucket. Names sort by code point, which equals the order of their UTF-8 bytes."""

    @property
    def location(self) -> str: ...

    def put(self, name: str, data: bytes) -> bool:
        """Write the object atomically, unless the name is taken. Returns whether it was written. Never overwrites."""

    def replace(self, name: str, data: bytes) -> None:
        """Write the object atomically, replacing any existing one. Only for derived objects that can be made again."""

    def get(self, name: str, entry: Entry | None = None) -> bytes:
        """The bytes, verified by the store's checksum. Raises FileNotFoundError, or ObjectChanged if the content is no longer the entry's."""

    def keep(self, stream: BinaryIO, name_of: Callable[[str], str]) -> tuple[str, int, bool]:
        """Write a whole stream, of any length, as the object whose name is derived from its SHA-256 (hex), like `put`. Returns the hash, the size,
        and whether it was written."""

    def open(self, name: str) -> BinaryIO:
        """The bytes as a seekable stream, verified like in `get`. Raises FileNotFoundError."""

    def fetch(self, name: str, into: IO[bytes], entry: Entry | None = None) -> None:
        """`get` for objects of any size: writes the bytes to a file."""

    def holds(self, name: str) -> bool:
        """Whether an object with that name exists."""

    def entries(self, prefix: str = "", *, start: str = "", end: str = "") -> Iterator[Entry]:
        """Objects whose names begin with `prefix`, sorted by name, from `start` (inclusive) to `end` (exclusive; "" means no end). Lazy: stop when you like."""

    def names(self, prefix: str) -> list[str]:
        """The names of `entries(prefix)`, much cheaper because nothing else is looked up."""

    def move(self, entry: Entry, name: str) -> None:
        """Rename the entry's object. Safe to repeat after a crash: an object that already has the new name is assumed to be the same.

        Raises FileNotFoundError if it is gone, or ObjectChanged (and moves nothing) if its content is no longer the entry's.
        """

    def remove(self, entry: Entry) -> None:
        """Delete the entry's object; does nothing if it is already gone. Raises ObjectChanged (and deletes nothing) if its content is no longer the entry's."""

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders directly below `prefix` ("" or ending in "/"), sorted, without their contents."""


def hashed_copy(source: BinaryIO, target: IO[bytes]) -> tuple[str, int]:
    """Copy a stream from its start, some megabytes at a time. Returns the SHA-256 (hex) and the size of the copied bytes."""
    digest, size = hashlib.sha256(), 0
    source.seek(0)
    while block := source.read(COPIED_AT_ONCE):
        digest.update(block)
        size += target.write(block)
    return digest.hexdigest(), size
