"""Masks every mention of a person in whatever was found and has no owner: files, objects, rows of tables, by the kind of the file.

Does not belong here: stores that know which of their rows are about whom (see `taking_out`).
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import adapters_of
from lead_assets.privacy import databases
from lead_assets.privacy.needles import Needles, pack, unpack
from lead_assets.privacy.redaction import DropReading, redact
from lead_assets.privacy.search import Holding, postgres_url, rows_with
from lead_assets.privacy.work import Work
from lead_assets.stores.objects import open_objects


def redact_place(work: Work, holding: Holding) -> None:
    """Whatever was found and has no owner above: by the kind of the file."""
    if holding.where.startswith("Postgres"):
        work.note("Postgres", databases.mask_postgres(postgres_url(work.settings), work.needles))
    elif holding.object is not None:
        _redact_object(work, *holding.object)
    elif holding.path is not None and holding.path.exists():
        _redact_file(work, holding.path)
        if holding.in_name:
            masked, _ = work.needles.mask_text(holding.path.name)
            holding.path.rename(holding.path.with_name(masked.replace("*", "_")))
            work.note("file names", len(holding.path.name.encode()))


def _redact_object(work: Work, location: str, name: str) -> None:
    store = open_objects(location)
    if f"{location}/{name}".startswith(f"{work.settings.derived_location}/"):
        for entry in [entry for entry in store.entries(name) if entry.name == name]:
            store.remove(entry)
            work.note("derived", entry.size)
        return
    try:
        data, size = _masked_bytes(store.get(name), work)
    except FileNotFoundError:  # gone since it was listed
        return
    store.replace(name, data)
    work.note("objects", size)


def _redact_file(work: Work, path: Path) -> None:
    store = _store_of(work.settings, path)
    if store == "derived":
        work.note(store, path.stat().st_size)
        path.unlink(missing_ok=True)
        return
    if path.name.endswith(("-wal", "-shm", "-journal")) and databases.is_sqlite(Path(str(path).rpartition("-")[0])):
        path = Path(str(path).rpartition("-")[0])
    if databases.is_sqlite(path):
        # The ledger's own rows are done: what may be left of them is on free pages.
        is_ledger = work.settings.ledger_location.endswith(path.name) and store not in work.removed
        size = 0 if is_ledger else databases.mask_sqlite(path, work.needles)
        databases.compact_sqlite(path)
        work.note(store, size)
        return
    data = path.read_bytes()
    changed, size = _masked_bytes(data, work)
    if changed != data:
        aside = path.with_name(f".{work.erasure}.tmp")
        aside.write_bytes(changed)
        os.chmod(aside, path.stat().st_mode)
        aside.replace(path)
    work.note(store, size)


def _masked_bytes(data: bytes, work: Work) -> tuple[bytes, int]:
    """A file or object without them: leads in it go whole, if it is a drop that waits or was taken; in everything else they are masked."""
    if data.startswith(b"PAR1"):
        frame, size = masked_rows(pl.read_parquet(io.BytesIO(data)), work.needles)
        made = io.BytesIO()
        frame.write_parquet(made)
        return made.getvalue(), size
    if not data.startswith(b"PK\x03\x04") and not work.needles.finds(data):
        return data, 0  # what has an owner is clean by now, such as files of events
    with contextlib.suppress(ValueError):
        reading = DropReading(work.settings.limits, adapters_of(work.settings))
        left = redact(data, work.needles, work.person.theirs, reading)
        if not work.needles.finds(left.data):
            return left.data, left.masked + max(0, len(data) - len(left.data))
    if data.startswith(b"PK\x03\x04"):
        made = io.BytesIO()
        size = 0
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
            for member in archive.infolist():
                content, count = _masked_bytes(archive.read(member), work)
                size += count
                packed.writestr(member, content)
        return made.getvalue(), size
    if (text := unpack(data)) is not None:
        masked, size = work.needles.mask(text)
        return pack(masked, "gzip" if data[:1] == b"\x1f" else "zlib"), size
    return work.needles.mask(data)


def masked_rows(rows: pl.DataFrame, needles: Needles) -> tuple[pl.DataFrame, int]:
    """The rows with every mention masked, and how many bytes were."""
    concerned = rows_with(rows, needles)
    if not concerned.any():
        return rows, 0
    masked = 0
    at = concerned.arg_true()
    for name, dtype in rows.schema.items():
        if dtype == pl.String:
            new = [needles.mask_text(text) if text is not None else (None, 0) for text in rows[name].gather(at)]
            values: list[Any] = [text for text, _ in new]
        elif dtype == pl.List(pl.String):
            lists = [[needles.mask_text(text or "") for text in texts] if texts is not None else None for texts in rows[name].gather(at)]
            values = [[text for text, _ in each] if each is not None else None for each in lists]
            new = [pair for each in lists for pair in each or []]
        else:
            continue
        if count := sum(count for _, count in new):
            masked += count
            changed = rows[name].to_list()
            for place, value in zip(at, values, strict=True):
                changed[place] = value
            rows = rows.with_columns(pl.Series(name, changed, dtype=dtype))
    return rows, masked


def _store_of(settings: Settings, path: Path) -> str:
    """The store that a file belongs to, as the receipt calls it."""
    folders = {
        "derived": Path(settings.derived_location),
        "landing zone": Path(settings.landing_location),
        "archive": Path(settings.archive_location),
        "warehouse": settings.warehouse_folder,
        "run history": Path(os.environ.get("DAGSTER_HOME", settings.home / "dagster")),
    }
    for name, folder in folders.items():
        if path.is_relative_to(folder.resolve()):
            return name
    return "ledger, free pages" if path.name.startswith("ledger.sqlite") else "other files"
