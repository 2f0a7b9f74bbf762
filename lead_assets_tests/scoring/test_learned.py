"""The learned model: nothing is learned from what became known after a lead had ended, and a new model has to beat the one in use."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lead_assets.contracts import LeadOutcome, ModelBuild
from lead_assets.scoring.features import BROUGHT, FEATURES, FOUND, JUDGED, KEYS, training_table
from lead_assets.scoring.learned import build, drawn, load, win_probabilities
from lead_assets.stores.archive import Archive
from lead_assets.stores.first_scored import as_first_scored, remember

START = datetime(2026, 1, 1, tzinfo=UTC)
_NUMBERS = {
    "web_activity_score",
    "email_engagement_score",
    "headcount_min",
    "enrichment_quality",
    "lead_rating",
    "urgency_score",
    "posting_count",
}


def known(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Features of leads, as `features` gives them; what a row does not say is null."""
    schema: dict[str, Any] = {name: pl.Float64 if name in _NUMBERS else pl.String for name in (*KEYS, *FEATURES)} | {
        "created_at": pl.Datetime("us")
    }
    return pl.DataFrame([{"campaign_id": "spring"} | row for row in rows], schema=schema)


def ended(rows: list[dict[str, Any]]) -> pl.DataFrame:
    usual = {"campaign_id": "spring", "known_at": START + timedelta(days=900), "source": "file", "matched_on": "email"}
    return LeadOutcome.frame([usual | {"outcome_id": f"spring/{row['lead_id']}"} | row for row in rows])


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path))


# --- as it stood ---


def test_what_changed_after_a_lead_was_scored_is_not_seen(archive: Archive) -> None:
    """The leak on purpose: once won, the CRM raises the lead's activity, and the lead is scored again."""
    first, later = (known([{"lead_id": "a", "web_activity_score": score}]) for score in (10.0, 100.0))
    nobody = first.head(0)
    remember(archive, first, nobody, START)
    remember(archive, later, first, START + timedelta(days=60))
    won = ended([{"lead_id": "a", "outcome": "won", "outcome_at": START + timedelta(days=30)}])
    assert training_table(won, as_first_scored(archive, won, FEATURES))["web_activity_score"].to_list() == [10.0]
    # A warehouse that was deleted has no scores: all leads look new, and the oldest features still count.
    remember(archive, later, nobody, START + timedelta(days=90))
    assert training_table(won, as_first_scored(archive, won, FEATURES))["web_activity_score"].to_list() == [10.0]


def test_the_same_features_are_stored_once(archive: Archive) -> None:
    rows = known([{"lead_id": "a"}])
    for day in (1, 2):
        remember(archive, rows, rows.head(0), START + timedelta(days=day))
    assert len(archive.feature_names()) == 1


def test_of_a_lead_that_was_scored_after_its_end_only_what_it_brought_is_left(archive: Archive) -> None:
    full = {name: 1.0 if name in _NUMBERS else "x" for name in (*FOUND, *JUDGED)} | {"country_code": "DE"}
    remember(archive, known([{"lead_id": name, **full} for name in ("before", "after", "open")]), known([]), START)
    said = ended(
        [
            {"lead_id": "before", "outcome": "won", "outcome_at": START + timedelta(days=1)},
            {"lead_id": "after", "outcome": "lost", "outcome_at": START - timedelta(days=1)},
            {"lead_id": "open", "outcome": "open", "known_at": START - timedelta(days=1)},
            {"lead_id": "never scored", "outcome": "won"},
        ]
    )
    table = {row["lead_id"]: row for row in training_table(said, as_first_scored(archive, said, FEATURES)).to_dicts()}
    assert table.keys() == {"before", "after", "open"}
    for name in (*FOUND, *JUDGED):
        assert table["after"][name] is None
        assert table["before"][name] == table["open"][name] == full[name]
    assert table["after"]["country_code"] == "DE"
    assert {name: row["before_outcome"] for name, row in table.items()} == {"before": True, "after": False, "open": True}


def test_nothing_that_says_who_a_lead_is_is_a_feature() -> None:
    assert not {
        "email",
        "email_normalized",
        "full_name",
        "phone_e164",
        "company_domain",
        "account_key",
        "title",
        "outcome",
        "status",
    } & set(FEATURES)
    assert "has_phone_e164" in BROUGHT


# --- the decision ---


def table(count: int, seed: int, *, sign: float = 1.0, begin: int = 0) -> pl.DataFrame:
    """Leads of which those with much activity and many people are won, or with sign -1 the others; every fifth is open."""
    chance = np.random.default_rng(seed)
    activity = chance.uniform(0, 100, count)
    people = chance.integers(0, 7, count)
    is_won = chance.uniform(0, 1, count) < 1 / (1 + np.exp(-sign * ((activity - 50) / 20 + 0.9 * (people - 3))))
    rows = [
        {"lead_id": f"l{begin + n}", "created_at": (START + timedelta(hours=7 * (begin + n))).replace(tzinfo=None)}
        | {"web_activity_score": float(activity[n]), "country_code": "DE" if n % 3 else "US", "headcount_min": float(people[n])}
        for n in range(count)
    ]
    said = ended(
        [
            {"lead_id": f"l{begin + n}", "outcome": "open" if n % 5 == 0 else "won" if is_won[n] else "lost"}
            | {"outcome_at": None if n % 5 == 0 else START + timedelta(hours=7 * (begin + n), days=30)}
            for n in range(count)
        ]
    )
    return training_table(said, known(rows).with_columns(scored_at=pl.lit(START - timedelta(days=1))).select(*KEYS, "scored_at", *FEATURES))


