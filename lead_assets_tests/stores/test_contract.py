"""The guarantees of every warehouse, tested on both: exactly the run's partitions are written, atomically, and read back unchanged."""

from __future__ import annotations

import threading
from datetime import date
from typing import Annotated, Any, ClassVar

import polars as pl
import pytest

from lead_assets.contracts import TABLES, WHOLE_HOME, CampaignFunnel, Column, Grain, RawLead, Score, Table
from lead_assets.stores.warehouse.base import ContractViolation, PartitionMissing, digest
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.stores.conftest import Store
from lead_assets_tests.stores.frames import bare, full, scores, two_partitions


@pytest.mark.slow
def test_every_table_is_there_at_once_and_every_column_comes_back_as_it_was(store: Store) -> None:
    """Unicode, quotes, NUL in JSON, numbers no float holds, times with a zone beyond 2262, decimals, lists; and a null wherever one may be."""
    store.warehouse.prepare()
    for contract in TABLES.values():
        columns = ", ".join(f"COUNT({name})" for name in contract.polars_schema().names())
        assert set(*store.rows(f"SELECT {columns} FROM {contract.table}")) == {0}
    for contract in TABLES.values():
        first, *others = keys = two_partitions(contract)
        frame = pl.concat([full(contract, first), *(bare(contract, key) for key in others)])
        store.warehouse.write(contract, frame, keys)
        read = store.warehouse.read(contract, keys)
        assert read.schema == contract.polars_schema()
        assert read.to_dicts() == frame.to_dicts(), contract.table
        assert digest(read) == digest(frame)
        store.warehouse.write(contract, bare(contract, first), [first])
        assert store.warehouse.read(contract, [first]).to_dicts() == bare(contract, first).to_dicts(), contract.table


def test_columns_come_back_in_the_contracts_order_whatever_order_they_came_in(store: Store) -> None:
    frame = scores("a", 3)
    store.warehouse.write(Score, frame.select(reversed(frame.columns)), ["a"])
    assert store.warehouse.read(Score, ["a"]).equals(frame)


def test_rows_come_back_sorted_by_their_key(store: Store) -> None:
    frame = scores("a", 12)
    store.warehouse.write(Score, frame.reverse(), ["a"])
    assert store.warehouse.read(Score, ["a"]).equals(frame.sort("lead_id"))


def test_a_write_replaces_all_and_only_its_partitions(store: Store) -> None:
    store.warehouse.write(Score, pl.concat([scores("a", 3), scores("b", 2)]), ["a", "b"])
    store.warehouse.write(Score, scores("a", 1), ["a"])
    assert store.rows("SELECT campaign_id, COUNT(*) FROM scoring.scores GROUP BY 1 ORDER BY 1") == [("a", 1), ("b", 2)]


def test_many_partitions_are_written_at_once_and_those_without_rows_emptied(store: Store) -> None:
    keys = [f"c{index:02}" for index in range(25)]
    store.warehouse.write(Score, pl.concat([scores(key, 2) for key in keys]), keys)
    store.warehouse.write(Score, pl.concat([scores(key, 1) for key in keys[:10]]), keys[:20])
    counts = dict(store.rows("SELECT campaign_id, COUNT(*) FROM scoring.scores GROUP BY 1"))
    assert counts == dict.fromkeys(keys[:10], 1) | dict.fromkeys(keys[20:], 2)
    assert store.warehouse.partitions(Score) == keys


