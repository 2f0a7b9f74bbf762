"""Objects as files below a local folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from lead_assets.stores.objects.base import COPIED_AT_ONCE, Entry, ObjectChanged, hashed_copy


class Folder:
    """See `lead_assets.stores.objects.Objects`. Hidden files are not objects: they are being written, or belong to another program."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def location(self) -> str:
        return str(self.root)

    def put(self, name: str, data: bytes) -> bool:
        path = self.root / name
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(path)
        try:
            aside.write_bytes(data)
            _place(aside, path)
        except FileExistsError:
            return False
        finally:
            aside.unlink(missing_ok=True)
        return True

    def replace(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = _aside(path)
        try:
            aside.write_bytes(data)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    def get(self, name: str, entry: Entry | None = None) -> bytes:
        path = self.root / name
        data = path.read_bytes()
        if entry is not None:
            after = self._entry(path, name)
            if (after.version, after.size, len(data)) != (entry.version, entry.size, entry.size):
                raise ObjectChanged(f"{name} was changed while it was being read")
        return data

    def keep(self, stream: BinaryIO, name_of: Callable[[str], str]) -> tuple[str, int, bool]:
        self.root.mkdir(parents=True, exist_ok=True)
        aside = _aside(self.root / "incoming")
        try:
            with aside.open("wb") as file:
                sha256, size = hashed_copy(stream, file)
            path = self.root / name_of(sha256)
            if path.exists():
                return sha256, size, False
            path.parent.mkdir(parents=True, exist_ok=True)
            _place(aside, path)
        except FileExistsError:
            return sha256, size, False
        finally:
            aside.unlink(missing_ok=True)
        return sha256, size, True

    def open(self, name: str) -> BinaryIO:
        return (self.root / name).open("rb")

    def fetch(self, name: str, into: IO[bytes], entry: Entry | None = None) -> None:
        with self.open(name) as file:
            shutil.copyfileobj(file, into, COPIED_AT_ONCE)
        if entry is not None:
            after = self._entry(self.root / name, name)
            if (after.version, after.size, into.tell()) != (entry.version, entry.size, entry.size):
                raise ObjectChanged(f"{name} was written while it was read")

    def holds(self, name: str) -> bool:
        return (self.root / name).exists()

    def entries(self, prefix: str = "", *, start: str = "", end: str = "") -> Iterator[Entry]:
        folder = prefix.rpartition("/")[0]
        for name, path in self._files(self.root / folder, f"{folder}/" if folder else "", prefix, start, end):
            try:
                yield self._entry(path, name)
            except OSError:
                continue  # deleted since it was listed

    def names(self, prefix: str) -> list[str]:
        folder = prefix.rpartition("/")[0]
        return [name for name, _ in self._files(self.root / folder, f"{folder}/" if folder else "", prefix, "", "")]

    def move(self, entry: Entry, name: str) -> None:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self._withdraw(entry, target)

    def remove(self, entry: Entry) -> None:
        aside = _aside(self.root / entry.name)
        with contextlib.suppress(FileNotFoundError):
            self._withdraw(entry, aside)
            aside.unlink()

    def folders(self, prefix: str) -> list[str]:
        try:
            with os.scandir(self.root / prefix) as found:
                return sorted(each.name for each in found if each.is_dir() and not each.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _files(self, folder: Path, above: str, prefix: str, start: str, end: str) -> Iterator[tuple[str, str]]:
        """(name, path), in the order of whole names: a folder sorts as its name plus a slash. Folders outside the range are not opened."""
        try:
            with os.scandir(folder) as found:
                # Linked folders are not followed (they may form a loop); sockets and the like are not objects.
                names = sorted(
                    (f"{above}{each.name}{'/' if is_folder else ''}", each.path)
                    for each in found
                    if each.name[0] != "." and ((is_folder := each.is_dir(follow_symlinks=False)) or each.is_file())
                )
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # deleted, or not readable for us
        for name, path in names:
            if end and name >= end:
                return
            if name.endswith("/"):
                # All names below a folder sort before the folder's name followed by the character after "/".
                if (name.startswith(prefix) or prefix.startswith(name)) and f"{name[:-1]}0" > start:
                    yield from self._files(Path(path), name, prefix, start, end)
            elif name >= start and name.startswith(prefix):
                yield name, path

    def _withdraw(self, entry: Entry, target: Path) -> None:
        """Move the file aside, and put it back if it is not the one that was listed. Checking first could lose a write that came in between."""
        path = self.root / entry.name
        path.rename(target)
        now = self._entry(target, entry.name)
        if (now.version, now.size) != (entry.version, entry.size):
            _place(target, path)
            target.unlink(missing_ok=True)
            raise ObjectChanged(f"{entry.name} was changed after it was listed")

    def _entry(self, path: Path | str, name: str) -> Entry:
        stat = os.stat(path)
        # A moved file keeps its modification time; its change time (ctime) says when it arrived.
        return Entry(name, stat.st_size, str(stat.st_mtime_ns), max(stat.st_mtime, stat.st_ctime), whole=False)


def _aside(path: Path) -> Path:
    """A hidden name beside a file, for its replacement or for a file about to be deleted."""
    return path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.tmp")


def _place(aside: Path, path: Path) -> None:
    try:
        # Unlike a rename, a link does not replace what another process has put there in the meantime.
        os.link(aside, path)
    except FileExistsError:
        raise
    except OSError:
        aside.rename(path)  # the file system has no links
