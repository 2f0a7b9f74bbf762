"""What is the local warehouse's own: files, views, folders, and readers beside writers. What it shares with Snowflake is in test_contract."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from lead_assets.contracts import TABLES, CampaignFunnel, RawLead, Score
from lead_assets.stores.warehouse import duckdb as duckdb_module
from lead_assets.stores.warehouse.base import digest, digest_in_order
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets.stores.warehouse.questions import QuestionError, ask
from lead_assets_tests.stores.frames import scores

COMMENTS = duckdb_module._comments


@pytest.fixture(autouse=True)
def _with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_module, "_comments", COMMENTS)


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse")


def rows_of(warehouse: DuckDBWarehouse, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse.database), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_times_come_back_as_the_instants_they_were(warehouse: DuckDBWarehouse) -> None:
    at = datetime(2026, 11, 20, 23, 59, 59, 123456, tzinfo=UTC)
    row = {
        "campaign_id": "a",
        "lead_id": "l",
        "adapter": "csv",
        "drop_sha256": "0",
        "drop_name": "f",
        "position": 1,
        "part": 1,
        "received_at": at,
        "payload": "{}",
    }
    warehouse.write(RawLead, RawLead.frame([row | {"extra": "{}"}]), ["a"])
    assert warehouse.read(RawLead, ["a"])["received_at"].to_list() == [at]
    assert rows_of(warehouse, "SELECT epoch_us(received_at) FROM intake.raw_leads") == [(int(at.timestamp()) * 1_000_000 + 123456,)]


def test_a_file_written_before_the_contract_gained_a_column_still_reads(warehouse: DuckDBWarehouse) -> None:
    warehouse.write(CampaignFunnel, CampaignFunnel.empty(), ["a"])
    warehouse.write(Score, pl.concat([scores("a", 1), scores("b", 1)]), ["a", "b"])
    old = warehouse.folder / "scoring" / "scores" / "campaign_id=a" / "part.parquet"
    pl.read_parquet(old).drop("ruleset").write_parquet(old)
    assert warehouse.read(Score)["ruleset"].to_list() == [None, "b2b-rules-1"]
    assert rows_of(warehouse, "SELECT ruleset FROM scoring.scores ORDER BY campaign_id") == [(None,), ("b2b-rules-1",)]


def test_rows_in_memory_are_those_of_the_file_or_nobodys(warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step reads what an earlier one wrote without reading the file, unless somebody else has replaced or deleted it."""
    warehouse.write(Score, pl.concat([scores("a", 3), scores("b", 2)]), ["a", "b"])
    kept = warehouse.read(Score, ["b", "a"])
    assert kept.equals(DuckDBWarehouse(warehouse.folder).read(Score, ["b", "a"]))
    DuckDBWarehouse(warehouse.folder).write(Score, scores("a", 1), ["a"])
    assert warehouse.read(Score, ["a", "b"]).height == 3
    monkeypatch.setattr(duckdb_module, "_KEPT_BYTES", int(scores("c", 4).estimated_size()) + 1)
    warehouse.write(Score, pl.concat([scores("c", 4), scores("d", 4)]), ["c", "d"])
    assert len(warehouse._written._rows) == 1
    assert warehouse.read(Score, ["c", "d"]).height == 8


