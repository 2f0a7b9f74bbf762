"""Linking any table: who is found, what is bounded, what is refused, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lead_assets.linking.clusters import components
from lead_assets.linking.link import Linked, LinkLimits, link
from lead_assets.linking.roles import CannotLink, prepared
from lead_assets_tests.conftest import Command
from lead_assets_tests.linking.made_up import pairwise_f1, people

pytestmark = pytest.mark.slow

ROLES = {"first_name": "name", "surname": "name", "dob": "date", "birth_place": "text", "postcode": "postcode", "occupation": "exact"}


@pytest.fixture(scope="module")
def records() -> pl.DataFrame:
    return people(600, 1_800, errors=0.4)


@pytest.fixture(scope="module")
def linked(records: pl.DataFrame) -> Linked:
    return link([records], "id", ROLES)


def test_rows_hang_together_by_pairs_whatever_their_order() -> None:
    pairs = pl.DataFrame([(5, 3), (3, 8), (7, 8), (1, 2), (2, 1), (9, 9)], schema=["row_l", "row_r"], orient="row")
    for order in (pairs, pairs.reverse(), pairs.rename({"row_l": "row_r", "row_r": "row_l"})):
        assert components(10, order).tolist() == [0, 1, 1, 3, 4, 3, 6, 3, 3, 9]
    assert components(3, pairs.clear()).tolist() == [0, 1, 2]


def _clusters(linked: Linked) -> set[frozenset[str]]:
    return {frozenset(ids) for ids in linked.clusters.group_by("cluster").agg("id")["id"].to_list()}


def test_records_of_one_person_are_found_despite_errors(records: pl.DataFrame, linked: Linked) -> None:
    assert pairwise_f1(linked.pairs, dict(zip(records["id"], records["person"], strict=True))) > 0.97


def test_every_pair_inside_a_cluster_is_written_with_its_weight(linked: Linked) -> None:
    sizes = linked.clusters["cluster"].value_counts()["count"].cast(pl.Int64)
    assert linked.pairs.height == int((sizes * (sizes - 1) // 2).sum())
    assert linked.pairs["match_weight"].null_count() == 0
    assert linked.pairs.select(pl.struct(pl.concat_list("id_l", "id_r").list.sort()).n_unique()).item() == linked.pairs.height


def test_the_order_of_rows_changes_nothing(records: pl.DataFrame, linked: Linked) -> None:
    again = link([records.reverse()], "id", ROLES)
    assert len(_clusters(linked) ^ _clusters(again)) <= 0.02 * len(_clusters(linked))
    assert link([records], "id", ROLES).pairs.equals(linked.pairs)


def test_a_column_says_what_it_is_worth(linked: Linked) -> None:
    worth = {worth.column: worth.bits for worth in linked.worth}
    assert worth["dob"][0] > worth["first_name"][0] > 0 > worth["dob"][-1]
    assert worth["surname"][0] > worth["occupation"][0], "a rare thing in common says more than a frequent one"


def test_two_tables_that_name_everybody_once_are_linked_one_to_one(records: pl.DataFrame) -> None:
    first = records.unique("person", keep="first", maintain_order=True)
    second = records.join(first, on="id", how="anti").unique("person", keep="first", maintain_order=True)
    linked = link([first, second], "id", ROLES)
    assert linked.one_to_one
    assert pairwise_f1(linked.pairs, dict(pl.concat([first, second]).select("id", "person").iter_rows())) > 0.97
    assert linked.pairs["id_l"].is_in(first["id"].implode()).all()
    assert linked.pairs["id_r"].is_in(second["id"].implode()).all()


def test_both_tables_may_use_the_same_ids(records: pl.DataFrame) -> None:
    one, other = records.head(300), records.head(300).sample(fraction=1.0, shuffle=True, seed=3)
    linked = link([one, other], "id", ROLES)
    assert (linked.pairs["id_l"] == linked.pairs["id_r"]).sum() == 300


def test_given_and_family_name_may_have_changed_places_and_dates_may_be_written_otherwise() -> None:
    table = people(300, 300, errors=0)
    turned = table.with_columns(
        first_name="surname", surname="first_name", dob=pl.col("dob").str.to_date().dt.strftime("%d/%m/%Y"), id=pl.col("id") + "b"
    )
    linked = link([pl.concat([table, turned])], "id", ROLES)
    assert pairwise_f1(linked.pairs, {f"{name}{end}": at for at, name in enumerate(table["id"]) for end in ("", "b")}) > 0.99


def test_ten_thousand_copies_of_one_row_are_one_cluster_and_cost_no_square(records: pl.DataFrame) -> None:
    copies = pl.concat([records.head(1)] * 10_000).with_columns(id=pl.int_range(pl.len()).cast(pl.String) + "x")
    linked = link([pl.concat([records, copies])], "id", ROLES)
    assert linked.clusters.filter(pl.col("id").str.ends_with("x"))["cluster"].n_unique() == 1
    assert linked.looked_at < 1_000_000
    assert linked.in_part == 1
    assert 10_000 <= linked.pairs.height < 30_000
    assert linked.pairs.filter(pl.col("id_r").str.ends_with("x"))["match_weight"].null_count() == 0


def test_ten_thousand_records_of_one_person_who_all_differ_stay_bounded(records: pl.DataFrame) -> None:
    one = records.head(1).drop("birth_place")
    copies = pl.concat([one] * 10_000).with_columns(
        id=pl.int_range(pl.len()).cast(pl.String) + "x", birth_place=pl.int_range(pl.len()).cast(pl.String) + "th town"
    )
    linked = link([pl.concat([records, copies.select(records.columns)])], "id", ROLES)
    assert linked.clusters.filter(pl.col("id").str.ends_with("x"))["cluster"].n_unique() == 1
    assert linked.skipped, "what was not compared is said"
    assert linked.pairs.height < 30_000


def test_a_huge_block_is_compared_in_part_and_named() -> None:
    table = people(2_500, 2_500, errors=0.2).with_columns(town=pl.lit("x"), id=pl.col("id"))
    linked = link(
        [table.with_columns(town=pl.when(pl.col("person") == 1).then(pl.lit("y")).otherwise("town"))], "id", {**ROLES, "town": "exact"}
    )
    assert "town" in linked.skipped
    assert linked.looked_at < 2_500 * 2_499 // 2


def test_a_limit_of_pairs_is_kept(records: pl.DataFrame) -> None:
    linked = link([records], "id", ROLES, LinkLimits(most_pairs=20_000))
    assert linked.looked_at <= 20_000
    assert linked.skipped


@pytest.mark.parametrize("rows", [0, 1])
def test_nobody_and_one_alone_are_nobodys_pair(records: pl.DataFrame, rows: int) -> None:
    linked = link([records.head(rows)], "id", ROLES)
    assert linked.pairs.height == 0
    assert linked.clusters["id"].to_list() == records["id"].to_list()[:rows]
    assert linked.pairs.columns == ["id_l", "id_r", "match_weight", "match_probability", "cluster"]


def test_an_empty_second_table_links_nobody(records: pl.DataFrame) -> None:
    assert link([records, records.head(0)], "id", ROLES).pairs.height == 0


def test_a_column_that_says_nothing_is_left_out_and_named(records: pl.DataFrame) -> None:
    table = records.with_columns(state=pl.lit("NY"), fax=pl.lit(None, pl.String), full=pl.col("first_name") + " " + pl.col("surname"))
    linked = link([table], "id", {**ROLES, "state": "exact", "fax": "phone", "full": "name"})
    assert linked.left_out == {"state": "it has one value", "fax": "it is empty", "full": "it repeats other name columns"}


def test_numbers_nan_and_infinities_are_values_or_unknown() -> None:
    table = pl.DataFrame(
        {"id": [1, 2, 3, 4], "zip": [10115.0, 10115.0, float("nan"), float("inf")], "name": ["ann lee", "ann lee", "bo", "cy"]}
    )
    rows = prepared([table], "id", {"zip": "postcode"}).rows
    assert rows["c0_postcode"].to_list() == ["10115", "10115", None, None]
    assert link([table], "id", {"zip": "postcode", "name": "name"}).clusters.height == 4


@pytest.mark.parametrize(
    ("change", "roles", "says"),
    [
        (pl.col("id"), {}, "no column has a role"),
        (pl.col("id"), {"surname": "family"}, "unknown role"),
        (pl.col("id"), {"sirname": "name"}, "no column 'sirname'"),
        (pl.lit("a").alias("id"), {"surname": "name"}, "repeat an id"),
        (pl.lit(None, pl.String).alias("id"), {"surname": "name"}, "have no id"),
        (pl.lit(None, pl.String).alias("surname"), {"surname": "name"}, "nothing to compare"),
    ],
)
def test_what_cannot_be_linked_is_refused_with_the_next_step(
    records: pl.DataFrame, change: pl.Expr, roles: dict[str, str], says: str
) -> None:
    with pytest.raises(CannotLink, match=says):
        link([records.with_columns(change)], "id", roles)


def test_the_command_links_files_and_writes_pairs_and_clusters(records: pl.DataFrame, tmp_path: Path, command: Command) -> None:
    records.head(200).write_csv(tmp_path / "a.csv")
    records.slice(200, 300).write_parquet(tmp_path / "b.parquet")
    arguments = [f"--role={column}={role}" for column, role in ROLES.items()]
    answer = command(
        *("identity", "link", "--input", str(tmp_path / "a.csv"), "--input", str(tmp_path / "b.parquet"), "--id-col", "id"),
        *(*arguments, "--out", str(tmp_path / "pairs.csv"), "--clusters", str(tmp_path / "who.csv"), "--json"),
    ).answer()
    pairs = pl.read_csv(tmp_path / "pairs.csv")
    assert answer["pairs"] == pairs.height > 0
    assert answer["rows"] == 500 == pl.read_csv(tmp_path / "who.csv").height
    assert {column["column"] for column in answer["columns"]} == set(ROLES)


def test_the_command_says_what_to_write_instead_of_a_wrong_role(tmp_path: Path, command: Command) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,ann\n2,bo\n")
    done = command("identity", "link", "--input", str(tmp_path / "a.csv"), "--id-col", "id", "--role", "name", "--out", "x.csv")
    assert done.code == 1
    assert "COLUMN=ROLE" in done.stderr


def test_in_a_table_where_nobody_stands_twice_those_who_share_an_industry_are_not_one() -> None:
    table = pl.DataFrame(
        {
            "id": range(600),
            "email": [f"person{at}@company{at}.example" for at in range(600)],
            "industry": [f"industry {at % 30}" for at in range(600)],
            "country": [("us", "de", "fr")[at % 7 % 3] for at in range(600)],
        }
    )
    assert link([table], "id", {"email": "email", "industry": "exact", "country": "exact"}).pairs.height == 0
