"""The home's own index without the graph: what is refused, what is null and why, and that asking repeats itself."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import EnrichedLead, Lead, LeadOutcome, LeadSimilarity, LookalikeBuild
from lead_assets.lookalike import home, index_files
from lead_assets.lookalike.encoder import FeatureSpec
from lead_assets.lookalike.index import WrongIndex, build
from lead_assets.stores.archive import Archive
from lead_assets.stores.first_scored import remember
from lead_assets_tests.lookalike.leads import past_leads

AT = datetime(2026, 11, 1, tzinfo=UTC)
_OF_ENDED = (
    *("campaign_id", "lead_id", "received_at", "title", "industry", "country_code", "seniority", "department"),
    *("web_activity_score", "email_engagement_score"),
)


def hashed(number: int) -> str:
    return hashlib.sha256(f"p{number}@a.example".encode()).hexdigest()


def leads(campaign: str, numbers: list[int], **columns: Any) -> pl.DataFrame:
    """Leads by number, the even ones heads of sales; p<number>@a.example."""
    kinds = ({"title": "VP Sales", "industry": "Software"}, {"title": "Nurse", "industry": "Hospital"})
    usual = {"campaign_id": campaign, "received_at": AT, "country_code": "DE"}
    return Lead.frame(
        usual | kinds[n % 2] | {"lead_id": f"l{n}", "email_normalized": f"p{n}@a.example", "web_activity_score": float(n)} | columns
        for n in numbers
    )


def enriched(rows: pl.DataFrame, **columns: Any) -> pl.DataFrame:
    return EnrichedLead.frame(row | columns for row in rows.select("campaign_id", "lead_id").to_dicts())


def ended(count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the query OF_ENDED gives for the leads 0 to count, the even ones won; and their outcomes."""
    rows = leads("old", list(range(count))).select(*_OF_ENDED)
    said = pl.Series("outcome", ["lost" if n % 2 else "won" for n in range(count)], dtype=pl.String)
    hashes = pl.Series("email_hash", [hashed(n) for n in range(count)], dtype=pl.String)
    lacking = {"company_description": pl.String, "company_industry": pl.String, "headcount_min": pl.Int64}
    more = [said, hashes, *(pl.lit(None, dtype=dtype).alias(name) for name, dtype in lacking.items())]
    outcomes = LeadOutcome.frame(
        {"outcome_id": f"old/l{n}", "campaign_id": "old", "lead_id": f"l{n}", "outcome": said[n], "known_at": AT, "source": "file"}
        | {"email_hash": hashes[n]}
        for n in range(count)
    )
    return rows.with_columns(more), outcomes


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, str]:
    archive = Archive(str(tmp_path_factory.mktemp("archive")))
    return archive, home.build(*ended(40), archive)["artifact"]


def similar(archive: Archive, artifact: str, rows: pl.DataFrame, found: pl.DataFrame | None = None) -> pl.DataFrame:
    pinned = dict.fromkeys(rows["campaign_id"], artifact)
    return home.lead_similarities(rows, enriched(rows) if found is None else found, pinned, archive)


def test_a_record_is_as_it_stood_when_its_lead_was_first_scored(archive: Archive) -> None:
    """The leak on purpose: what becomes known once a lead is won, so that all won ones share it and no new lead has it."""
    records, outcomes = ended(40)
    stood = records.select(*home.KEYS, *home._STOOD)
    remember(archive, stood, stood.head(0), AT)
    won = pl.col("outcome") == "won"
    leaked = {"company_description": pl.lit("our customer"), "headcount_min": pl.lit(9_000), "web_activity_score": pl.lit(99.0)}
    today = records.with_columns(pl.when(won).then(value).otherwise(name).alias(name) for name, value in leaked.items())
    remember(archive, today.select(stood.columns), stood, AT)
    honest, leaky = Archive(str(archive.location) + "/other"), Archive(str(archive.location) + "/leaky")
    row = home.build(today, outcomes, archive)
    assert row["as_scored"] == 40
    assert row | {"as_scored": 0} == home.build(records, outcomes, honest), "the same index, to the byte"
    assert row["artifact"] != home.build(today, outcomes, leaky)["artifact"], "without what was stored, the leak is in the records"
    # An earlier release stored fewer columns: that lead is as it is today.
    fewer = Archive(str(archive.location) + "/fewer")
    remember(fewer, stood.drop("title"), stood.head(0), AT)
    assert home.as_they_stood(today, fewer)[0].equals(today)


