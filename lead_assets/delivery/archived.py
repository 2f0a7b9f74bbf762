"""Which enrichment events a campaign's files in the archive contain, so that each event is archived once, however often its row is made.

The ids in each file are remembered in one derived object per campaign: ten more leads do not cost the reading of ten thousand events. If it is deleted,
damaged or older than the files, those that it does not know are read, to the same rows. A file that retention has deleted contains nothing any more.
Does not belong here: what an event is (see `events`).
"""

from __future__ import annotations

import gzip
import io
import logging
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import Objects, StoreError

_READERS = 8
_ID = b'"event_id":"'
_LENGTH = 36
_SCHEMA = pl.Schema({"file": pl.String(), "event_ids": pl.List(pl.String())})

_log = logging.getLogger(__name__)


def index_name(campaign_id: str) -> str:
    """The derived object that remembers which events are in the campaign's files."""
    return f"events/{campaign_id}.parquet"


class ArchivedEvents:
    """The event files of one campaign."""

    def __init__(self, archive: Archive, derived: Objects, campaign_id: str) -> None:
        self._archive = archive
        self._derived = derived
        self._campaign_id = campaign_id
        there = archive.event_names(campaign_id)
        remembered = self._remembered()
        known = remembered.filter(pl.col("file").is_in(there))
        new = sorted(set(there) - set(known["file"]))
        with ThreadPoolExecutor(_READERS) as pool:
            read = list(pool.map(self._ids, new))
        self._files = pl.concat([known, pl.DataFrame({"file": new, "event_ids": read}, schema=_SCHEMA)])
        self._changed = bool(new) or known.height < remembered.height
        self.ids = frozenset(self._files["event_ids"].explode().drop_nulls().to_list())

    def add(self, event_ids: Sequence[str], data: bytes) -> None:
        """Archive a file with these events."""
        file = self._archive.put_events(self._campaign_id, data)
        # One of that name may be there: damaged, so that nothing of it was known.
        others = self._files.filter(pl.col("file") != file)
        self._files = pl.concat([others, pl.DataFrame({"file": [file], "event_ids": [event_ids]}, schema=_SCHEMA)])
        self._changed = True

    def names(self, event_ids: pl.Series) -> pl.Series:
        """The file of each event. Of several, as in homes older than this module, it is the one with most of these events and least beside them."""
        wanted = event_ids.rename("event_id").to_frame()
        each = self._files.with_columns(size=pl.col("event_ids").list.len()).explode("event_ids").rename({"event_ids": "event_id"})
        found = each.join(wanted, on="event_id", how="semi").with_columns(of_these=pl.len().over("file"))
        best = found.sort("of_these", "size", "file", descending=[True, False, False]).unique("event_id", keep="first", maintain_order=True)
        return wanted.join(best, on="event_id", how="left", validate="m:1", maintain_order="left")["file"]

    def remember(self) -> None:
        """Store what is known of the files for next time. If the store refuses it, that costs time but no event."""
        if not self._changed:
            return
        packed = io.BytesIO()
        self._files.sort("file").write_parquet(packed)
        try:
            self._derived.replace(index_name(self._campaign_id), packed.getvalue())
        except OSError as error:
            _log.warning(
                "which events of campaign %s are archived cannot be stored below %s: %s", self._campaign_id, self._derived.location, error
            )

    def _remembered(self) -> pl.DataFrame:
        try:
            return pl.read_parquet(io.BytesIO(self._derived.get(index_name(self._campaign_id)))).match_to_schema(_SCHEMA)
        except FileNotFoundError:
            return pl.DataFrame(schema=_SCHEMA)
        except (pl.exceptions.PolarsError, OSError) as error:
            if isinstance(error, StoreError):
                raise
            _log.warning(
                "what is known of campaign %s's event files cannot be read (%s): reading them again",
                self._campaign_id,
                type(error).__name__,
            )
            return pl.DataFrame(schema=_SCHEMA)

    def _ids(self, name: str) -> list[str]:
        """The ids of a file's events; of a file that is damaged, none, because nobody can load it."""
        try:
            with gzip.open(io.BytesIO(self._archive.read(name))) as lines:
                # Before the id are only the model's answer and the company, after it whatever the sender wrote.
                starts = ((line, line.find(_ID) + len(_ID)) for line in lines)
                return [line[start : start + _LENGTH].decode("ascii", "replace") for line, start in starts if start >= len(_ID)]
        except (gzip.BadGzipFile, EOFError, zlib.error):
            _log.warning("%s in the archive is damaged: its events are archived again", name)
            return []
