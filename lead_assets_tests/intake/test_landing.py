"""The drop sensor's decisions: which files are complete and new, and that a crash at any point loses nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_assets.core.settings import Settings
from lead_assets.intake import landing
from lead_assets.intake.ingest import IngestedDrop
from lead_assets.intake.landing import Cursor, LandingFull, Leave, RunWanted, Scan, Standing, Taken, ask, scan, take, take_these, watch
from lead_assets.intake.read import read_campaigns
from lead_assets.stores.archive import Archive, Receipt
from lead_assets.stores.objects import Entry
from lead_assets.stores.objects.folder import Folder
from lead_assets_tests.conservation import of_payloads
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

    def _entry(self, path: Path | str, name: str) -> Entry:
        entry = super()._entry(path, name)
        return replace(entry, arrived=int(entry.version) / 1e9)


def _scan(folder: Path, cursor: str | None = None, seconds: float = 0) -> Scan:
    return scan(FolderOnATestClock(folder), cursor, now=NOW + timedelta(seconds=seconds))


@dataclass(frozen=True)
class Tick:
    """One tick as the sensor makes it: the cursor is text, and the runs have been asked for."""

    drops: list[IngestedDrop]
    runs: list[RunWanted]
    waiting: int
    left: int
    postponed: dict[str, str]
    cursor: str


def _ticked(taken: Taken, standing: Mapping[str, Standing] | None = None) -> Tick:
    runs, cursor = ask(taken.cursor, standing or {})
    return Tick(taken.drops, runs, taken.waiting, taken.left, taken.postponed, cursor.text())


def _tick(
    folder: Path,
    archive: Archive,
    cursor: str | None = None,
    seconds: float = 0,
    *,
    standing: Mapping[str, Standing] | None = None,
    leave: Leave = "move",
) -> Tick:
    return _ticked(take(_scan(folder, cursor, seconds), archive, now=NOW + timedelta(seconds=seconds), leave=leave), standing)


def _files(folder: Path) -> list[str]:
    """What stands in the landing zone and is not hidden."""
    return [entry.name for entry in Folder(folder).entries()]


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

    assert (again.drops, again.runs, again.left) == ([], [], 1)
    assert Cursor.parse(again.cursor) == Cursor(), "nothing is left to remember"


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
    taken = _ticked(take(found, archive, now=NOW))

    assert [drop.name for drop in taken.drops] == ["fine.ndjson"]
    assert taken.postponed == {"locked.ndjson": "unreadable: PermissionError"}


def test_a_crash_before_the_cursor_is_kept_adds_no_receipt_and_asks_for_the_same_run(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING, b"oops"))
    lost = _tick(folder, archive)
    resumed = _tick(folder, archive, None, 86_400)

    assert [drop.status for drop in resumed.drops] == ["already_ingested"]
    assert resumed.runs == lost.runs
    assert [len(archive.receipts(campaign)) for campaign in archive.campaigns()] == [1, 1]


def test_a_crash_in_the_middle_of_a_tick_loses_nothing(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        _put(folder, f"{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=60 - number)
    found = _scan(folder)
    add = Archive.add_receipt

    def dies_at_the_third(self: Archive, receipt: Receipt, calls: Iterator[int] = iter(range(99))) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt
        add(self, receipt)

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "add_receipt", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            take(found, archive, now=NOW)
    assert len(_files(folder)) == 4
    taken = _tick(folder, archive, None, 1)

    read = read_campaigns(archive, archive.campaigns())
    assert (read.raw_leads.height, read.rejected.height) == (4, 0)
    assert {drop.status for drop in taken.drops} == {"already_ingested", "ingested"}
    assert of_payloads(read).select("received", "good").row(0) == (4, 4)
    assert len(taken.runs) == 1


def test_a_tick_ends_in_time_and_the_next_goes_on(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        _put(folder, f"{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=60 - number)
    monkeypatch.setattr(landing, "_TOGETHER", 1)
    ticks = iter(range(0, 1000, 10))
    first = _ticked(take(_scan(folder), archive, now=NOW, budget_seconds=25, clock=lambda: float(next(ticks))))
    rest = _tick(folder, archive, first.cursor, 1)

    assert [drop.name for drop in first.drops] == ["0.ndjson", "1.ndjson", "2.ndjson"]
    assert [drop.name for drop in rest.drops] == ["3.ndjson", "4.ndjson"]
    assert first.runs[0].run_key != rest.runs[0].run_key


def test_a_tick_tries_some_files_however_late_it_is(folder: Path, archive: Archive) -> None:
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


@pytest.mark.parametrize("cursor", ["", "not json", "[]", '{"stuck": 7}', '{"stood": ["a"]}', '{"taken": {"a": 1.0}}', "null"])
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

    assert [drop.status for drop in take_these(settings, archive, ["leads.ndjson"])] == ["ingested"]
    assert take_these(settings, archive, ["leads.ndjson"]) == []
    watched = _ticked(watch(settings, archive, None, now=datetime.now(UTC)))
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


def test_a_tick_lists_two_pages_and_never_all(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that cannot be taken yet must not hide those behind them, and cost each tick a page."""
    monkeypatch.setattr(landing, "PAGE", 10)
    for number in range(35):
        _put(folder, f"a{number:02}/still-written.csv", b"email\n", age=-3600)
    _put(folder, "z/whole.ndjson", ndjson(LENDING))
    cursor: str | None = None
    shown: list[int] = []
    taken: list[str] = []
    for _ in range(8):
        root = CountingFolder(folder)
        ticked = _ticked(take(scan(root, cursor, now=NOW), archive, now=NOW))
        shown.append(root.shown)
        taken += [drop.name for drop in ticked.drops]
        cursor = ticked.cursor
    assert taken == ["z/whole.ndjson"]
    assert max(shown) <= 2 * landing.PAGE + 2
    assert len(cursor or "") < 1_000