def test_rows_that_another_process_replaces_at_once_are_not_kept(warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    other, replace = DuckDBWarehouse(warehouse.folder), duckdb_module.os.replace
    other.prepare()

    def and_again(aside: Path, path: Path) -> None:
        replace(aside, path)
        monkeypatch.setattr(duckdb_module.os, "replace", replace)
        other.write(Score, scores("a", 1), ["a"])

    warehouse.prepare()
    monkeypatch.setattr(duckdb_module.os, "replace", and_again)
    warehouse.write(Score, scores("a", 3), ["a"])
    assert warehouse.read(Score, ["a"]).height == 1


def test_the_catalog_says_of_each_column_what_the_contract_says(warehouse: DuckDBWarehouse) -> None:
    warehouse.prepare()
    said = rows_of(
        warehouse,
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal AND schema_name <> 'masked'",
    )
    wanted = [
        (contract.schema_name(), contract.table_name(), column.name, column.sql_type, column.description)
        for contract in TABLES.values()
        for column in contract.columns()
    ]
    assert sorted(said) == sorted(wanted)
    tables = rows_of(warehouse, "SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal AND schema_name <> 'masked'")
    assert sorted(tables) == sorted((each.schema_name(), each.table_name(), each.description()) for each in TABLES.values())


def test_a_column_of_json_is_asked_as_json_and_read_back_as_the_text_it_was(warehouse: DuckDBWarehouse) -> None:
    frame = scores("a", 1).with_columns(parts=pl.lit('[{"points":7.5,"rule":"size"}]'))
    warehouse.write(Score, frame, ["a"])
    assert rows_of(warehouse, "SELECT parts[0].points::DOUBLE, parts->0->>'rule' FROM scoring.scores") == [(7.5, "size")]
    assert warehouse.read(Score)["parts"].to_list() == ['[{"points":7.5,"rule":"size"}]']


def test_a_catalog_of_older_contracts_is_replaced(warehouse: DuckDBWarehouse) -> None:
    warehouse.prepare()
    warehouse.database.unlink()
    with duckdb.connect(str(warehouse.database)) as connection:
        connection.execute("CREATE TABLE old (x INTEGER)")
    (warehouse.folder / ".views.sql").write_text("SELECT 'another version'")
    DuckDBWarehouse(warehouse.folder).write(Score, scores("a", 1), ["a"])
    assert rows_of(warehouse, "SELECT COUNT(*) FROM scoring.scores") == [(1,)]


def test_hostile_folder_and_partition_names_are_only_names(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "it's; DROP")
    warehouse.write(Score, scores("a-drop-80c56239", 1), ["a-drop-80c56239"])
    assert rows_of(warehouse, "SELECT COUNT(*) FROM scoring.scores") == [(1,)]


def test_readers_and_writers_do_not_meet(warehouse: DuckDBWarehouse) -> None:
    """A reader sees the old rows or the new ones of a partition, never an error and never a mixture."""
    warehouse.write(Score, scores("a", 500), ["a"])
    stop, failures = threading.Event(), []

    def write() -> None:
        size = 500
        while not stop.is_set():
            size = 1100 - size
            try:
                warehouse.write(Score, scores("a", size), ["a"])
            except Exception as error:  # a failure in a thread must reach the test
                failures.append(error)
                return

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = {rows_of(warehouse, "SELECT COUNT(*) FROM scoring.scores")[0][0] for _ in range(30)}
    stop.set()
    for writer in writers:
        writer.join()
    assert failures == []
    assert seen <= {500, 600}


def test_a_note_without_its_rows_says_nothing(warehouse: DuckDBWarehouse) -> None:
    """A person may delete a partition's file to have it made again."""
    warehouse.write(Score, pl.concat([scores("a", 1), scores("b", 1)]), ["a", "b"], lambda key, *_: key)
    (warehouse.folder / "scoring" / "scores" / "campaign_id=a" / "part.parquet").unlink()
    assert warehouse.notes(Score, ["a", "b"]) == {"b": "b"}
    assert warehouse.partitions(Score) == ["b"]


@pytest.mark.parametrize("left", [0, 4, 500])
def test_a_file_that_was_cut_off_has_no_note_and_is_named_by_a_query(warehouse: DuckDBWarehouse, left: int) -> None:
    warehouse.write(Score, pl.concat([scores("a", 1), scores("b", 1)]), ["a", "b"], lambda key, *_: key)
    (file,) = warehouse.folder.glob("scoring/scores/*=a/*.parquet")
    file.write_bytes(file.read_bytes()[:left])
    assert warehouse.notes(Score, ["a", "b"]) == {"b": "b"}
    with pytest.raises(QuestionError, match=r"part\.parquet.*is damaged, run its campaign again"):
        ask(warehouse, "SELECT * FROM scoring.scores")


def test_a_write_leaves_nothing_beside_its_files(warehouse: DuckDBWarehouse) -> None:
    warehouse.write(Score, scores("a", 1), ["a"], lambda key, *_: key)
    with pytest.raises(ZeroDivisionError):
        warehouse.write(Score, scores("a", 2), ["a"], lambda *_: str(1 / 0))
    assert sorted(path.name for path in (warehouse.folder / "scoring" / "scores" / "campaign_id=a").iterdir()) == [
        "note.json",
        "part.parquet",
    ]
    assert sorted(path.name for path in warehouse.folder.iterdir() if path.is_file()) == [".views.sql", "warehouse.duckdb"]


def test_a_digest_does_not_depend_on_the_order_of_rows_or_columns() -> None:
    frame = scores("a", 5)
    assert digest(frame) == digest(frame.reverse().select(reversed(frame.columns)))
    for other in (frame.with_columns(tier=pl.lit("hot")), frame[:-1], frame[1:], pl.concat([frame, frame[:1]])):
        assert digest(frame) != digest(other)
        assert digest_in_order(frame) != digest_in_order(other)
    moments = pl.DataFrame({"at": [datetime(2026, 7, 1, 12, tzinfo=UTC)]})
    elsewhere = moments.with_columns(pl.col("at").dt.convert_time_zone("America/New_York"))
    assert digest(moments) == digest(elsewhere)
    assert digest_in_order(moments) == digest_in_order(elsewhere)
