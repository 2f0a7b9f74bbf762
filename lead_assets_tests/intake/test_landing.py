"""The drop sensor's decisions: what is whole, what is new, and that a crash at any point costs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_assets.core.settings import Settings
from lead_assets.intake import landing
from lead_assets.intake.landing import Cursor, Scan, Taken, scan, take, take_all, watch
from lead_assets.intake.read import conservation, read_campaigns
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import Entry
from lead_assets.stores.objects.folder import Folder
from lead_assets_tests.intake.samples import INBOUND, LENDING, ndjson

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "landing"
    path.mkdir()
    return path


def _put(folder: Path, name: str, data: bytes, age: float = 60) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    written = NOW.timestamp() - age
    os.utime(path, (written, written))
    return path


class FolderOnATestClock(Folder):
    """A file's time of change cannot be set from outside, so here a file arrives when its (settable) time of writing says."""

    def _entry(self, path: Path, name: str) -> Entry:
        entry = super()._entry(path, name)
        return replace(entry, arrived=int(entry.version) / 1e9)


def _scan(folder: Path, cursor: str | None = None, seconds: float = 0) -> Scan:
    return scan(FolderOnATestClock(folder), cursor, now=NOW + timedelta(seconds=seconds))


def _tick(folder: Path, archive: Archive, cursor: str | None = None, seconds: float = 0) -> Taken:
    return take(_scan(folder, cursor, seconds), archive, now=NOW + timedelta(seconds=seconds))


def test_a_new_file_becomes_a_drop_and_a_run(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING, INBOUND))
    taken = _tick(folder, archive)

    assert [(drop.name, drop.rows) for drop in taken.drops] == [("leads.ndjson", 2)]
    assert {run.campaign_id for run in taken.runs} == {"inbound-2026-11-20", "lending-q4"}
    assert archive.campaigns() == ["inbound-2026-11-20", "lending-q4"]


def test_a_file_that_was_taken_is_not_taken_again(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING))
    taken = _tick(folder, archive)
    again = _tick(folder, archive, taken.cursor, 1)

    assert (again.drops, again.runs) == ([], [])
    assert Cursor.parse(again.cursor).taken == Cursor.parse(taken.cursor).taken


def test_a_sub_folder_names_the_campaign(folder: Path, archive: Archive) -> None:
    _put(folder, "Fall 2026/deep/leads.ndjson", ndjson(LENDING, INBOUND))
    (drop,) = _tick(folder, archive).drops

    assert list(drop.campaigns.values()) == [2]
    assert next(iter(drop.campaigns)).startswith("fall-2026-")


def test_hidden_files_and_unfinished_downloads_are_not_looked_at(folder: Path) -> None:
    for name in (".hidden", "a.tmp", "b.part", "c.csv.crdownload", ".sync/d.csv", "e.csv~", "F.TMP", "g.csv.filepart"):
        _put(folder, name, b"email\na@b.example\n")
    found = _scan(folder)

    assert (found.ready, found.waiting) == ([], [])


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert _scan(tmp_path / "nowhere").ready == []


def test_a_file_still_being_written_waits_until_it_rests(folder: Path, archive: Archive) -> None:
    path = _put(folder, "leads.ndjson", ndjson(LENDING)[:50], age=0.5)
    first = _tick(folder, archive)
    assert (first.drops, first.waiting) == ([], 1)

    with path.open("ab") as file:
        file.write(ndjson(LENDING)[50:])
    os.utime(path, (NOW.timestamp() + 1, NOW.timestamp() + 1))
    grown = _tick(folder, archive, first.cursor, 2.5)
    assert (grown.drops, grown.waiting) == ([], 1)

    soon = _tick(folder, archive, grown.cursor, 3.5)
    assert (soon.drops, soon.waiting) == ([], 1)
    rested = _tick(folder, archive, soon.cursor, 4.6)
    assert [drop.rows for drop in rested.drops] == [1]
    assert read_campaigns(archive, archive.campaigns()).rejected.height == 0


def test_a_file_from_the_future_is_taken_once_it_rests(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING), age=-3600)
    first = _tick(folder, archive)
    assert first.waiting == 1
    assert len(_tick(folder, archive, first.cursor, 3).drops) == 1


