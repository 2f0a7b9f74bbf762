"""The landing zone in a bucket: what is asked of Google, and its bad days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lead_assets.intake.ingest import ingest
from lead_assets.intake.landing import Taken, scan, take
from lead_assets.intake.read import conservation, read_campaigns
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects.bucket import Bucket
from lead_assets_tests.intake.samples import INBOUND, LENDING, ndjson
from lead_assets_tests.production.google_storage import GoogleStorage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = "dt=2026-11-20"


@pytest.fixture
def zone(bucket: str) -> Bucket:
    return Bucket(f"{bucket}/landing", first_wait=0.01, patience=0.5)


@pytest.fixture
def archive(bucket: str) -> Archive:
    return Archive(bucket)


def _drop(storage: GoogleStorage, zone: Bucket, name: str, data: bytes) -> None:
    bucket, _, prefix = zone.location.removeprefix("gs://").partition("/")
    storage.overwrite(bucket, f"{prefix}/{name}", data)


def _tick(zone: Bucket, archive: Archive, cursor: str | None = None, seconds: int = 0) -> Taken:
    now = NOW + timedelta(seconds=seconds)
    return take(scan(zone, cursor, now=now), archive, now=now)


def _lead(number: int) -> bytes:
    return ndjson(INBOUND | {"email": f"p{number}@acme.example"})


def test_an_object_is_whole_when_it_is_listed(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    _drop(storage, zone, f"{TODAY}/fall/leads.ndjson", ndjson(LENDING, INBOUND))
    taken = _tick(zone, archive)
    assert [(drop.campaigns, drop.name) for drop in taken.drops] == [({"fall": 2}, f"{TODAY}/fall/leads.ndjson")]
    again = _tick(zone, archive, taken.cursor, 1)
    assert (again.drops, again.runs) == ([], [])


def test_listings_begin_at_the_open_days(storage: GoogleStorage, zone: Bucket, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred closed days cost a tick one page, and it goes on where the last one ended."""
    monkeypatch.setattr("lead_assets.intake.landing.PAGE", 50)
    for number in range(150):
        _drop(storage, zone, f"dt=2025-{1 + number // 28:02}-{1 + number % 28:02}/leads.ndjson", _lead(number))
    _drop(storage, zone, f"{TODAY}/leads.ndjson", _lead(999))
    storage.requests.clear()
    first = scan(zone, None, now=NOW)
    assert (len(first.ready), len(storage.asked("list"))) == (51, 2)
    names, cursor = {file.path for file in first.ready}, first.cursor.text()
    for second in (1, 2, 3):
        found = scan(zone, cursor, now=NOW + timedelta(seconds=second))
        names, cursor = names | {file.path for file in found.ready}, found.cursor.text()
    assert len(names) == 151


def test_an_object_replaced_while_it_is_read_is_taken_as_what_it_became(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    name = f"{TODAY}/fall/leads.ndjson"
    _drop(storage, zone, name, ndjson(LENDING))
    storage.fault("download", before=lambda: _drop(storage, zone, name, ndjson(LENDING, INBOUND)), name="leads.ndjson")
    first = _tick(zone, archive)
    assert (first.drops, first.postponed) == ([], {name: "changed_while_read"})
    assert archive.campaigns() == []
    assert [drop.rows for drop in _tick(zone, archive, first.cursor, 1).drops] == [2]


def test_a_listing_that_lags_loses_nothing(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    for number in range(3):
        _drop(storage, zone, f"{TODAY}/fall/{number}.ndjson", _lead(number))
    late = {f"landing/{TODAY}/fall/0.ndjson", f"landing/{TODAY}/fall/1.ndjson"}
    storage.hidden.update(late)
    first = _tick(zone, archive)
    storage.hidden.clear()
    second = _tick(zone, archive, first.cursor, 240)
    assert [len(first.drops), len(second.drops)] == [1, 2]
    assert read_campaigns(archive, ["fall"]).raw_leads.height == 3


def test_a_bucket_that_cannot_be_read_postpones_and_the_next_tick_takes(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    _drop(storage, zone, f"{TODAY}/fall/bad.ndjson", _lead(1))
    _drop(storage, zone, f"{TODAY}/fall/good.ndjson", _lead(2))
    storage.fault("download", times=1_000, status=503, name="bad.ndjson")
    first = _tick(zone, archive)
    assert ([drop.name for drop in first.drops], first.postponed) == (
        [f"{TODAY}/fall/good.ndjson"],
        {f"{TODAY}/fall/bad.ndjson": "unreadable: StoreError"},
    )
    storage.faults.clear()
    assert [drop.name for drop in _tick(zone, archive, first.cursor, 1).drops] == [f"{TODAY}/fall/bad.ndjson"]


def test_a_drop_that_came_before_is_known_by_its_index_alone(storage: GoogleStorage, archive: Archive) -> None:
    """However many campaigns the archive has, none of their receipts is listed."""
    for number in range(20):
        ingest(archive, _lead(number), name="x", received_at=NOW, campaign=f"c{number}")
    storage.requests.clear()
    again = ingest(archive, _lead(7), name="y", received_at=NOW, campaign="c7")
    assert again.status == "duplicate_file"
    assert [name.split("/")[0] for name in storage.asked("list")] == ["index"]


@pytest.mark.parametrize("died", ["index/", "receipts/"])
def test_a_receipt_cut_off_between_its_two_objects_is_finished(storage: GoogleStorage, bucket: str, died: str) -> None:
    archive = Archive(bucket)
    archive.__dict__["objects"] = Bucket(bucket, first_wait=0.01, patience=0.1)
    storage.fault("upload", times=1_000, status=503, name=died)
    with pytest.raises(OSError, match="HTTP 503"):
        ingest(archive, _lead(1), name="x", received_at=NOW, campaign="fall", receipt_id="r1")
    storage.faults.clear()
    mended = ingest(archive, _lead(1), name="x", received_at=NOW + timedelta(days=1), campaign="fall", receipt_id="r1")
    assert mended.rows == 1
    read = read_campaigns(archive, ["fall"])
    assert (read.raw_leads.height, read.rejected.height) == (1, 0)
    assert conservation(read).row(0) == ("fall", 1, 1, 0)
    assert len(archive.receipts("fall")) == 1
