"""The rows of single drops, kept when a drop is counted, so that a large drop is parsed once and not twice: by `ingest`, and not again by `read`.

Derived, like `parsed`: if it is deleted, damaged, or made by a different parser, the drop is read from the archive, to the same rows. One object per drop
and column map, written part by part, so that no more than two parts are in memory; it is there as a whole or not at all.

Does not belong here: the rows of campaigns (see `parsed`), or parsing (see `drops`).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import BinaryIO

import polars as pl

from lead_assets.core.limits import DropLimits
from lead_assets.intake.adapters import Adapters
from lead_assets.intake.drops import NO_LEADS, NO_REJECTS, Drops
from lead_assets.intake.parsed import parser_of
from lead_assets.stores.objects.base import Objects, StoreError

KEPT_FROM_BYTES = 1 << 20
"""Smaller drops are parsed again in less time than an object in a bucket takes."""
_KEPT_TO_BYTES = 1 << 30
"""Rows of more bytes than this (compressed) are not kept: a drop that unpacks to so much would fill the disk a second time."""

_HAS_IT = "has-it-"
_EMPTY = {"leads": NO_LEADS, "rejects": NO_REJECTS}

_log = logging.getLogger(__name__)

Source = tuple[str, Mapping[str, str]]
"""SHA-256 (hex) of a drop, and the column map that it is read with."""


class KeptDrops:
    """The rows of drops, in a store of derived objects."""

    def __init__(self, objects: Objects, limits: DropLimits, adapters: Adapters | None) -> None:
        self.objects = objects
        self._parser = parser_of(limits, adapters)

    def get(self, source: Source) -> Drops | None:
        """The drop's rows, with 0 as its number; None if there are none of this parser."""
        name = self._name(source)
        try:
            with self.objects.open(name) as stream, zipfile.ZipFile(stream) as parts:
                frames = {kind: [pl.read_ipc(parts.read(part)) for part in parts.namelist() if part.startswith(kind)] for kind in _EMPTY}
            leads, rejects = (pl.concat([empty, *frames[kind]]) for kind, empty in _EMPTY.items())
        except FileNotFoundError:
            return None
        except (zipfile.BadZipFile, KeyError, ValueError, pl.exceptions.PolarsError, OSError) as error:
            if isinstance(error, StoreError):
                raise
            _log.warning("the kept rows of drop %s cannot be read (%s): reading the drop again", source[0], type(error).__name__)
            return None
        return Drops(leads, rejects.sort("position", "part"), ())

    def taken_over(self, sha256: str, by: Iterable[str], campaigns: Iterable[str]) -> None:
        """Note that these campaigns (`by`) have the drop's rows in `parsed`; once all of its campaigns have, they are not kept here, too. A failure costs
        space."""
        folder = f"drops/{sha256}/"
        try:
            if not self.objects.names(folder):
                return
            for campaign in by:
                self.objects.put(f"{folder}{_HAS_IT}{campaign}", b"")
            entries = list(self.objects.entries(folder))
            if {folder + _HAS_IT + campaign for campaign in campaigns} <= {entry.name for entry in entries}:
                for entry in entries:
                    self.objects.remove(entry)
        except OSError as error:
            _log.warning("the kept rows of drop %s cannot be removed from %s: %s", sha256, self.objects.location, error)

    @contextlib.contextmanager
    def keeper(self, sources: Mapping[int, Source]) -> Iterator[Keeper]:
        """Takes the parts of these drops (by their numbers) as they are read, in order. Nothing is stored of a drop whose reading does not come to its end."""
        with ThreadPoolExecutor(1) as pool:
            keeper = Keeper(self, sources, pool)
            try:
                yield keeper
                keeper.finish()
            finally:
                keeper.give_up()

    def store(self, source: Source, file: BinaryIO) -> None:
        self.objects.keep(file, lambda _: self._name(source))

    def _name(self, source: Source) -> str:
        sha256, column_map = source
        mapped = hashlib.sha256(json.dumps(dict(column_map), sort_keys=True).encode()).hexdigest()[:12]
        return f"drops/{sha256}/{mapped}-{self._parser}.zip"


class Keeper:
    """Writes the parts of one drop after the other, beside the reading of the next part. If the disk or the store refuses them, that costs time but no rows."""

    def __init__(self, kept: KeptDrops, sources: Mapping[int, Source], pool: ThreadPoolExecutor) -> None:
        self.sources = sources
        self._kept = kept
        self._pool = pool
        self._number: int | None = None
        self._file: BinaryIO | None = None
        self._parts: zipfile.ZipFile | None = None
        self._writing: Future[None] | None = None

    def add(self, part: Drops) -> None:
        """A part of a drop; of one that is not to be kept, nothing happens."""
        if part.number is None or part.number not in self.sources:
            return
        if part.number != self._number:
            self.finish()
            self._number = part.number
            with self._costs_no_rows():
                self._file = tempfile.TemporaryFile(prefix="lead-assets-")  # noqa: SIM115 (closed in `give_up`)
                self._parts = zipfile.ZipFile(self._file, "w")
        with self._costs_no_rows():
            if self._written() and self._parts is not None:
                self._writing = self._pool.submit(_write, self._parts, part)

    def finish(self) -> None:
        """Store the drop whose parts have all come."""
        with self._costs_no_rows():
            if self._written() and self._number is not None and self._parts is not None and self._file is not None:
                self._parts.close()
                self._kept.store(self.sources[self._number], self._file)
        self.give_up()
        self._number = None

    def give_up(self) -> None:
        """Keep nothing of the drop."""
        if self._writing is not None:
            wait([self._writing])
        for opened in (self._parts, self._file):
            if opened is not None:
                with contextlib.suppress(OSError):
                    opened.close()
        self._file = self._parts = self._writing = None

    def _written(self) -> bool:
        """Wait for the part before. False if nothing is kept of this drop."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None
        if self._file is not None and self._file.tell() > _KEPT_TO_BYTES:
            self.give_up()
        return self._file is not None

    @contextlib.contextmanager
    def _costs_no_rows(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _log.warning("the rows of a drop cannot be kept below %s: %s", self._kept.objects.location, error)
            self.give_up()


def _write(parts: zipfile.ZipFile, part: Drops) -> None:
    number = len(parts.infolist())
    for kind, frame in (("leads", part.leads), ("rejects", part.rejects)):
        if not frame.is_empty():
            body = io.BytesIO()
            frame.with_columns(drop=pl.lit(0, dtype=pl.Int64)).write_ipc(body, compression="lz4")
            parts.writestr(f"{kind}-{number:06}.arrow", body.getbuffer())