def test_a_folder_of_many_files_is_emptied_with_a_small_cursor(folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landing, "PAGE", 10)
    for number in range(95):
        _put(folder, f"{number:03}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=600 - number)
    cursor: str | None = None
    longest = 0
    runs: list[RunWanted] = []
    for second in range(12):
        ticked = _tick(folder, archive, cursor, second, standing={"inbound-2026-11-20": "queued"} if runs else {})
        cursor, longest = ticked.cursor, max(longest, len(ticked.cursor))
        runs += ticked.runs
        assert len(ticked.drops) <= 10
        if second == 3:
            _put(folder, "000-late.ndjson", ndjson(INBOUND | {"email": "late@acme.example"}))

    assert (_files(folder), cursor) == ([], "{}")
    assert read_campaigns(archive, archive.campaigns()).raw_leads.height == 96
    assert longest < 400
    assert len(runs) == 1, "one that is queued reads what came meanwhile"


def test_a_taken_file_leaves_in_the_next_tick_and_keeps_its_path(folder: Path, archive: Archive) -> None:
    data = ndjson(INBOUND)
    _put(folder, "dt=2026-11-20/fall/leads.ndjson", data)
    first = _tick(folder, archive)
    assert _files(folder) == ["dt=2026-11-20/fall/leads.ndjson"], "until the tick that took it is known to be kept"
    second = _tick(folder, archive, first.cursor, 1)

    assert (_files(folder), second.left, second.drops) == ([], 1, [])
    (moved,) = (folder / ".taken" / "dt=2026-11-20" / "dt=2026-11-20" / "fall").iterdir()
    assert moved.name.startswith("leads-")
    assert moved.suffix == ".ndjson"
    assert moved.read_bytes() == data


def test_a_taken_file_is_deleted_if_that_is_wished(folder: Path, archive: Archive) -> None:
    _put(folder, "fall/leads.ndjson", ndjson(INBOUND))
    first = _tick(folder, archive, leave="delete")
    _tick(folder, archive, first.cursor, 1, leave="delete")

    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert archive.holds(ndjson(INBOUND))


def test_a_file_of_a_name_that_left_before_replaces_nothing(folder: Path, archive: Archive) -> None:
    cursor: str | None = None
    for number in range(2):
        _put(folder, "leads.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=60 - number)
        for second in range(2):
            cursor = _tick(folder, archive, cursor, 2 * number + second).cursor
    assert len(list((folder / ".taken").rglob("*.ndjson"))) == 2


@pytest.mark.parametrize("leave", ["move", "delete"])
def test_a_file_written_anew_after_it_was_taken_stays_and_is_taken_anew(folder: Path, archive: Archive, leave: Leave) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING), age=60)
    first = _tick(folder, archive, leave=leave)
    found = _scan(folder, first.cursor, 1)
    _put(folder, "leads.ndjson", ndjson(LENDING, INBOUND), age=30)  # after the listing, before it leaves
    second = _ticked(take(found, archive, now=NOW, leave=leave))
    assert _files(folder) == ["leads.ndjson"]
    third = _tick(folder, archive, second.cursor, 2, leave=leave)

    assert [drop.rows for drop in third.drops] == [2]


