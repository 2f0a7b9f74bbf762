"""The landing zone in a bucket: the requests to Google, and its failures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lead_assets.intake.ingest import ingest
from lead_assets.intake.landing import Leave, Taken, scan, take
from lead_assets.intake.read import read_campaigns
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects.bucket import Bucket
from lead_assets_tests.conservation import of_payloads
from lead_assets_tests.intake.samples import INBOUND, LENDING, ndjson
from lead_assets_tests.production.google_storage import GoogleStorage

pytestmark = pytest.mark.slow

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


def _tick(zone: Bucket, archive: Archive, last: Taken | None = None, seconds: int = 0, leave: Leave = "move") -> Taken:
    now = NOW + timedelta(seconds=seconds)
    return take(scan(zone, last.cursor.text() if last else None, now=now), archive, now=now, leave=leave)


def _lead(number: int) -> bytes:
    return ndjson(INBOUND | {"email": f"p{number}@acme.example"})


def test_an_object_is_whole_when_it_is_listed(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    _drop(storage, zone, f"{TODAY}/fall/leads.ndjson", ndjson(LENDING, INBOUND))
    taken = _tick(zone, archive)
    assert [(drop.campaigns, drop.name) for drop in taken.drops] == [({"fall": 2}, f"{TODAY}/fall/leads.ndjson")]
    again = _tick(zone, archive, taken, 1)
    assert (again.drops, again.left) == ([], 1)


@pytest.mark.parametrize("leave", ["move", "delete"])
def test_taken_objects_leave_the_zone_and_are_not_listed_again(
    storage: GoogleStorage, zone: Bucket, archive: Archive, monkeypatch: pytest.MonkeyPatch, leave: Leave
) -> None:
    monkeypatch.setattr("lead_assets.intake.landing.PAGE", 50)
    for number in range(120):
        _drop(storage, zone, f"{TODAY}/fall/{number:03}.ndjson", _lead(number))
    last = None
    for second in range(4):
        last = _tick(zone, archive, last, second, leave)
        assert len(last.cursor.text()) < 1_500
    assert last is not None
    assert last.cursor.text() == '{"due":{"fall":"' + last.cursor.due["fall"] + '"}}'
    assert read_campaigns(archive, ["fall"]).raw_leads.height == 120
    moved = zone.names("")
    assert len(moved) == (120 if leave == "move" else 0)
    assert all(name.startswith(f".taken/{TODAY}/{TODAY}/fall/") for name in moved)
    storage.requests.clear()
    _tick(zone, archive, last, 10, leave)
    # Before and behind what has left: none of it is listed.
    assert len(storage.requests) == len(storage.asked("list")) == 2


def test_an_account_that_may_not_delete_takes_each_object_once(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    _drop(storage, zone, f"{TODAY}/fall/leads.ndjson", _lead(1))
    storage.fault("delete", times=100, status=403)
    first = _tick(zone, archive)
    second = _tick(zone, archive, first, 1)
    third = _tick(zone, archive, second, 2)
    assert [len(tick.drops) for tick in (first, second, third)] == [1, 0, 0]
    assert third.postponed == {f"{TODAY}/fall/leads.ndjson": "cannot_leave: StoreError"}
    storage.faults.clear()
    assert _tick(zone, archive, third, 3).left == 1
    assert zone.names(TODAY) == []


def test_an_object_replaced_while_it_is_read_is_taken_as_what_it_became(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    name = f"{TODAY}/fall/leads.ndjson"
    _drop(storage, zone, name, ndjson(LENDING))
    storage.fault("download", before=lambda: _drop(storage, zone, name, ndjson(LENDING, INBOUND)), name="leads.ndjson")
    first = _tick(zone, archive)
    assert (first.drops, first.postponed) == ([], {name: "changed_while_read"})
    assert archive.campaigns() == []
    assert [drop.rows for drop in _tick(zone, archive, first, 1).drops] == [2]


def test_a_listing_that_lags_loses_nothing(storage: GoogleStorage, zone: Bucket, archive: Archive) -> None:
    for number in range(3):
        _drop(storage, zone, f"{TODAY}/fall/{number}.ndjson", _lead(number))
    late = {f"landing/{TODAY}/fall/0.ndjson", f"landing/{TODAY}/fall/1.ndjson"}
    storage.hidden.update(late)
    first = _tick(zone, archive)
    storage.hidden.clear()
    second = _tick(zone, archive, first, 240)
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
    assert [drop.name for drop in _tick(zone, archive, first, 1).drops] == [f"{TODAY}/fall/bad.ndjson"]


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
    assert of_payloads(read).row(0) == ("fall", 1, 1, 0)
    assert len(archive.receipts("fall")) == 1
