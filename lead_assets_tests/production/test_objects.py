"""What archive and landing zone rely on, in a folder and in a bucket alike; and a bucket's failures."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from lead_assets.stores.objects import ObjectChanged, Objects, StoreError, open_objects
from lead_assets.stores.objects.bucket import Bucket
from lead_assets_tests.production.google_storage import GoogleStorage

NAMES = ["a", "a/b/c", "a/b.txt", "a.txt", "b/é ü.json", "c'; drop table x;--/d", "z z/#?%/e"]


@pytest.fixture(params=["folder", "bucket", "bucket with a prefix"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return open_objects(str(tmp_path / "root"))
    return Bucket(request.getfixturevalue("bucket") + ("/some/where" if "prefix" in request.param else ""), first_wait=0.01, patience=5)


@pytest.fixture
def impatient(bucket: str) -> Bucket:
    return Bucket(bucket, first_wait=0.01, patience=0.3)


@pytest.fixture
def patient(bucket: str) -> Bucket:
    return Bucket(bucket, first_wait=0.01, patience=10)


def _names(objects: Objects, prefix: str = "", **range_: str) -> list[str]:
    return [entry.name for entry in objects.entries(prefix, **range_)]


def test_what_is_put_is_read_back(objects: Objects) -> None:
    for data in (b"", b"x", bytes(range(256)) * 5000):
        assert objects.put(f"d/{len(data)}", data)
        assert objects.get(f"d/{len(data)}") == data
    assert objects.holds("d/1")
    assert not objects.holds("d/2")


def test_nothing_is_overwritten(objects: Objects) -> None:
    assert objects.put("d/x", b"first")
    assert not objects.put("d/x", b"second")
    assert objects.get("d/x") == b"first"


def test_a_stream_is_kept_and_given_back_without_being_held(objects: Objects, tmp_path: Path) -> None:
    for data in (b"", b"x", random.Random(7).randbytes(9 << 20)):
        sha256 = hashlib.sha256(data).hexdigest()
        assert objects.keep(io.BytesIO(data), "d/{}".format) == (sha256, len(data), True)
        assert objects.keep(io.BytesIO(data), "d/{}".format) == (sha256, len(data), False)
        with objects.open(f"d/{sha256}") as stream:
            assert (stream.read(), stream.seek(0), stream.read(1)) == (data, 0, data[:1])
        (entry,) = objects.entries(f"d/{sha256}")
        with (tmp_path / "copy").open("w+b") as copy:
            objects.fetch(entry.name, copy, entry)
            assert copy.tell() == len(data)
        assert (tmp_path / "copy").read_bytes() == data
    assert len(_names(objects)) == 3
    with pytest.raises(FileNotFoundError):
        objects.open("d/no")


def test_what_is_not_there_is_said_so(objects: Objects) -> None:
    with pytest.raises(FileNotFoundError):
        objects.get("no/such")
    assert _names(objects) == []
    assert _names(objects, "no/") == []
    assert objects.folders("no/") == []


def test_listings_are_in_order_of_name_whatever_the_store(objects: Objects) -> None:
    for name in NAMES[1:]:
        objects.put(name, name.encode())
    expected = sorted(NAMES[1:])

    assert _names(objects) == expected
    assert [entry.size for entry in objects.entries()] == [len(name.encode()) for name in expected]
    for begin in ["", "a", "a/", "a/b", "a/b.", "a/b/c", "a0", "b", "zz"]:
        for end in ["", "a/b/c", "b", "z z/#"]:
            assert _names(objects, start=begin, end=end) == [n for n in expected if n >= begin and (not end or n < end)], (begin, end)
    for prefix in ["a", "a/", "a/b", "a/b/", "b/é", "c'; drop table x;--/"]:
        assert _names(objects, prefix) == [n for n in expected if n.startswith(prefix)], prefix
    assert objects.folders("") == ["a", "b", "c'; drop table x;--", "z z"]
    assert objects.folders("a/") == ["b"]


def test_an_entry_names_a_content_and_no_other(objects: Objects, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    objects.put("x", b"old")
    (entry,) = objects.entries()
    assert objects.get("x", entry) == b"old"
    if entry.whole:
        storage: GoogleStorage = request.getfixturevalue("storage")
        bucket, _, prefix = objects.location.removeprefix("gs://").partition("/")
        storage.overwrite(bucket, f"{prefix}/x".lstrip("/"), b"new")
    else:
        (tmp_path / "root" / "x").write_bytes(b"renewed")
    with pytest.raises(ObjectChanged):
        objects.get("x", entry)
    assert objects.get("x") != b"old"


def _overwrite(objects: Objects, name: str, data: bytes, request: pytest.FixtureRequest) -> None:
    """What any other program may do: write without asking what is there."""
    if objects.location.startswith("gs://"):
        bucket, _, prefix = objects.location.removeprefix("gs://").partition("/")
        request.getfixturevalue("storage").overwrite(bucket, f"{prefix}/{name}".lstrip("/"), data)
    else:
        (Path(objects.location) / name).write_bytes(data)


def test_what_is_replaced_is_read_back(objects: Objects) -> None:
    objects.replace("d/x", b"first")
    objects.replace("d/x", b"second")
    assert objects.get("d/x") == b"second"
    assert objects.names("d/") == ["d/x"]


def test_an_object_is_moved_with_what_is_in_it(objects: Objects) -> None:
    objects.put("a/x é.json", b"data")
    (entry,) = objects.entries()
    objects.move(entry, "b/c/y#?.json")
    assert objects.names("") == ["b/c/y#?.json"]
    assert objects.get("b/c/y#?.json") == b"data"
    with pytest.raises(FileNotFoundError):
        objects.move(entry, "b/z.json")


def test_an_object_is_removed_and_a_second_time_is_fine(objects: Objects) -> None:
    objects.put("a/x", b"data")
    (entry,) = objects.entries()
    objects.remove(entry)
    objects.remove(entry)
    assert objects.names("") == []


@pytest.mark.parametrize("way", ["move", "remove"])
def test_what_was_replaced_after_it_was_listed_stays(objects: Objects, request: pytest.FixtureRequest, way: str) -> None:
    objects.put("a/x", b"old")
    (entry,) = objects.entries()
    _overwrite(objects, "a/x", b"renewed", request)
    with pytest.raises(ObjectChanged):
        objects.move(entry, "b/x") if way == "move" else objects.remove(entry)
    assert objects.names("") == ["a/x"]
    assert objects.get("a/x") == b"renewed"


def test_a_move_that_died_between_copy_and_delete_is_finished(patient: Bucket, storage: GoogleStorage) -> None:
    patient.put("a", b"data")
    (entry,) = patient.entries()
    storage.fault("delete", status=403)
    with pytest.raises(StoreError, match="delete on the bucket"):
        patient.move(entry, "b")
    assert patient.names("") == ["a", "b"]
    patient.move(entry, "b")
    assert patient.names("") == ["b"]


@pytest.mark.parametrize("kind", ["copy", "delete"])
def test_a_move_whose_answer_was_lost_is_made_once(patient: Bucket, storage: GoogleStorage, kind: str) -> None:
    patient.put("a", b"data")
    (entry,) = patient.entries()
    storage.fault(kind, lose_answer=True)  # type: ignore[arg-type]
    patient.move(entry, "b")
    assert patient.names("") == ["b"]
    assert patient.get("b") == b"data"


def test_an_unknown_scheme_is_refused_with_what_can_be_used() -> None:
    with pytest.raises(ValueError, match="gs://<bucket>"):
        open_objects("s3://somewhere/else")
    with pytest.raises(ValueError, match="names no bucket"):
        open_objects("gs://")


def test_a_listing_is_asked_for_page_by_page_and_no_further_than_needed(patient: Bucket, storage: GoogleStorage) -> None:
    for number in range(120):
        storage.overwrite(patient.location[5:], f"{number:04}", b"x")
    storage.requests.clear()
    assert [entry.name for entry in islice(patient.entries(start="0010"), 60)] == [f"{n:04}" for n in range(10, 70)]
    assert len(storage.asked("list")) == 1
    assert len(list(patient.entries())) == 120
    assert len(storage.asked("list")) == 1 + 2


WORK: dict[str, Callable[[Bucket], object]] = {
    "upload": lambda bucket: bucket.put("new", b"data"),
    "download": lambda bucket: bucket.get("there"),
    "list": lambda bucket: list(bucket.entries()),
    "stat": lambda bucket: bucket.holds("there"),
}


@pytest.mark.parametrize("status", [429, 503, 500, 408])
@pytest.mark.parametrize("kind", list(WORK))
def test_what_passes_is_waited_for(patient: Bucket, storage: GoogleStorage, kind: str, status: int) -> None:
    patient.put("there", b"data")
    storage.fault(kind, times=3, status=status)  # type: ignore[arg-type]
    assert WORK[kind](patient)
    assert len([name for found, name in storage.requests if found == kind]) >= 4


@pytest.mark.parametrize("kind", list(WORK))
def test_what_does_not_pass_ends_with_what_to_do(impatient: Bucket, storage: GoogleStorage, kind: str) -> None:
    impatient.put("there", b"data")
    storage.fault(kind, times=10_000, status=503)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"gs://test-.*HTTP 503 after .* of retries.* try again later") as raised:
        WORK[kind](impatient)
    assert raised.value.passing, "the run is tried again"


@pytest.mark.parametrize("kind", list(WORK))
def test_what_is_forbidden_is_not_tried_again(patient: Bucket, storage: GoogleStorage, kind: str) -> None:
    patient.put("there", b"data")
    storage.requests.clear()
    storage.fault(kind, times=2, status=403)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="grant the service account") as raised:
        WORK[kind](patient)
    assert not raised.value.passing
    assert len([found for found, _ in storage.requests if found == kind]) == 1


def test_a_bucket_that_is_not_there_is_named(storage: GoogleStorage) -> None:
    with pytest.raises(StoreError, match=r"gs://nobodys-bucket.*create the bucket"):
        list(Bucket("gs://nobodys-bucket", first_wait=0.01, patience=0.2).entries())


def test_bytes_changed_on_the_way_are_fetched_again(patient: Bucket, storage: GoogleStorage) -> None:
    data = bytes(range(256)) * 100
    patient.put("there", data)
    storage.fault("download", times=2, corrupt=True)
    assert patient.get("there") == data
    storage.fault("download", times=2, corrupt=True)
    with patient.open("there") as stream:
        assert stream.read() == data
    storage.fault("download", times=3, corrupt=True)
    with pytest.raises(StoreError, match="checksum was wrong 3 times"):
        patient.get("there")


def test_bytes_changed_on_the_way_up_are_not_kept(patient: Bucket, storage: GoogleStorage) -> None:
    data = bytes(range(256)) * 100
    storage.fault("upload", times=2, corrupt=True)
    assert patient.put("there", data)
    assert patient.get("there") == data
    storage.fault("upload", times=2, corrupt=True)
    assert patient.keep(io.BytesIO(data * 100), "{}".format)[2]
    storage.fault("upload", times=3, corrupt=True)
    with pytest.raises(StoreError, match="checksum was wrong 3 times"):
        patient.put("other", data)
    assert not patient.holds("other")


def test_an_upload_whose_answer_was_lost_is_one_object(patient: Bucket, storage: GoogleStorage) -> None:
    storage.fault("upload", lose_answer=True)
    patient.put("there", b"data")
    assert len(storage.asked("upload")) == 2
    assert patient.get("there") == b"data"