def test_a_tick_that_was_not_kept_after_files_left_costs_nothing(folder: Path, archive: Archive) -> None:
    """The second tick sees the file off and takes another, then dies before its cursor is kept: the third begins where the second began."""
    _put(folder, "a.ndjson", ndjson(LENDING), age=60)
    first = _tick(folder, archive)
    _put(folder, "b.ndjson", ndjson(LENDING | {"lead_id": "lf_2"}), age=50)
    lost = _tick(folder, archive, first.cursor, 1)
    again = _tick(folder, archive, first.cursor, 2)

    assert (lost.left, [drop.name for drop in lost.drops]) == (1, ["b.ndjson"])
    assert ([drop.status for drop in again.drops], again.runs) == (["already_ingested"], lost.runs)
    assert len(archive.receipts("lending-q4")) == 2
    _tick(folder, archive, again.cursor, 3)
    assert _files(folder) == []


def test_files_that_cannot_leave_are_not_taken_again_and_too_many_stop_the_sensor(
    folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "PAGE", 3)

    def denied(self: Folder, entry: Entry, name: str) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Folder, "move", denied)
    _put(folder, "a.ndjson", ndjson(INBOUND), age=60)
    cursor, taken = None, []
    for second in range(4):
        ticked = _tick(folder, archive, cursor, second)
        cursor, taken = ticked.cursor, [*taken, *ticked.drops]
    assert len(taken) == 1
    assert ticked.postponed == {"a.ndjson": "cannot_leave: PermissionError"}
    for number in range(3):
        _put(folder, f"b{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=30)
    cursor = _tick(folder, archive, cursor, 4).cursor
    with pytest.raises(LandingFull, match=r"3 files were taken and stay in .*cannot_leave: PermissionError.* grant the right to move"):
        _tick(folder, archive, cursor, 5)


def test_what_its_sender_takes_away_is_forgotten(folder: Path, archive: Archive) -> None:
    _put(folder, "leads.ndjson", ndjson(LENDING))
    first = _tick(folder, archive)
    (folder / "leads.ndjson").unlink()

    assert _tick(folder, archive, first.cursor, 1).cursor == "{}"


def test_a_drop_during_a_run_asks_for_one_more_run_when_it_has_ended(folder: Path, archive: Archive) -> None:
    _put(folder, "fall/0.ndjson", ndjson(INBOUND))
    first = _tick(folder, archive)
    cursor, asked = first.cursor, [run.run_key for run in first.runs]
    assert len(asked) == 1
    for number, standing in enumerate(["queued", "under_way", "under_way", "under_way"], start=1):
        _put(folder, f"fall/{number}.ndjson", ndjson(INBOUND | {"email": f"p{number}@acme.example"}), age=60 - number)
        ticked = _tick(folder, archive, cursor, number, standing={"fall": standing})  # type: ignore[dict-item]
        assert (len(ticked.drops), ticked.runs) == (1, [])
        cursor = ticked.cursor
    ended = _tick(folder, archive, cursor, 10)
    assert [run.campaign_id for run in ended.runs] == ["fall"]
    assert ended.runs[0].run_key not in asked
    assert _tick(folder, archive, ended.cursor, 11).runs == []


def test_what_came_while_a_run_was_queued_needs_no_other(folder: Path, archive: Archive) -> None:
    _put(folder, "fall/0.ndjson", ndjson(INBOUND))
    queued = _tick(folder, archive, standing={"fall": "queued"})
    assert _tick(folder, archive, queued.cursor, 1).runs == []


def test_campaigns_are_asked_for_past_those_that_must_wait() -> None:
    due = {f"c{number:02}": f"c{number:02}:key" for number in range(60)}
    busy: dict[str, Standing] = {f"c{number:02}": "under_way" for number in range(30)}
    runs, cursor = ask(Cursor(due=due), busy)

    assert [run.campaign_id for run in runs] == [f"c{number:02}" for number in range(30, 55)]
    assert sorted(cursor.due) == [f"c{number:02}" for number in (*range(30), *range(55, 60))]


def test_files_wait_where_they_are_while_too_many_campaigns_are_due(
    folder: Path, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "MAX_DUE", 30)
    _put(folder, "a.ndjson", ndjson(*[INBOUND | {"campaign_id": f"c{number:03}"} for number in range(60)]))
    first = _tick(folder, archive)
    _put(folder, "b.ndjson", ndjson(LENDING))
    second = _tick(folder, archive, first.cursor, 1)
    third = _tick(folder, archive, second.cursor, 2)

    assert [len(tick.drops) for tick in (first, second, third)] == [1, 0, 1]
    assert [len(tick.runs) for tick in (first, second, third)] == [25, 25, 11]