@pytest.mark.parametrize(
    ("count", "lacking"), [(0, "10 more won and 10 more lost"), (1, "9 more won and 10 more lost"), (19, "1 more lost")]
)
def test_too_few_records_say_how_many_more_are_needed(archive: Archive, count: int, lacking: str) -> None:
    row = home.build(*ended(count), archive)
    assert (row["verdict"], row["artifact"], row["rows"]) == ("too_few", None, count)
    assert f"{lacking} leads are needed" in row["reason"]
    assert LookalikeBuild.frame([row]).height == 1
    assert list(archive.objects.names("")) == []


def test_without_an_index_every_lead_says_so(archive: Archive) -> None:
    rows = leads("new", [1, 2])
    told = home.lead_similarities(rows, enriched(rows), {}, archive)
    assert told["reason"].to_list() == ["no index was in use when the campaign was made"] * 2
    assert told.select("s_look", "s_novel", "contrast", "is_duplicate").null_count().row(0) == (2, 2, 2, 2)
    assert set(told["neighbours"]) == {"[]"}
    assert home.lead_similarities(Lead.empty(), EnrichedLead.empty(), {}, archive).equals(LeadSimilarity.empty())


def test_the_same_records_are_the_same_index_also_in_an_empty_archive(built: tuple[Archive, str], archive: Archive) -> None:
    again = home.build(*ended(40), archive)
    assert (again["verdict"], again["artifact"]) == ("in_use", built[1])
    assert home.build(*ended(40), archive) == again


def test_a_lead_does_not_find_itself_and_is_no_duplicate_of_itself(built: tuple[Archive, str]) -> None:
    told = similar(*built, leads("old", list(range(40))))
    assert not told["is_duplicate"].any()
    for lead, near in told.select("lead_id", "neighbours").iter_rows():
        found = json.loads(near)
        assert len(found) == 20
        assert f"old/{lead}" not in {each["id"] for each in found}
    won = pl.col("lead_id").str.extract(r"(\d+)").cast(pl.Int64) % 2 == 0
    assert told.filter(won)["contrast"].min() > told.filter(~won)["contrast"].max()  # type: ignore[operator]


def test_the_same_person_in_another_campaign_is_a_customer_or_not_their_own_neighbour(built: tuple[Archive, str]) -> None:
    later = leads("new", [0, 1], received_at=datetime(2026, 11, 2, tzinfo=UTC))
    won, lost = similar(*built, later).sort("lead_id").to_dicts()
    assert (won["is_duplicate"], won["reason"], won["contrast"], won["neighbours"]) == (True, "email_exact_match", None, "[]")
    assert (lost["is_duplicate"], lost["reason"]) == (False, None)
    assert "old/l1" not in {each["id"] for each in json.loads(lost["neighbours"])}
    earlier = leads("new", [0], received_at=datetime(2026, 10, 1, tzinfo=UTC))
    assert similar(*built, earlier)["is_duplicate"].to_list() == [False]


def test_the_address_of_a_customer_who_is_no_lead_is_recognised(archive: Archive) -> None:
    records, outcomes = ended(40)
    nobody = {"outcome_id": "file/1", "outcome": "won", "known_at": AT, "source": "file", "email_hash": hashed(99)}
    row = home.build(records, pl.concat([outcomes, LeadOutcome.frame([nobody])]), archive)
    assert (row["rows"], row["customers"]) == (40, 1)
    told = similar(archive, row["artifact"], leads("new", [98, 99]))
    assert told["is_duplicate"].to_list() == [False, True]