def test_a_file_that_changes_while_it_is_read_is_left_for_later(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _put(folder, "leads.ndjson", ndjson(LENDING))
    read_bytes = Path.read_bytes

    def slow_read(self: Path) -> bytes:
        data = read_bytes(self)
        if self.name == path.name:
            path.write_bytes(data + ndjson(INBOUND))
        return data

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", slow_read)
        taken = _tick(folder, archive)

    assert (taken.drops, taken.runs, taken.postponed) == ([], [], {"leads.ndjson": "changed_while_read"})
    assert archive.campaigns() == []
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert [drop.rows for drop in _tick(folder, archive, taken.cursor, 30).drops] == [2]


def test_a_file_that_goes_away_or_cannot_be_read_stops_nobody(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gone.ndjson", "locked.ndjson", "fine.ndjson"):
        _put(folder, name, ndjson(INBOUND | {"source": name}))
    found = _scan(folder)
    (folder / "gone.ndjson").unlink()
    read_bytes = Path.read_bytes

    def denied(self: Path) -> bytes:
        if self.name == "locked.ndjson":
            raise PermissionError(13, "denied")
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", denied)
    taken = take(found, archive, now=NOW)

    assert [drop.name for drop in taken.drops] == ["fine.ndjson"]
    assert taken.postponed == {"locked.ndjson": "unreadable: PermissionError"}


def test_a_crash_before_the_cursor_is_kept_adds_no_receipt_and_asks_for_the_same_run(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING, b"oops"))
    lost = _tick(folder, archive)
    resumed = _tick(folder, archive, None, 86_400)

    assert [drop.status for drop in resumed.drops] == ["already_ingested"]
    assert resumed.runs == lost.runs
    assert [len(archive.receipts(campaign)) for campaign in archive.campaigns()] == [1, 1]


def test_a_crash_in_the_middle_of_a_tick_loses_nothing(folder: Path, archive: Archive) -> None:
    for number in range(4):
        _put(folder, f"{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=60 - number)
    found = _scan(folder)

    def clock_that_dies(calls: Iterator[int] = iter(range(99))) -> float:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        take(found, archive, now=NOW, clock=clock_that_dies)
    taken = _tick(folder, archive, None, 1)

    read = read_campaigns(archive, archive.campaigns())
    assert read.raw_leads.height == 4
    assert read.rejected.height == 0
    assert [drop.status for drop in taken.drops] == ["already_ingested"] * 3 + ["ingested"]
    frame = conservation(read)
    assert frame.select("received", "good").row(0) == (4, 4)


def test_a_tick_ends_in_time_and_the_next_goes_on(folder: Path, archive: Archive) -> None:
    for number in range(5):
        _put(folder, f"{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=60 - number)
    ticks = iter(range(0, 1000, 10))
    first = take(_scan(folder), archive, now=NOW, budget_seconds=25, clock=lambda: float(next(ticks)))
    rest = _tick(folder, archive, first.cursor, 1)

    assert [drop.name for drop in first.drops] == ["0.ndjson", "1.ndjson", "2.ndjson"]
    assert [drop.name for drop in rest.drops] == ["3.ndjson", "4.ndjson"]
    assert first.runs[0].run_key != rest.runs[0].run_key


def test_a_tick_tries_one_file_however_late_it_is(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING))

    assert len(take(_scan(folder), archive, now=NOW, budget_seconds=0).drops) == 1


def test_many_campaigns_are_asked_for_over_several_ticks(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(*[INBOUND | {"campaign_id": f"c{number:03}"} for number in range(60)]))
    asked: list[str] = []
    cursor: str | None = None
    for second in range(4):
        taken = _tick(folder, archive, cursor, second)
        cursor = taken.cursor
        assert len(taken.runs) <= landing.MAX_RUNS
        asked += [run.campaign_id for run in taken.runs]

    assert sorted(asked) == [f"c{number:03}" for number in range(60)]


def test_the_same_bytes_in_two_files_are_one_drop_with_two_receipts(folder: Path, archive: Archive) -> None:
    _put(folder, "a.ndjson", ndjson(LENDING), age=60)
    _put(folder, "b.ndjson", ndjson(LENDING), age=50)
    taken = _tick(folder, archive)

    assert [drop.status for drop in taken.drops] == ["ingested", "duplicate_file"]
    assert len(taken.runs) == 1
    read = read_campaigns(archive, ["lending-q4"])
    assert read.received.rows() == [("lending-q4", 1, 1)]
    assert (read.raw_leads.height, read.rejected.height) == (1, 0)


def test_a_file_written_anew_under_its_name_is_taken_anew(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING), age=60)
    first = _tick(folder, archive)
    _put(folder, "leads.ndjson", ndjson(LENDING | {"notes": "changed"}), age=30)
    second = _tick(folder, archive, first.cursor, 1)

    assert [drop.status for drop in second.drops] == ["ingested"]
    assert second.runs[0].run_key != first.runs[0].run_key


def test_the_cursor_stays_small_and_forgets_nothing(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "REMEMBERED", 5)
    cursor: str | None = None
    for number in range(12):
        _put(folder, f"{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=600 - number)
        taken = _tick(folder, archive, cursor, number)
        cursor = taken.cursor
        assert [drop.name for drop in taken.drops] == [f"{number}.ndjson"]

    assert len(Cursor.parse(cursor).taken) == 5
    (folder / "11.ndjson").unlink()
    after = _tick(folder, archive, cursor, 60)
    assert after.drops == []
    assert len(Cursor.parse(after.cursor).taken) == 4


@pytest.mark.parametrize("cursor", ["", "not json", "[]", '{"taken": 7}', '{"taken": {"a": "b"}}', "null"])
def test_an_unreadable_cursor_is_a_new_start(cursor: str, folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING))

    assert len(_tick(folder, archive, cursor).drops) == 1


def test_a_file_named_by_its_content_is_taken_at_once_if_it_keeps_the_promise(folder: Path, archive: Archive) -> None:
    import hashlib

    data = ndjson(LENDING)
    name = f"api-{hashlib.sha256(data).hexdigest()[:16]}.ndjson"
    _put(folder, name, data, age=0)
    _put(folder, "half-0123456789abcdef.ndjson", ndjson(INBOUND), age=0)
    first = _tick(folder, archive)

    assert [drop.name for drop in first.drops] == [name]
    assert first.postponed == {"half-0123456789abcdef.ndjson": "still_being_written"}
    assert [drop.name for drop in _tick(folder, archive, first.cursor, 3).drops] == ["half-0123456789abcdef.ndjson"]


def test_watching_and_taking_by_hand_leave_one_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "landing_of", lambda settings: FolderOnATestClock(Path(settings.landing_location)))
    settings = Settings(home=tmp_path, _env_file=None)  # type: ignore[call-arg]
    archive = Archive(settings.archive_location)
    _put(tmp_path / "landing", "leads.ndjson", ndjson(LENDING))

    assert [drop.status for drop in take_all(settings, archive)] == ["ingested"]
    assert take_all(settings, archive) == []
    watched = watch(settings, archive, None, now=datetime.now(UTC))
    assert [run.campaign_id for run in watched.runs] == ["lending-q4"]
    assert len(archive.receipts("lending-q4")) == 1


