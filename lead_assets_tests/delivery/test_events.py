"""Events in the format for a CDP: complete, without nulls, equal bytes for equal content."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import Classification, EnrichedLead, EnrichmentEvent, Lead, RoutingDecision, Score
from lead_assets.delivery.events import enrichment_events
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects.folder import Folder
from lead_assets_tests.rows import rows


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path))


def derived(archive: Archive) -> Folder:
    return Folder(Path(f"{archive.location}-derived"))


def files(archive: Archive) -> dict[str, list[str]]:
    """The archived files of campaign c: the ids of the leads in each."""
    lines = {entry.name: gzip.decompress(archive.read(entry.name)).splitlines() for entry in archive.events("c")}
    return {name: [json.loads(line)["lead"]["lead_id"] for line in each] for name, each in lines.items()}


def events(archive: Archive, *leads: dict[str, Any]) -> Any:
    """Events of leads; each argument's values go to whichever tables have such columns."""
    given = [{"campaign_id": "c", "lead_id": f"ld_{n}", "parts": "[]", "tier": "hot"} | lead for n, lead in enumerate(leads)]
    frames = [rows(contract, given) for contract in (RoutingDecision, Lead, EnrichedLead, Classification, Score)]
    return enrichment_events(*frames, archive, derived(archive))


LENDING = {
    "email": "jane@acme.example",
    "payload": '{"lead_id":"ld_0","notes":null,"utm":"x"}',
    "answer": '{"loan_type":"rental","urgency_score":4}',
    "model": "claude-haiku-5-5",
    "input_tokens": 400,
    "output_tokens": 90,
    "owner": "dana",
}


def test_an_event_carries_lead_ai_fields_raw_and_metadata(archive: Archive) -> None:
    event = json.loads(events(archive, LENDING)["event"][0])
    assert event["lead"]["email"] == "jane@acme.example"
    assert event["ai"] == {"profile": "x", "loan_type": "rental", "urgency_score": 4}
    assert event["raw"] == {"lead_id": "ld_0", "utm": "x"}
    assert event["routing"]["owner"] == "dana"
    metadata = event["metadata"]
    assert metadata["enriched_at"] == "2026-11-01T09:30:00Z"
    assert (metadata["model"], metadata["input_tokens"], metadata["output_tokens"]) == ("claude-haiku-5-5", 400, 90)
    assert metadata["schema_version"] == "enrichment-event-1"


def test_what_is_archived_is_archived_once_also_when_it_comes_back(archive: Archive) -> None:
    first = events(archive, LENDING)
    other = events(archive, {**LENDING, "owner": "sam"})
    assert set(other["archived_as"]) != set(first["archived_as"])
    assert events(archive, LENDING).equals(first), "an older file counts, too"
    assert len(files(archive)) == 2


