"""What the list of leads filters, sorts, searches and shows: narrow columns of all campaigns, in memory.

A page over the Parquet files of a million leads takes a second or two, most of it for opening files and reading texts again that nothing has changed.
So each campaign's columns are copied once and again only when one of its files was replaced. Nothing is written to the disk: whoever is forgotten is gone from
here with the files. Belongs here: the copy and questions to it. Does not belong here: what a URL may ask (see `reading`), other warehouses, which are fast.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from lead_assets.contracts import Lead, RoutingDecision, Score, Table
from lead_assets.stores.warehouse.base import PartitionMissing
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse, Stamp
from lead_assets.stores.warehouse.questions import mask

if TYPE_CHECKING:
    import duckdb

SHOWN = (
    *("campaign_id", "lead_id", "received_at", "full_name", "name_first", "name_last", "email_normalized"),
    *("company", "company_domain", "title", "country_code"),
)
"""Columns of identity.leads in the list."""
_READS: dict[type[Table], Sequence[str]] = {
    Lead: SHOWN,
    Score: ("campaign_id", "lead_id", "score", "tier"),
    RoutingDecision: ("campaign_id", "lead_id", "owner", "path"),
}
_SEARCHED = ("lead_id", "company", "company_domain")
_SEARCHED_WITH_PII = (*_SEARCHED, "full_name", "email_normalized")
_log = logging.getLogger(__name__)
_CAMPAIGNS_AT_ONCE = 20
_LOOKED_SECONDS = 0.5
"""A change is seen this long after it, or as soon as it is asked for."""
_WAITED_SECONDS = 0.15
"""Longer changes are seen by a later page: nobody waits for a backfill."""
_COUNTS = 500


class Listing:
    """A copy of the warehouse's lead list; safe for threads."""

    def __init__(self, warehouse: DuckDBWarehouse) -> None:
        import duckdb

        self._warehouse = warehouse
        self._database = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
        self._database.execute("SET TimeZone = 'UTC'")
        empty = [contract.empty().select(columns).to_arrow() for contract, columns in _READS.items()]
        self._put(self._database, "CREATE TABLE leads AS ", *empty)
        self._stamps: dict[str, tuple[Stamp | None, ...]] = {}
        self._version = self._dead = 0
        self._looked = float("-inf")
        self._writing, self._asking = threading.Lock(), threading.Lock()
        self._counts: OrderedDict[tuple[int, str, tuple[Any, ...]], tuple[int, dict[str, list[tuple[str, int]]]]] = OrderedDict()
        self._different: dict[str, tuple[int, list[str]]] = {}
        self._first = threading.Event()

    @property
    def is_ready(self) -> bool:
        """Whether all campaigns were copied once."""
        return self._first.is_set()

    def is_fresh(self) -> bool:
        """See what has changed, if nobody looked lately; False until everything was copied once. Waits for a small change only."""
        with self._asking:
            if time.monotonic() - self._looked < _LOOKED_SECONDS or self._writing.locked():
                return self.is_ready
            self._looked = time.monotonic()
            work = threading.Thread(target=self._refresh, daemon=True)
            work.start()
        work.join(_WAITED_SECONDS)
        return self.is_ready

    def _refresh(self) -> None:
        try:
            self.refresh()
        except Exception as error:
            _log.warning("explorer: the copy of the lead list could not be renewed (%s); the next page tries again", type(error).__name__)

    def refresh(self) -> None:
        """Copy the campaigns whose files have changed, and drop those that are gone."""
        with self._writing:
            now = self._stamps_now()
            changed = sorted(key for key in now.keys() | self._stamps.keys() if now.get(key) != self._stamps.get(key))
            for start in range(0, len(changed), _CAMPAIGNS_AT_ONCE):
                self._copy(changed[start : start + _CAMPAIGNS_AT_ONCE], now)
            self._first.set()

    def close(self) -> None:
        with self._writing:
            self._database.close()

    def counted(
        self, columns: Sequence[str], condition: str, values: Sequence[Any], most: int
    ) -> tuple[int, dict[str, list[tuple[str, int]]]]:
        """How many leads meet the condition; and for each column its most frequent values among them, with how many leads have each."""
        key = (self._version, condition, tuple(values))
        if (known := self._counts.get(key)) is None:
            sets = ", ".join(f"({name})" for name in (*columns, ""))
            names = ", ".join(columns)
            # One look at the leads for all of it: a search takes most of a page's time.
            sql = f"SELECT {names}, COUNT(*) AS n, GROUPING({names}) AS level FROM leads {condition} GROUP BY GROUPING SETS ({sets})"
            found = self._rows(sql, values)
            all_bits = (1 << len(columns)) - 1
            facets = {}
            for at, name in enumerate(columns):
                level = all_bits - (1 << (len(columns) - 1 - at))
                counts = [(row[name], row["n"]) for row in found if row["level"] == level and row[name] is not None]
                facets[name] = sorted(counts, key=lambda each: (-each[1], each[0]))[:most]
            known = self._counts[key] = (sum(row["n"] for row in found if row["level"] == all_bits), facets)
            while len(self._counts) > _COUNTS:
                self._counts.popitem(last=False)
        return known

    def page(self, condition: str, values: Sequence[Any], order: Sequence[str], most: int, *, pii: bool) -> list[dict[str, Any]]:
        """Leads that meet the condition, in an order; columns as in SHOWN, score, tier, owner, path, and what it is sorted by. Personal data is masked
        without `pii`."""
        specs = {column.name: column for contract in _READS for column in contract.columns()}
        names = dict.fromkeys(name for columns in _READS.values() for name in columns)
        shown = ", ".join(name if pii else f"{mask(specs[name], f'found.{name}')} AS {name}" for name in names)
        by, sorting = order[0].split()[0], ", ".join(order)
        # Only what is sorted by goes through the sort: the texts are three times as much work.
        at = f"SELECT rowid FROM leads {condition} ORDER BY {sorting} LIMIT {most}"
        found = f"(SELECT * FROM leads WHERE rowid IN ({at})) AS found"
        return self._rows(f"SELECT {shown}, {by} AS sorted_by FROM {found} ORDER BY {', '.join(f'found.{each}' for each in order)}", values)

    def names(self, condition: str, values: Sequence[Any], order: Sequence[str], most: int) -> list[dict[str, Any]]:
        """campaign_id and lead_id of leads that meet the condition, in an order."""
        return self._rows(f"SELECT campaign_id, lead_id FROM leads {condition} ORDER BY {', '.join(order)} LIMIT {most}", values)

    def different(self, column: str) -> list[str]:
        """The values of a column, sorted."""
        version = self._version
        known = self._different.get(column)
        if known is None or known[0] != version:
            sql = f"SELECT DISTINCT {column} AS v FROM leads WHERE {column} IS NOT NULL ORDER BY v"
            known = self._different[column] = (version, [row["v"] for row in self._rows(sql, ())])
        return known[1]

    def _stamps_now(self) -> dict[str, tuple[Stamp | None, ...]]:
        each = [self._warehouse.stamps(contract) for contract in _READS]
        return {key: tuple(stamps.get(key) for stamps in each) for key in each[0]}

    def _copy(self, keys: Sequence[str], now: dict[str, tuple[Stamp | None, ...]]) -> None:
        try:
            frames = [
                self._frame(contract, columns, [key for key in keys if key in now and now[key][at] is not None])
                for at, (contract, columns) in enumerate(_READS.items())
            ]
        except PartitionMissing:  # it went between the two looks; the next one sees it
            return
        writer = self._database.cursor()
        writer.begin()
        try:
            among = ", ".join("?" for _ in keys)
            gone = writer.execute(f"DELETE FROM leads WHERE campaign_id IN ({among})", list(keys)).fetchall()
            self._put(writer, "INSERT INTO leads ", *(frame.to_arrow() for frame in frames))
            writer.commit()
        except BaseException:
            writer.rollback()
            raise
        self._dead += int(gone[0][0])
        self._stamps = {key: stamps for key, stamps in self._stamps.items() if key not in keys} | {
            key: now[key] for key in keys if key in now
        }
        self._version += 1
        alive = self._rows("SELECT COUNT(*) AS n FROM leads", ())[0]["n"]
        if self._dead > alive // 2 + 10_000:  # deleted rows are still scanned
            self._database.cursor().execute("CREATE OR REPLACE TABLE leads AS SELECT * FROM leads ORDER BY campaign_id")
            self._dead = 0

    def _frame(self, contract: type[Table], columns: Sequence[str], keys: Sequence[str]) -> pl.DataFrame:
        if not keys:
            return contract.empty().select(columns)
        return self._warehouse.query(f"SELECT {', '.join(columns)} FROM {contract.table}", [contract], keys)

    @staticmethod
    def _put(connection: duckdb.DuckDBPyConnection, statement: str, leads: Any, scores: Any, decisions: Any) -> None:
        specs = {column.name: column for column in Lead.columns()}
        for name, table in (("l_", leads), ("s_", scores), ("d_", decisions)):
            connection.register(name, table)
        with_pii = ", ".join(f"l.{name}" for name in _SEARCHED_WITH_PII)
        without = ", ".join(mask(specs[name], f"l.{name}") for name in _SEARCHED)
        try:
            connection.execute(
                f"{statement}SELECT {', '.join(f'l.{name}' for name in SHOWN)}, s.score, s.tier, d.owner, d.path, "
                f"COALESCE(s.score, -1) AS by_score, LOWER(COALESCE({mask(specs['company'], 'l.company')}, '')) AS by_company, "
                f"LOWER(CONCAT_WS(CHR(10), {without})) AS searched, LOWER(CONCAT_WS(CHR(10), {with_pii})) AS searched_with_pii "
                "FROM l_ AS l LEFT JOIN s_ AS s ON s.campaign_id = l.campaign_id AND s.lead_id = l.lead_id "
                "LEFT JOIN d_ AS d ON d.campaign_id = l.campaign_id AND d.lead_id = l.lead_id ORDER BY l.campaign_id"
            )
        finally:
            for name in ("l_", "s_", "d_"):
                connection.unregister(name)

    def _rows(self, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        reader = self._database.cursor()
        try:
            rows: list[dict[str, Any]] = reader.sql(sql, params=list(values)).to_arrow_table().to_pylist()
            return rows
        finally:
            reader.close()