def test_a_days_folder_is_no_campaign(folder: Path, archive: Archive) -> None:
    _put(folder, "dt=2026-11-20/leads.ndjson", ndjson(INBOUND))
    _put(folder, "dt=2026-11-20/fall/leads.ndjson", ndjson(INBOUND | {"email": "a@acme.example"}))

    assert [list(drop.campaigns) for drop in _tick(folder, archive).drops] == [["fall"], ["inbound-2026-11-20"]]


class CountingFolder(FolderOnATestClock):
    """Counts the files that a listing has shown."""

    shown = 0

    def _entry(self, path: Path, name: str) -> Entry:
        self.shown += 1
        return super()._entry(path, name)


def test_a_tick_lists_the_open_days_and_a_page_and_never_all(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "PAGE", 10)
    old = [_put(folder, f"dt=2026-10-{day:02}/c/{number}.csv", b"email\n", age=86_400 * 30) for day in range(1, 11) for number in range(6)]
    undated = [_put(folder, f"hand/{number}.csv", b"email\n", age=86_400) for number in range(6)]
    _put(folder, "dt=2026-11-20/today.ndjson", ndjson(LENDING))
    root = CountingFolder(folder)
    first = scan(root, None, now=NOW)
    assert root.shown < 2 * landing.PAGE
    assert "dt=2026-11-20/today.ndjson" in {file.path for file in first.ready}

    cursor, seen = first.cursor.text(), {file.path for file in first.ready}
    for second in range(1, 7):
        found = _scan(folder, cursor, second)
        seen |= {file.path for file in found.ready}
        cursor = found.cursor.text()
    assert len(seen) == len(old) + len(undated) + 1


def test_what_comes_late_to_a_closed_day_is_taken_on_the_next_round(
    folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "PAGE", 5)
    monkeypatch.setattr(landing, "REMEMBERED", 3)
    for number in range(20):
        _put(folder, f"dt=2026-10-01/{number:02}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=86_400 - number)
    cursor: str | None = None
    taken: list[str] = []

    def ticks(seconds: range) -> None:
        nonlocal cursor
        for second in seconds:
            result = _tick(folder, archive, cursor, second)
            cursor = result.cursor
            taken.extend(drop.name for drop in result.drops if drop.status == "ingested")

    ticks(range(6))
    assert len(taken) == 20
    _put(folder, "dt=2026-10-01/00-late.ndjson", ndjson(INBOUND | {"email": "late@acme.example"}), age=-5)
    ticks(range(6, 20))
    assert taken[20:] == ["dt=2026-10-01/00-late.ndjson"]
    # A second round over all of them took nothing again, and what the cursor has forgotten it knows by its time.
    ticks(range(1000, 1010))
    assert len(taken) == 21
    assert len(Cursor.parse(cursor).taken) < 21


def test_what_a_listing_shows_late_is_not_taken_for_known(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that arrived before others were forgotten, and that no listing had shown until then."""
    monkeypatch.setattr(landing, "REMEMBERED", 1)
    for number in range(3):
        _put(folder, f"{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=100 - number)
    first = _tick(folder, archive)
    _put(folder, "shown-late.ndjson", ndjson(INBOUND | {"email": "slow@acme.example"}), age=150)

    assert [drop.name for drop in _tick(folder, archive, first.cursor, 60).drops] == ["shown-late.ndjson"]
