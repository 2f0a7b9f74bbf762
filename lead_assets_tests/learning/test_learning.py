"""Learning from outcomes: which rows are won, which columns would fool a model, what comes out and what it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lead_assets.learning.artifact import load
from lead_assets.learning.errors import CannotLearn, WrongModel
from lead_assets.learning.fit import Learned, learn
from lead_assets.learning.target import read_target
from lead_assets_tests.conftest import Command
from lead_assets_tests.learning.exports import HONEST, LEAKS, crm_export

pytestmark = pytest.mark.slow

ROWS = 3000


@pytest.fixture(scope="module")
def export() -> pl.DataFrame:
    return crm_export(ROWS)


@pytest.fixture(scope="module")
def learned(export: pl.DataFrame) -> Learned:
    return learn(export, "Converted")


def test_columns_that_know_the_outcome_are_named_with_the_evidence_and_left_out(learned: Learned) -> None:
    named = {trap.column: trap for trap in learned.warnings}
    assert set(LEAKS) <= set(named)
    assert not set(HONEST) & set(named)
    assert named["Closed Date"].kind == "closing_date"
    assert "100% of won and 0% of lost" in named["Closed Date"].why
    assert {named[name].kind for name in ("Prospect ID", "Lead Number")} == {"id"}
    assert named["Email"].kind == "contact"
    assert named["Receive Updates"].kind == "constant"
    assert not set(learned.model.columns) & set(named)
    assert set(HONEST) <= set(learned.model.columns)


def test_the_figures_are_those_of_leads_that_the_model_had_not_seen(learned: Learned) -> None:
    fresh = crm_export(ROWS, seed=1)
    won = (fresh["Converted"] == "Yes").to_numpy().astype(float)
    from sklearn.metrics import roc_auc_score

    # Another seed draws other effects of the industries, so only the shared part carries over.
    assert roc_auc_score(won, learned.model.judge(fresh)) == pytest.approx(learned.model.cv["auc"], abs=0.04)
    assert 0.7 < learned.model.cv["auc"] < 0.9, "a leak would have shown as a perfect model"
    assert learned.model.cv["lift_at_10"] > 1.5
    assert learned.model.cv["ece"] < 0.05


def test_a_leak_that_is_asked_for_is_used_and_still_named(export: pl.DataFrame) -> None:
    learned = learn(export.select(*HONEST, "Tags", "Converted"), "Converted", keep=["Tags"])
    assert "Tags" in learned.model.columns
    assert [(trap.column, trap.kind) for trap in learned.warnings] == [("Tags", "kept")]
    assert next(iter(learned.model.moved)) == "Tags"


def test_a_leak_without_a_telling_name_is_found_by_its_values(export: pl.DataFrame) -> None:
    rng = np.random.default_rng(3)
    won = (export["Converted"] == "Yes").to_numpy()
    hidden = export.select(*HONEST, "Converted").with_columns(
        field_17=pl.Series(np.where(won ^ (rng.random(ROWS) < 0.01), "a", "b")), x9=pl.Series(np.where(won, rng.gamma(2, 5, ROWS), 0.0))
    )
    assert {trap.column for trap in learn(hidden, "Converted").warnings} == {"field_17", "x9"}


def test_open_leads_are_censored_and_not_lost(export: pl.DataFrame) -> None:
    opened = export.with_columns(Converted=pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.lit("In Progress")).otherwise("Converted"))
    learned = learn(opened, "Converted")
    assert learned.open == ROWS // 4
    assert learned.rows == ROWS
    ended = opened.filter(pl.col("Converted") != "In Progress")
    assert learned.positives == (ended["Converted"] == "Yes").sum()


def test_leads_with_a_date_are_judged_by_earlier_ones_only(export: pl.DataFrame) -> None:
    """Early leads seldom win and late ones mostly do. Shuffled folds would take the season for a merit; over time nothing is known of the next one."""
    rng = np.random.default_rng(5)
    drifting = export.select("Created Date", "Job Level").with_columns(
        Converted=pl.Series(np.where(rng.random(ROWS) < np.linspace(0.05, 0.95, ROWS), "Yes", "No")),
        Season=pl.Series([f"s{index // 250}" for index in range(ROWS)]),
    )
    assert learn(drifting, "Converted").model.cv["auc"] < 0.65
    assert learn(drifting.drop("Created Date"), "Converted").model.cv["auc"] > 0.75


@pytest.mark.parametrize(
    ("values", "positive", "won"),
    [
        (["Yes", "no", None, " YES "], None, [1, 0, None, 1]),
        ([1, 0, 0, None], None, [1, 0, 0, None]),
        ([True, False, True, None], None, [1, 0, 1, None]),
        (["Closed Won", "Closed Lost", "Open", "In progress"], None, [1, 0, None, None]),
        (["SQL", "MQL", "open", "junk"], "sql", [1, 0, None, 0]),
        ([1.0, 0.0, 1.0, float("nan")], None, [1, 0, 1, None]),
    ],
)
def test_the_target_is_read_as_crms_write_it(values: list[object], positive: str | None, won: list[int | None]) -> None:
    read = read_target(pl.Series("stage", values, strict=False), positive).won
    assert [None if np.isnan(value) else int(value) for value in read] == won


@pytest.mark.parametrize(
    ("values", "positive", "says"),
    [
        (["gold", "silver"], None, "--positive VALUE, one of"),
        (["yes", "yes"], None, "both won and lost"),
        (["yes", "no"], "maybe", "no row of 'stage' is 'maybe'"),
        ([None, None], None, "is empty"),
    ],
)
def test_a_target_that_cannot_be_read_says_what_it_contains(values: list[str | None], positive: str | None, says: str) -> None:
    with pytest.raises(CannotLearn, match=says):
        read_target(pl.Series("stage", values, dtype=pl.String), positive)


def test_too_few_outcomes_say_how_many_more_are_needed(export: pl.DataFrame) -> None:
    few = pl.concat([export.filter(pl.col("Converted") == "No").head(200), export.filter(pl.col("Converted") == "Yes").head(10)])
    with pytest.raises(CannotLearn, match="10 won leads are too few to learn from: 15 more are needed"):
        learn(few, "Converted")


def test_a_table_of_ids_only_cannot_be_learned_from(export: pl.DataFrame) -> None:
    with pytest.raises(CannotLearn, match="no column is left"):
        learn(export.select("Prospect ID", "Lead Number", "Receive Updates", "Converted"), "Converted")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"won": [], "size": []}, "column 'won' is empty"),
        ({"won": ["yes"], "size": [1]}, "both won and lost leads are needed"),
        ({"won": ["yes", "no"] * 30}, "no column beside won"),
        ({"won": ["yes", "no"] * 5_000, "size": [7.0] * 10_000, "name": ["Jane"] * 10_000}, "size, name were left out"),
        ({"won": ["yes", "no"] * 30, "size": [math.nan, math.inf] * 30}, "size were left out"),
    ],
    ids=["no row", "one record", "nothing but the outcome", "10,000 times one person", "no number is one"],
)
def test_a_table_that_says_nothing_is_refused_with_what_it_lacks(table: dict[str, list[object]], says: str) -> None:
    with pytest.raises(CannotLearn, match=says):
        learn(pl.DataFrame(table), "won")


def test_infinities_nans_and_unknown_categories_are_missing_values(export: pl.DataFrame, learned: Learned) -> None:
    odd = export.head(4).with_columns(
        pl.Series("Company Size", [float("inf"), float("-inf"), float("nan"), None]), pl.lit("Never Seen").alias("Lead Source")
    )
    judged = learned.model.judge(odd)
    assert np.isfinite(judged).all()
    assert ((judged > 0) & (judged < 1)).all()


def test_a_stored_model_judges_as_the_fitted_one(export: pl.DataFrame, learned: Learned, tmp_path: Path) -> None:
    from lead_assets.learning.artifact import save

    save(learned, export, tmp_path / "model.skops")
    model = load(tmp_path / "model.skops")
    assert model.judge(export.head(50)).tolist() == learned.model.judge(export.head(50)).tolist()
    assert model.missing(export.drop("Industry")) == ["Industry"]
    with pytest.raises(WrongModel, match="none of the model's columns"):
        model.judge(pl.DataFrame({"other": [1]}))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.skops").write_bytes(b"not a model")
    with pytest.raises(WrongModel, match=r"no\.skops: is no score model"):
        load(tmp_path / "no.skops")
    with pytest.raises(WrongModel, match="there is no such file"):
        load(tmp_path / "missing.skops")


def test_a_model_of_another_version_is_refused(
    export: pl.DataFrame, learned: Learned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lead_assets.learning.artifact import save

    with monkeypatch.context() as other:
        other.setattr("sklearn.__version__", "1.2.3")
        save(learned, export, tmp_path / "old.skops")
    with pytest.raises(WrongModel, match=r"made with scikit-learn 1\.2\.3"):
        load(tmp_path / "old.skops")


def test_the_commands_fit_and_apply_a_score(command: Command, export: pl.DataFrame, tmp_path: Path) -> None:
    export.write_csv(tmp_path / "past.csv", separator=";")
    export.drop("Converted", "Industry").write_parquet(tmp_path / "new.parquet")
    fitted = command("score", "fit", "--input", str(tmp_path / "past.csv"), "--target", "Converted", "--json").answer()
    assert (fitted["rows"], fitted["positives"]) == (ROWS, (export["Converted"] == "Yes").sum())
    assert set(fitted["cv"]) == {"auc", "pr_auc", "ece", "brier", "lift_at_10"}
    assert {warning["column"] for warning in fitted["warnings"]} >= set(LEAKS)
    assert json.dumps(fitted).count("@") == 0, "no personal data in an answer"
    applied = command(
        "score",
        "apply",
        "--model",
        fitted["path"],
        "--input",
        str(tmp_path / "new.parquet"),
        "--out",
        str(tmp_path / "scored.csv"),
        "--json",
    ).answer()
    assert applied["missing"] == ["Industry"]
    scored = pl.read_csv(tmp_path / "scored.csv")
    assert scored["probability"].is_sorted(descending=True)
    assert scored["score"].is_between(0, 100).all()
    assert scored.height == ROWS


def test_a_wrong_column_is_an_error_that_names_those_there_are(command: Command, export: pl.DataFrame, tmp_path: Path) -> None:
    export.head(5).write_csv(tmp_path / "past.csv")
    done = command("score", "fit", "--input", str(tmp_path / "past.csv"), "--target", "Outcome")
    assert done.code == 1
    assert "no column 'Outcome'; it has Prospect ID" in done.stderr


def test_a_number_that_some_parts_of_the_table_lack_is_no_reason_to_fail() -> None:
    chance = np.random.default_rng(4)
    won = chance.uniform(size=120) < 0.5
    rare = pl.Series([None] * 110 + [float(n) for n in range(10)], dtype=pl.Float64)
    table = pl.DataFrame({"Activity": chance.normal(size=120) + won, "Price": rare, "Converted": np.where(won, "Yes", "No")})
    assert learn(table, "Converted").model.judge(table).shape == (120,)
