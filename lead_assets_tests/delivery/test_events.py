"""Events in the format for a CDP: complete, without nulls, equal bytes for equal content."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lead_assets.contracts import Classification, EnrichedLead, EnrichmentEvent, Lead, RoutingDecision, Score
from lead_assets.delivery.events import enrichment_events
from lead_assets.stores.archive import Archive
from lead_assets_tests.rows import rows


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path))


def events(archive: Archive, *leads: dict[str, Any]) -> Any:
    """Events of leads; each argument's values go to whichever tables have such columns."""
    given = [{"campaign_id": "c", "lead_id": f"ld_{n}", "parts": "[]", "tier": "hot"} | lead for n, lead in enumerate(leads)]
    frames = [rows(contract, given) for contract in (RoutingDecision, Lead, EnrichedLead, Classification, Score)]
    return enrichment_events(*frames, archive)


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


def test_events_that_are_archived_are_not_packed_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    first = events(archive, LENDING)
    with monkeypatch.context() as patched:
        patched.setattr(Archive, "put_events", None)
        assert events(archive, LENDING).equals(first)
    other = events(archive, {**LENDING, "owner": "sam"})
    assert set(other["archived_as"]) != set(first["archived_as"])
    assert events(archive, LENDING).equals(first), "an older file counts, too"


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
    frame = events(archive, LENDING, LENDING, LENDING)
    assert [len(gzip.decompress(archive.read(name)).splitlines()) for name in frame["archived_as"].unique(maintain_order=True)] == [2, 1]