def test_too_few_outcomes_say_how_many_more_are_needed(archive: Archive) -> None:
    row, model = build(table(40, 1), archive, "")
    assert (row["verdict"], model) == ("too_few", None)
    assert f"{25 - row['won']} more won" in row["reason"]
    assert ModelBuild.frame([row]).height == 1


def test_no_outcome_and_one_class_are_too_few(archive: Archive) -> None:
    row, _ = build(table(40, 1).head(0), archive, "")
    assert (row["verdict"], "25 more won and 25 more lost leads are needed" in row["reason"]) == ("too_few", True)
    one = table(200, 1).filter(pl.col("outcome") != "lost")
    assert "25 more lost leads are needed" in build(one, archive, "")[0]["reason"]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, pl.DataFrame, dict[str, Any]]:
    archive, rows = Archive(str(tmp_path_factory.mktemp("archive"))), table(250, 1)
    return archive, rows, build(rows, archive, "")[0]


@pytest.mark.slow
def test_the_first_model_is_promoted_if_it_beats_knowing_nothing(first: tuple[Archive, pl.DataFrame, dict[str, Any]]) -> None:
    archive, rows, row = first
    assert (row["verdict"], row["rows"], row["open"], row["rows"] + row["open"]) == ("promoted", 200, 50, 250)
    assert set(row["features"][:2]) == {"web_activity_score", "headcount_min"}
    assert json.loads(row["metrics"])["auc"] > 0.8
    assert ModelBuild.frame([row]).height == 1
    again, model = build(rows, archive, row["artifact"])
    assert again == row
    assert model is not None
    assert set(drawn(model)) == {"roc", "calibration", "lift", "what_moved_it"}
    assert all("data:image/svg+xml;base64," in picture for picture in drawn(model).values())


@pytest.mark.slow
def test_chance_is_not_promoted(archive: Archive) -> None:
    rows = table(200, 1)
    shuffled = rows.with_columns(pl.col("outcome").sample(fraction=1, shuffle=True, seed=3))
    row, _ = build(shuffled, archive, "")
    assert (row["verdict"], row["artifact"]) == ("not_better", None)


@pytest.mark.slow
def test_a_new_model_has_to_beat_the_one_in_use_on_leads_that_neither_has_seen(first: tuple[Archive, pl.DataFrame, dict[str, Any]]) -> None:
    archive, rows, row = first
    few = pl.concat([rows, table(10, 2, begin=1000)])
    waits, _ = build(few, archive, row["artifact"])
    assert (waits["verdict"], waits["artifact"]) == ("in_use", row["artifact"])
    assert "that the model in use has not seen are needed" in waits["reason"]
    same, _ = build(pl.concat([rows, table(80, 2, begin=1000)]), archive, row["artifact"])
    assert (same["verdict"], same["artifact"]) == ("not_better", None)
    # The model in use learned the opposite.
    wrong, _ = build(table(250, 5, sign=-1.0, begin=5000), archive, "")
    better, _ = build(pl.concat([rows, table(80, 2, begin=1000)]), archive, wrong["artifact"])
    assert better["verdict"] == "promoted"
    loss = json.loads(better["metrics"])["held_out"]["log_loss"]
    assert loss["new"] < loss["in_use"]


@pytest.mark.slow
def test_a_column_that_repeats_the_outcome_is_left_out_and_named(archive: Archive) -> None:
    """Leads of a CRM's history: a score that sales fills in once a lead is won."""
    rows = table(250, 1)
    leaked = rows.with_columns(email_engagement_score=pl.when(pl.col("outcome") == "won").then(pl.col("web_activity_score") + 1))
    row, _ = build(leaked, archive, "")
    (trap,) = [trap for trap in json.loads(row["left_out"]) if trap["column"] == "email_engagement_score"]
    assert trap["kind"] == "after_the_outcome"
    assert "email_engagement_score" not in row["features"]


@pytest.mark.slow
def test_a_campaign_is_judged_by_its_pin_and_says_why_it_is_not(first: tuple[Archive, pl.DataFrame, dict[str, Any]]) -> None:
    archive, _, row = first
    foreign = archive.put(b"made by something else")
    leads = known(
        [
            {"campaign_id": name, "lead_id": "a", "web_activity_score": 99.0, "headcount_min": 6.0, "country_code": "never seen"}
            for name in "abcd"
        ]
    )
    pinned = {"a": row["artifact"], "b": "", "c": foreign, "d": "0" * 64}
    found = {each["campaign_id"]: each for each in win_probabilities(leads, pinned, archive).to_dicts()}
    assert found["a"]["win_probability"] > 0.6
    assert found["a"]["win_probability"] == pytest.approx(float(load(archive, row["artifact"]).judge(leads.head(1))[0]))
    assert [found[name]["win_probability"] for name in "bcd"] == [None] * 3
    assert found["b"]["no_win_probability"] == "no model was in use when the campaign was scored"
    assert "is no score model" in found["c"]["no_win_probability"]
    assert "is missing" in found["d"]["no_win_probability"]
