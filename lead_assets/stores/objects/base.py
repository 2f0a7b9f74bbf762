"""What a store of objects is, wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """One object as a listing shows it. `name` is below the root, its parts joined by "/"."""

    name: str
    size: int
    version: str
    """Another content has another version: a bucket's generation; a file's time of writing in nanoseconds."""
    arrived: float
    """When it came to stand here, seconds since the epoch."""
    whole: bool
    """True where an object appears only once all of it is there (a bucket); a file may still be being written."""


class ObjectChanged(OSError):
    """The object is not (or no longer) the one that the listing showed."""


class StoreError(OSError):
    """The store refused or could not be reached; the text says which, and what to do. `passing`: it may go well later, with nothing mended."""

    def __init__(self, text: str, *, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


class Objects(Protocol):
    """A root folder or bucket. Names sort by code point, which is also the order of their UTF-8 bytes."""

    @property
    def location(self) -> str: ...

    def put(self, name: str, data: bytes) -> bool:
        """Write the object, whole or not at all, unless there is one of that name. Returns whether it was written. Never overwrites."""

    def replace(self, name: str, data: bytes) -> None:
        """Write the object, whole or not at all, in the place of what was there. For what is derived and can be made again."""

    def get(self, name: str, entry: Entry | None = None) -> bytes:
        """The bytes, checked against the store's checksum. Raises FileNotFoundError; ObjectChanged if it is not the entry's content (any more)."""

    def holds(self, name: str) -> bool:
        """Whether there is an object of that name."""

    def entries(self, prefix: str = "", *, start: str = "", end: str = "") -> Iterator[Entry]:
        """Objects whose name begins with `prefix`, in order of name, from `start` on and before `end` ("" means no end). Lazy: stop when you have enough."""

    def names(self, prefix: str) -> list[str]:
        """The names of `entries(prefix)`, at a fraction of the price: nothing else is asked of each."""

    def move(self, entry: Entry, name: str) -> None:
        """Let the entry's object stand under another name. Made again after a crash, it ends well; an object of that name is taken to be the same.

        Raises FileNotFoundError if it is gone, ObjectChanged (and moves nothing) if it is not the entry's content any more.
        """

    def remove(self, entry: Entry) -> None:
        """Delete the entry's object. One that is gone already is fine. Raises ObjectChanged (and deletes nothing) if it is not the entry's content any more."""

    def folders(self, prefix: str) -> list[str]:
        """Names of the folders directly below `prefix` ("" or ending in "/"), sorted, without what is in them."""