def test_a_partition_keeps_its_note_until_it_is_written_without_one(store: Store) -> None:
    """A note says what a partition was made from: one that outlives its rows would keep a partition that has to be made again."""

    def noting(key: str, _content: str, rows: int) -> str:
        return f"{key} of {rows}"

    assert store.warehouse.notes(Score, ["a"]) == {}
    store.warehouse.write(Score, pl.concat([scores("a", 3), scores("b", 2)]), ["a", "b", "c"], noting)
    assert store.warehouse.notes(Score, ["a", "b", "c", "x"]) == {"a": "a of 3", "b": "b of 2", "c": "c of 0"}
    store.warehouse.renote(Score, {"a": 'it\'s "sealed" — ü'})
    assert store.another().notes(Score, ["a", "b"]) == {"a": 'it\'s "sealed" — ü', "b": "b of 2"}
    assert store.warehouse.read(Score, ["a"]).height == 3
    store.warehouse.write(Score, scores("a", 3), ["a"])
    assert store.warehouse.notes(Score, ["a", "b"]) == {"b": "b of 2"}
    store.warehouse.write(Score, scores("a", 1), ["a"], noting)
    assert store.warehouse.notes(Score, ["a"]) == {"a": "a of 1"}
    assert store.warehouse.notes(RawLead, ["a", "b"]) == {}


def test_an_empty_frame_clears_its_partition_and_keeps_the_types(store: Store) -> None:
    store.warehouse.write(Score, scores("a", 3), ["a"])
    store.warehouse.write(Score, Score.empty(), ["a"])
    assert store.warehouse.read(Score, ["a"]).equals(Score.empty())
    assert store.warehouse.read(Score, ["a"]).schema == Score.polars_schema()
    assert store.rows("SELECT COUNT(*) FROM scoring.scores") == [(0,)]
    assert store.another().read(Score, ["a"]).equals(Score.empty())
    assert store.another().partitions(Score) == ["a"]


def test_a_range_of_partitions_is_read_in_the_order_asked_for(store: Store) -> None:
    for key in ("a", "b", "c", "d"):
        store.warehouse.write(Score, scores(key, 2), [key])
    assert store.warehouse.read(Score, ["c", "b"])["campaign_id"].to_list() == ["c", "c", "b", "b"]
    assert store.warehouse.read(Score)["campaign_id"].unique(maintain_order=True).to_list() == ["a", "b", "c", "d"]
    assert store.warehouse.read(Score, []).equals(Score.empty())


def test_a_partition_that_was_never_written_is_named(store: Store) -> None:
    store.warehouse.write(Score, scores("a", 1), ["a"])
    with pytest.raises(PartitionMissing, match=r"scoring.scores has no partition 'x' yet: materialize scoring/scores"):
        store.warehouse.read(Score, ["a", "x"])
    assert store.warehouse.read(RawLead).equals(RawLead.empty())


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (scores("a", 1).with_columns(surprise=pl.lit(1)), r"unknown columns \['surprise'\]"),
        (scores("a", 1).drop("tier"), r"missing columns \['tier'\]"),
        (scores("a", 1).drop("tier").with_columns(x=1), r"unknown columns \['x'\] and missing columns \['tier'\]: return exactly"),
        (scores("a", 1).with_columns(score=pl.lit("many")), "column score \\(String\\) has values that do not fit Float64"),
        (scores("a", 1).with_columns(tier=pl.lit(None, pl.String)), r"nulls in required columns \{'tier': 1\}"),
        (scores("b", 1), "partitions that this run does not write, e.g. 'b'"),
        (pl.concat([scores("a", 1), scores("a", 1)]), "repeat a key"),
    ],
)
def test_a_frame_that_breaks_its_contract_is_refused_and_the_old_rows_stay(store: Store, frame: pl.DataFrame, says: str) -> None:
    store.warehouse.write(Score, scores("a", 2), ["a"])
    with pytest.raises(ContractViolation, match=says):
        store.warehouse.write(Score, frame, ["a"])
    assert store.warehouse.read(Score, ["a"]).equals(scores("a", 2))