def test_ten_more_leads_archive_ten_events_and_a_changed_one_its_own(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    first = events(archive, *[LENDING] * 20)
    with monkeypatch.context() as patched:
        patched.setattr(Archive, "read", None)
        more = events(archive, *[LENDING] * 30)
        changed = events(archive, *[LENDING] * 7, LENDING | {"score": 50.0}, *[LENDING] * 22)
    assert more.filter(pl.col("lead_id").is_in(first["lead_id"].implode())).equals(first)
    assert sorted(len(leads) for leads in files(archive).values()) == [1, 10, 20]
    assert changed.filter(pl.col("lead_id") != "ld_7").equals(more.filter(pl.col("lead_id") != "ld_7"))
    for row in changed.iter_rows(named=True):
        assert row["event"].encode() in gzip.decompress(archive.read(row["archived_as"])).splitlines()


def test_names_are_the_same_whatever_was_derived_and_made_before(archive: Archive, caplog: pytest.LogCaptureFixture) -> None:
    for count in (3, 5):
        rows_ = events(archive, *[LENDING] * count)
    written = files(archive)
    (index,) = derived(archive).entries("events/c.parquet")
    derived(archive).remove(index)
    assert events(archive, *[LENDING] * 5).equals(rows_), "read from the files"
    derived(archive).replace(index.name, b"PAR1")
    assert events(archive, *[LENDING] * 5).equals(rows_)
    assert "cannot be read" in caplog.text
    assert files(archive) == written


def test_an_older_home_with_an_event_in_several_files_keeps_the_names_that_it_has(archive: Archive) -> None:
    """It archived all events of a campaign whenever one was new."""
    campaign = [LENDING] * 6
    for count in (2, 4, 6):
        elsewhere = Archive(f"{archive.location}-{count}")
        (name,) = set(events(elsewhere, *campaign[:count])["archived_as"])
        archive.put_events("c", elsewhere.read(name))
    assert set(events(archive, *campaign)["archived_as"]) == {name}
    assert len(files(archive)) == 3
    assert events(archive, *campaign, LENDING)["archived_as"].to_list()[:6] == [name] * 6
    assert len(files(archive)) == 4


def test_who_was_forgotten_leaves_a_file_and_the_others_their_names(archive: Archive) -> None:
    before = events(archive, *[LENDING] * 4)
    (name,) = files(archive)
    kept = gzip.decompress(archive.read(name)).splitlines(keepends=True)[1:]
    archive.objects.replace(name, gzip.compress(b"".join(kept)))
    leads = [LENDING | {"lead_id": f"ld_{n}"} for n in (1, 2, 3)]
    assert events(archive, *leads).equals(before[1:])
    derived(archive).remove(next(derived(archive).entries("events/")))
    assert events(archive, *leads).equals(before[1:])
    assert list(files(archive)) == [name]


def test_what_retention_has_deleted_or_is_damaged_is_archived_again(archive: Archive) -> None:
    rows_ = events(archive, LENDING)
    (entry,) = archive.events("c")
    archive.objects.remove(entry)
    assert events(archive, LENDING).equals(rows_), "the same events are the same file"
    for name in (archive.put_events("c", b"\x1f\x8bdamaged"), entry.name):
        archive.objects.replace(name, b"\x1f\x8bdamaged")
        derived(archive).remove(next(derived(archive).entries("events/")))
        assert events(archive, LENDING).equals(rows_)


def test_the_archived_file_holds_the_events_line_by_line_without_nulls(archive: Archive) -> None:
    frame = events(archive, LENDING, {"company": "line\nbreak and \u2028"})
    (path,) = set(frame["archived_as"])
    lines = gzip.decompress(archive.read(path)).decode().split("\n")[:-1]
    assert lines == frame["event"].to_list()
    assert all("null" not in line for line in lines)
    assert "acme" not in path


def test_the_same_content_is_the_same_event_and_the_same_file(archive: Archive) -> None:
    first, second = events(archive, LENDING), events(archive, LENDING)
    assert first.equals(second)
    assert len(list(archive.events("c"))) == 1


def test_other_content_is_another_event_and_overwrites_nothing(archive: Archive) -> None:
    first, second = events(archive, LENDING), events(archive, LENDING | {"owner": "sam"})
    assert first["event_id"][0] != second["event_id"][0]
    assert len(list(archive.events("c"))) == 2


def test_two_campaigns_have_a_file_each(archive: Archive) -> None:
    frame = events(archive, {"campaign_id": "a"}, {"campaign_id": "b"})
    assert sorted(path.split("/")[1] for path in frame["archived_as"]) == ["a", "b"]


def test_no_leads_give_no_events_with_the_right_types(archive: Archive) -> None:
    assert events(archive).schema == EnrichmentEvent.polars_schema()


def test_what_is_no_number_is_refused_and_nothing_is_archived(archive: Archive) -> None:
    """JSON can write it only as null, for which Snowpipe drops the whole file."""
    with pytest.raises(ValueError, match="of campaign c contains a null"):
        events(archive, LENDING, {"score": float("nan")})
    assert list(archive.events("c")) == []


def test_a_large_materialization_has_several_files(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lead_assets.delivery.events.PART_EVENTS", 2)
    first = events(archive, LENDING, LENDING, LENDING)
    assert [len(files(archive)[name]) for name in first["archived_as"].unique(maintain_order=True)] == [2, 1]
    assert events(archive, *[LENDING] * 6)[:3].equals(first)
    assert sorted(map(len, files(archive).values())) == [1, 1, 2, 2]
