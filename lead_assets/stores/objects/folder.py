"""Objects as files below a local folder."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from lead_assets.stores.objects.base import Entry, ObjectChanged


class Folder:
    """See `lead_assets.stores.objects.Objects`. Hidden files are no objects: they are being written, or belong to somebody else."""

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
        aside = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.tmp")
        try:
            aside.write_bytes(data)
            _place(aside, path)
        except FileExistsError:
            return False
        finally:
            aside.unlink(missing_ok=True)
        return True

    def get(self, name: str, entry: Entry | None = None) -> bytes:
        path = self.root / name
        data = path.read_bytes()
        if entry is not None:
            after = self._entry(path, name)
            if (after.version, after.size, len(data)) != (entry.version, entry.size, entry.size):
                raise ObjectChanged(f"{name} was written while it was read")
        return data

    def holds(self, name: str) -> bool:
        return (self.root / name).exists()

    def entries(self, prefix: str = "", *, start: str = "", end: str = "") -> Iterator[Entry]:
        folder = prefix.rpartition("/")[0]
        yield from self._below(self.root / folder, f"{folder}/" if folder else "", prefix, start, end)

    def folders(self, prefix: str) -> list[str]:
        try:
            with os.scandir(self.root / prefix) as found:
                return sorted(each.name for each in found if each.is_dir() and not each.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _below(self, folder: Path, above: str, prefix: str, start: str, end: str) -> Iterator[Entry]:
        """Sorted as whole names are: a folder stands where its name with a slash does. What cannot hold a name of the range is not opened."""
        try:
            with os.scandir(folder) as found:
                # Linked folders are not followed (they may lead in a circle); sockets and the like are no objects.
                names = sorted(
                    (f"{above}{each.name}{'/' if is_folder else ''}", each.path)
                    for each in found
                    if each.name[0] != "." and ((is_folder := each.is_dir(follow_symlinks=False)) or each.is_file())
                )
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # gone, or not ours to look into: whoever looks again sees
        for name, path in names:
            if end and name >= end:
                return
            if name.endswith("/"):
                # The last name below a folder comes before its name with the character after "/".
                if (name.startswith(prefix) or prefix.startswith(name)) and f"{name[:-1]}0" > start:
                    yield from self._below(Path(path), name, prefix, start, end)
            elif name >= start and name.startswith(prefix):
                try:
                    yield self._entry(Path(path), name)
                except OSError:
                    continue  # gone between listing and looking

    def _entry(self, path: Path, name: str) -> Entry:
        stat = path.stat()
        # Moving a file here keeps its time of writing; its time of change tells when it came.
        return Entry(name, stat.st_size, str(stat.st_mtime_ns), max(stat.st_mtime, stat.st_ctime), whole=False)


def _place(aside: Path, path: Path) -> None:
    try:
        # A link, unlike a rename, does not replace what another process put there meanwhile.
        os.link(aside, path)
    except FileExistsError:
        raise
    except OSError:
        aside.rename(path)  # a file system without links