# The connector's own timer tries to cancel the lost statement over the same lost wire.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_failure_half_way_leaves_the_old_partition_whole(store: Store) -> None:
    store.warehouse.write(Score, scores("a", 40), ["a"])
    with store.failing(), pytest.raises((OSError, pl.exceptions.ComputeError)):
        store.warehouse.write(Score, scores("a", 30), ["a"])
    assert store.another().read(Score, ["a"]).equals(scores("a", 40).sort("lead_id"))
    store.warehouse.write(Score, scores("a", 30), ["a"])
    assert store.warehouse.read(Score, ["a"]).height == 30


def test_writers_of_different_partitions_do_not_wait_or_meet(store: Store) -> None:
    store.warehouse.write(Score, Score.empty(), ["z"])
    failures: list[Exception] = []

    def write(warehouse: Any, key: str) -> None:
        try:
            for size in (3, 5, 4):
                warehouse.write(Score, scores(key, size), [key])
        except Exception as error:  # a failure in a thread must reach the test
            failures.append(error)

    # Two threads of one process, two of another one's store.
    writers = [threading.Thread(target=write, args=(store.warehouse, key)) for key in ("a", "b")]
    writers += [threading.Thread(target=write, args=(store.another(), key)) for key in ("c", "d")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    assert store.rows("SELECT campaign_id, COUNT(*) FROM scoring.scores GROUP BY 1 ORDER BY 1") == [(key, 4) for key in "abcd"]


HOSTILE = ["a'; DROP TABLE scoring.scores; --", "../../x", 'q"uote', "100%_[*?]", "é 日本", "a/b\\c", "?", "..", "$1", "x" * 64]


def test_a_hostile_campaign_id_is_only_a_value(store: Store) -> None:
    store.warehouse.write(Score, pl.concat([scores(key, 1) for key in HOSTILE]), HOSTILE)
    store.warehouse.write(Score, scores(HOSTILE[0], 2), [HOSTILE[0]])
    assert store.warehouse.partitions(Score) == sorted(HOSTILE)
    for key in HOSTILE:
        assert store.warehouse.read(Score, [key])["campaign_id"].unique().to_list() == [key]
    counted = store.warehouse.query("SELECT campaign_id, COUNT(*) AS n FROM scoring.scores GROUP BY campaign_id", [Score], HOSTILE[:3])
    assert dict(counted.iter_rows()) == {HOSTILE[0]: 2, HOSTILE[1]: 1, HOSTILE[2]: 1}


def test_a_query_sees_the_partitions_it_is_for_and_no_other(store: Store) -> None:
    for key in ("a", "b", "c"):
        store.warehouse.write(Score, scores(key, 2), [key])
    sql = """
    -- a comment that names routing.decisions
    WITH hot AS (SELECT campaign_id, score FROM scoring.scores AS s WHERE tier = 'warm')
    SELECT scores.campaign_id, COUNT(*) AS n, MAX(hot.score) AS best, MIN(scores.parts) AS parts
    FROM scoring.scores JOIN hot ON hot.campaign_id = scores.campaign_id AND hot.score = scores.score
    GROUP BY scores.campaign_id ORDER BY 1
    """
    frame = store.warehouse.query(sql, [Score], ["a", "c"])
    assert frame.rows() == [("a", 2, 1.0, "[]"), ("c", 2, 1.0, "[]")]


def test_a_query_without_rows_has_its_types(store: Store) -> None:
    store.warehouse.write(RawLead, RawLead.empty(), ["a"])
    frame = store.warehouse.query("SELECT campaign_id, received_at, loan_amount_requested FROM intake.raw_leads", [RawLead], ["a"])
    assert frame.schema == {"campaign_id": pl.String(), "received_at": pl.Datetime("us", "UTC"), "loan_amount_requested": pl.Float64()}


def test_a_query_gives_times_nulls_and_money_exactly(store: Store) -> None:
    for contract in (RawLead, CampaignFunnel):
        store.warehouse.write(contract, full(contract, "a"), ["a"])
        store.warehouse.write(contract, bare(contract, "b"), ["b"])
    sql = "SELECT l.campaign_id, l.submitted_at, f.cost_usd, f.hot FROM intake.raw_leads l JOIN marts.campaign_funnel f USING (campaign_id)"
    frame = store.warehouse.query(sql, [RawLead, CampaignFunnel], ["a", "b"]).sort("campaign_id")
    raw, funnel = full(RawLead, "a").row(0, named=True), full(CampaignFunnel, "a").row(0, named=True)
    assert frame.rows() == [("a", raw["submitted_at"], funnel["cost_usd"], funnel["hot"]), ("b", None, funnel["cost_usd"], funnel["hot"])]


def test_a_query_over_a_partition_that_was_never_written_is_refused(store: Store) -> None:
    store.warehouse.write(Score, scores("a", 1), ["a"])
    with pytest.raises(PartitionMissing, match="'nowhere'"):
        store.warehouse.query("SELECT COUNT(*) AS n FROM scoring.scores", [Score], ["nowhere"])


class Spent(Table):
    """A table of days, for tests."""

    table: ClassVar[str] = "marts.spent"
    key: ClassVar[tuple[str, ...]] = ("day", "provider")
    grain: ClassVar[Grain] = "day"

    day: Annotated[date, Column("Day")]
    provider: Annotated[str, Column("Provider")]
    calls: Annotated[int, Column("Calls")]


class Person(Table):
    """A table of the whole home, for tests: no column of it names a campaign."""

    table: ClassVar[str] = "identity.people"
    key: ClassVar[tuple[str, ...]] = ("person_id",)
    grain: ClassVar[Grain] = "home"

    person_id: Annotated[str, Column("Person")]
    leads: Annotated[int, Column("Leads")]


@pytest.fixture
def grains(monkeypatch: pytest.MonkeyPatch) -> None:
    for contract in (Spent, Person):
        monkeypatch.setitem(TABLES, contract.table, contract)


def spent(*days: str, calls: int = 1) -> pl.DataFrame:
    return Spent.frame({"day": date.fromisoformat(day), "provider": name, "calls": calls} for day in days for name in ("apollo", "hunter"))


def people(*names: str) -> pl.DataFrame:
    return Person.frame({"person_id": name, "leads": 2} for name in names)


@pytest.mark.usefixtures("grains")
def test_a_partition_of_a_table_of_days_is_a_day(store: Store) -> None:
    store.warehouse.write(Spent, spent("2026-11-24", "2026-11-25"), ["2026-11-24", "2026-11-25"])
    store.warehouse.write(Spent, spent("2026-11-25", calls=9), ["2026-11-25"])
    assert store.warehouse.partitions(Spent) == ["2026-11-24", "2026-11-25"]
    assert store.warehouse.read(Spent, ["2026-11-25"]).equals(spent("2026-11-25", calls=9))
    assert store.warehouse.read(Spent, ["2026-11-25", "2026-11-24"])["calls"].to_list() == [9, 9, 1, 1]
    assert store.rows("SELECT SUM(calls) FROM marts.spent") == [(20,)]
    store.warehouse.write(Spent, Spent.empty(), ["2026-11-25"])
    assert store.another().read(Spent).equals(spent("2026-11-24"))
    with pytest.raises(PartitionMissing, match=r"marts.spent has no partition '2026-11-26'"):
        store.warehouse.read(Spent, ["2026-11-26"])
    with pytest.raises(ContractViolation, match=r"partitions that this run does not write, e.g. '2026-11-24'"):
        store.warehouse.write(Spent, spent("2026-11-24"), ["2026-11-25"])


@pytest.mark.usefixtures("grains")
def test_a_table_of_the_whole_home_is_replaced_whole(store: Store) -> None:
    assert store.warehouse.partitions(Person) == []
    assert store.warehouse.read(Person).equals(Person.empty())
    store.warehouse.write(Person, people("ana", "bo", "cy"), [WHOLE_HOME])
    store.warehouse.write(Person, people("bo", "di"), [WHOLE_HOME])
    assert store.warehouse.partitions(Person) == [WHOLE_HOME]
    assert store.another().read(Person).equals(people("bo", "di"))
    assert store.rows("SELECT COUNT(*) FROM identity.people") == [(2,)]
    store.warehouse.write(Person, Person.empty(), [WHOLE_HOME])
    assert store.another().read(Person, [WHOLE_HOME]).equals(Person.empty())
    with pytest.raises(ContractViolation, match="this run does not write"):
        store.warehouse.write(Person, people("ana"), ["spring"])


@pytest.mark.usefixtures("grains")
def test_a_query_of_the_whole_home_sees_all_there_is_and_one_of_campaigns_only_those(store: Store) -> None:
    for key in ("a", "b", "c"):
        store.warehouse.write(Score, scores(key, 2), [key])
    store.warehouse.write(Spent, spent("2026-11-24", "2026-11-25"), ["2026-11-24", "2026-11-25"])
    store.warehouse.write(Person, people("ana"), [WHOLE_HOME])
    sql = """
    SELECT (SELECT COUNT(*) FROM scoring.scores) AS scores, (SELECT COUNT(*) FROM marts.spent) AS spent,
        (SELECT COUNT(*) FROM identity.people) AS people, (SELECT COUNT(*) FROM marts.campaign_funnel) AS funnel
    """
    reads = [Score, Spent, Person, CampaignFunnel]
    assert store.warehouse.query(sql, reads).rows() == [(6, 4, 1, 0)]
    assert store.warehouse.query(sql, reads, ["2026-11-24"], "day").rows() == [(6, 2, 1, 0)]
    with pytest.raises(PartitionMissing, match=r"marts.campaign_funnel has no partition 'a'"):
        store.warehouse.query(sql, reads, ["a", "c"])
    store.warehouse.write(CampaignFunnel, full(CampaignFunnel, "a"), ["a", "c"])
    assert store.warehouse.query(sql, reads, ["a", "c"]).rows() == [(4, 4, 1, 1)]


def test_a_table_that_becomes_one_of_the_whole_home_loses_its_campaigns(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written under the old grain is not counted beside what the new one holds."""

    class WholeScore(Score):
        """The same columns, of the whole home."""

        grain: ClassVar[Grain] = "home"

    store.warehouse.write(Score, scores("a", 3), ["a"])
    monkeypatch.setitem(TABLES, Score.table, WholeScore)
    later = store.another()
    assert later.partitions(WholeScore) == []
    later.write(WholeScore, WholeScore.frame(scores("b", 2).to_dicts()), [WHOLE_HOME])
    assert later.read(WholeScore).height == 2
    assert store.rows("SELECT campaign_id, COUNT(*) FROM scoring.scores GROUP BY 1") == [("b", 2)]


def test_a_table_written_before_its_contract_gained_a_column_still_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows that were there have no value in it; the next write has."""

    class Younger(Score):
        reviewed_by: str | None = None

    store.warehouse.write(Score, scores("a", 1), ["a"])
    store.warehouse.write(Score, scores("b", 1), ["b"])
    monkeypatch.setitem(TABLES, Score.table, Younger)
    later = store.another()
    younger: type[Table] = Younger
    assert later.read(younger)["reviewed_by"].to_list() == [None, None]
    later.write(younger, scores("b", 1).with_columns(reviewed_by=pl.lit("ana")), ["b"])
    assert later.read(younger)["reviewed_by"].to_list() == [None, "ana"]
    assert store.rows("SELECT campaign_id, reviewed_by FROM scoring.scores ORDER BY 1") == [("a", None), ("b", "ana")]


def test_both_warehouses_are_told_apart_by_their_location(store: Store) -> None:
    assert ("warehouse.duckdb" in store.warehouse.location) == isinstance(store.warehouse, DuckDBWarehouse)