def test_a_lead_that_says_nothing_or_has_odd_numbers_is_no_error(built: tuple[Archive, str]) -> None:
    silent = dict.fromkeys(("title", "industry", "country_code", "email_normalized", "web_activity_score"))
    nothing, odd = leads("new", [50], **silent), leads("new", [51], web_activity_score=float("inf"), email_engagement_score=float("nan"))
    told = similar(*built, pl.concat([nothing, odd])).sort("lead_id")
    assert told["contrast"].is_null().to_list() == [True, False]
    assert told["reason"].to_list() == ["the lead says nothing in the columns that are compared", None]
    assert told["s_novel"].drop_nulls().is_finite().all()


def test_each_campaign_is_asked_by_itself(built: tuple[Archive, str]) -> None:
    one, other = leads("new", list(range(50, 80))), leads("other", list(range(80, 97)))
    both = similar(*built, pl.concat([other, one]))
    assert both.equals(pl.concat([similar(*built, one), similar(*built, other)]))


def test_what_is_bought_is_compared_and_what_is_shared_is_said(built: tuple[Archive, str]) -> None:
    rows = leads("new", [50], industry="typed")
    told = similar(*built, rows, enriched(rows, company_industry="Software"))
    nearest = json.loads(told["neighbours"][0])[0]
    assert (nearest["outcome"], nearest["shares"][:2]) == ("won", ["same industry (Software)", "same country code (DE)"])


def test_an_index_of_other_columns_or_none_at_all_is_refused_and_the_rows_say_so(archive: Archive) -> None:
    foreign, damaged = "f" * 64, "d" * 64
    archive.objects.put(home.object_of(foreign), home._packed(build(past_leads(30), FeatureSpec(), label="is_high_value")))
    archive.objects.put(home.object_of(damaged), b"no zip file")
    with pytest.raises(WrongIndex, match=r"was built from text job_title, bio.* but asked with text title, company_description"):
        home.load(archive, foreign)
    rows = leads("new", [1])
    for artifact, why in ((foreign, "was built from text job_title"), (damaged, "zip file"), ("0" * 64, "the archive lacks it")):
        told = similar(archive, artifact, rows)
        assert told["contrast"].null_count() == 1
        assert told["reason"][0].startswith("the campaign's index cannot be used (")
        assert why in told["reason"][0]
        assert "/" not in told["reason"][0], "a place on a disk would differ at a rebuild"


def test_an_index_has_no_address_and_no_name(built: tuple[Archive, str]) -> None:
    archive, artifact = built
    with zipfile.ZipFile(io.BytesIO(archive.read(home.object_of(artifact)))) as packed:
        assert packed.namelist() == sorted(packed.namelist())
        shown = pl.read_parquet(io.BytesIO(packed.read("records.parquet")))
        assert index_files.MANIFEST in packed.namelist()
    compared = {name for names in home._KINDS.values() for name in names}
    assert set(shown.columns) == compared | {"id", "high", "outcome", "email_hash", "received_at"}


def test_whoever_is_forgotten_is_nobody_in_an_index_and_nobody_else_changes(built: tuple[Archive, str], archive: Archive) -> None:
    data = built[0].read(home.object_of(built[1]))
    assert home.without(data, ["old/none"], ["none"]) == (data, 0)
    left, count = home.without(data, ["old/l0"], [hashed(0)])
    assert count == 1
    archive.objects.put(home.object_of(built[1]), left)
    asked = leads("new", list(range(50, 60)), web_activity_score=0.0)
    before, after = similar(*built, asked), similar(archive, built[1], asked)
    assert after.drop("neighbours").equals(before.drop("neighbours"))
    found = [each for near in after["neighbours"] for each in json.loads(near)]
    assert {each["id"] for each in found if not each["shares"]} == {"forgotten 0"}
    with zipfile.ZipFile(io.BytesIO(left)) as packed:
        assert hashed(0) not in set(pl.read_parquet(io.BytesIO(packed.read("records.parquet")))["email_hash"])
