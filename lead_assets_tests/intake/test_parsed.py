"""Parsed drops are not parsed again, and deleting or damaging the parsed rows gives the same rows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_assets.core.limits import DropLimits
from lead_assets.intake import ingest as ingest_module
from lead_assets.intake import parsed as parsed_module
from lead_assets.intake.ingest import ingest
from lead_assets.intake.parsed import MODULES, ParsedDrops
from lead_assets.intake.read import CampaignsRead, read_campaigns
from lead_assets.stores.archive import Archive, Receipt
from lead_assets.stores.objects.folder import Folder
from lead_assets_tests.intake.samples import INBOUND, LENDING, LIMIT, NOON, ndjson


class WatchedArchive(Archive):
    """Says what was read of it."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.drops_read: list[str] = []
        self.receipts_read: list[str] = []

    def get(self, sha256: str) -> bytes:
        self.drops_read.append(sha256)
        return super().get(sha256)

    def read_receipts(self, campaign_id: str, names: Sequence[str]) -> dict[str, Receipt]:
        self.receipts_read += names
        return super().read_receipts(campaign_id, names)


@pytest.fixture
def archive(tmp_path: Path) -> WatchedArchive:
    return WatchedArchive(str(tmp_path / "archive"))


@pytest.fixture
def parsed(tmp_path: Path) -> ParsedDrops:
    return ParsedDrops(Folder(tmp_path / "derived"), limits=DropLimits(LIMIT))


def _lead(number: int) -> bytes:
    return ndjson(INBOUND | {"email": f"p{number}@acme.example"})


def _drop(archive: Archive, data: bytes, minute: int, **options: Any) -> None:
    ingest(archive, data, **{"name": f"drop-{minute}", "received_at": NOON + timedelta(minutes=minute)} | options)


def _read(archive: WatchedArchive, parsed: ParsedDrops | None, *campaigns: str) -> CampaignsRead:
    archive.drops_read.clear()
    archive.receipts_read.clear()
    return read_campaigns(archive, campaigns or archive.campaigns(), parsed=parsed)


def _same(one: CampaignsRead, other: CampaignsRead) -> None:
    for mine, theirs in zip(one, other, strict=True):
        assert mine.equals(theirs)
        assert mine.schema == theirs.schema


def test_one_more_drop_is_the_only_one_that_is_read(archive: WatchedArchive, parsed: ParsedDrops) -> None:
    for number in range(20):
        _drop(archive, _lead(number), number)
    _read(archive, parsed)
    assert (len(archive.drops_read), len(archive.receipts_read)) == (20, 20)

    _drop(archive, _lead(20), 20)
    more = _read(archive, parsed)
    assert (len(archive.drops_read), len(archive.receipts_read)) == (1, 1)
    _read(archive, parsed)
    assert (archive.drops_read, archive.receipts_read) == ([], [])
    _same(more, _read(archive, None))
    assert len(archive.drops_read) == 21


def test_campaigns_whose_drops_are_shared_mended_repeated_or_late_are_as_if_nothing_were_kept(
    archive: WatchedArchive, parsed: ParsedDrops
) -> None:
    table = b"Kontakt,Haus\na@acme.example,Acme\n"
    steps: list[tuple[bytes, int, dict[str, Any]]] = [
        (ndjson(LENDING, INBOUND, b"oops"), 10, {}),
        (table, 11, {}),
        (ndjson(LENDING, INBOUND, b"oops"), 12, {}),
        (table, 13, {"column_map": {"Kontakt": "email", "Haus": "company"}}),
        (table, 14, {}),
        (ndjson(INBOUND), 15, {"campaign": "lending-q4"}),
        # A machine whose clock is behind: its receipt comes before those that are known.
        (ndjson(LENDING, INBOUND, b"oops"), 1, {"name": "late"}),
        (table, 2, {"column_map": {"Kontakt": "email"}}),
    ]
    for data, minute, options in steps:
        _drop(archive, data, minute, **options)
        _same(_read(archive, parsed), _read(archive, None))
    _same(_read(archive, parsed, "lending-q4"), _read(archive, None, "lending-q4"))


@pytest.mark.parametrize("damage", [b"", b"PK", b"not a zip", "cut", "flip"])
def test_what_is_deleted_or_damaged_is_read_again_to_the_same_rows(
    archive: WatchedArchive, parsed: ParsedDrops, tmp_path: Path, damage: bytes | str
) -> None:
    _drop(archive, ndjson(LENDING, b"oops"), 0, campaign="c")
    whole = _read(archive, parsed)
    (file,) = (tmp_path / "derived").rglob("*.zip")
    data = file.read_bytes()
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        middle = data.index(b"ARROW1") + 300
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :])
    else:
        assert isinstance(damage, bytes)
        file.write_bytes(damage)
    _same(_read(archive, parsed), whole)
    assert len(archive.drops_read) == 1
    file.unlink()
    _same(_read(archive, parsed), whole)
    assert len(archive.drops_read) == 1


def test_another_parser_or_another_limit_reads_all_again(
    archive: WatchedArchive, parsed: ParsedDrops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(archive, _lead(1), 0, campaign="c")
    _read(archive, parsed)
    limited = ParsedDrops(Folder(tmp_path / "derived"), limits=DropLimits(10))
    read = read_campaigns(archive, ["c"], limits=DropLimits(10), parsed=limited)
    assert read.rejected["code"].to_list() == ["payload_too_large"]
    _read(archive, parsed)
    assert len(archive.drops_read) == 1
    monkeypatch.setattr(parsed_module, "parser_version", lambda: "another")
    _read(archive, ParsedDrops(Folder(tmp_path / "derived"), limits=DropLimits(LIMIT)))
    assert len(archive.drops_read) == 1


def test_every_module_that_decides_what_bytes_become_is_part_of_the_version() -> None:
    """Measured in a process that does nothing else. What parsing loads and does not decide is named here."""
    drops = [(ndjson(LENDING, INBOUND, INBOUND | {"email": "a@münchen.example"}), {}), (b"email,company\na@b.example,c\n", {})]
    code = f"""
import sys
from lead_assets.core.limits import DropLimits
from lead_assets.intake.drops import read_drops
assert read_drops({drops!r}, limits=DropLimits(1 << 20)).leads.height == 4
print(*[name for name, module in sys.modules.items() if name.startswith("lead_assets") and not hasattr(module, "__path__")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    # Other tables' contracts and the stores come along with the names they are imported by; the words are for the text of a wrong --map alone.
    # What the declarations say is in the version itself, so how they are read is not.
    words = {
        f"lead_assets.core.{name}" for name in ("declared", "document", "faults", "last_good", "project_files", "settings", "unknown_words")
    }
    harmless = words | {
        name for name in loaded if name.startswith(("lead_assets.contracts.", "lead_assets.stores.")) and name not in MODULES
    }
    assert loaded - harmless == set(MODULES)


def test_of_two_that_keep_at_once_neither_loses_a_row(archive: WatchedArchive, parsed: ParsedDrops) -> None:
    _drop(archive, _lead(1), 1, campaign="c")
    _read(archive, parsed)
    before = parsed.get("c")
    _drop(archive, _lead(2), 2, campaign="c")
    _read(archive, parsed)
    parsed.put("c", before)

    assert _read(archive, parsed).raw_leads.height == 2
    assert len(archive.drops_read) == 1


def test_a_place_that_cannot_be_written_costs_time_and_no_rows(archive: WatchedArchive, tmp_path: Path) -> None:
    (tmp_path / "derived").write_text("a file where a folder belongs")
    parsed = ParsedDrops(Folder(tmp_path / "derived"), limits=DropLimits(LIMIT))
    _drop(archive, _lead(1), 1, campaign="c")

    assert _read(archive, parsed).raw_leads.height == 1


def test_a_drop_of_some_size_is_read_as_it_arrives_and_not_again(
    archive: WatchedArchive, parsed: ParsedDrops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is in it: two campaigns, rejects, the same bytes again, another drop beside it; and not one of more rows than memory should hold."""
    monkeypatch.setattr(ingest_module, "_WORTH_KEEPING", 100)
    keeps = {"parsed": parsed, "limits": DropLimits(LIMIT)}
    _drop(archive, ndjson(LENDING, INBOUND, b"oops", LENDING | {"utm_campaign": "lending-q4"}), 1, **keeps)
    first = _read(archive, parsed)
    assert archive.drops_read == []
    assert first.rejected.height == 1
    _same(first, _read(archive, None))
    for number, data in enumerate((_lead(1) * 9, _lead(2), _lead(1) * 9, ndjson(LENDING | {"lead_id": "lf_9"}) * 5), start=2):
        _drop(archive, data, number, **keeps)
        _same(_read(archive, parsed), _read(archive, None))
    _drop(archive, _lead(7) * 90, 8, name="other map", column_map={"company": "notes"}, **keeps)
    _same(_read(archive, parsed), _read(archive, None))

    monkeypatch.setattr(ingest_module, "_MOST_KEPT", 100)
    _drop(archive, _lead(8) * 90, 9, **keeps)
    large = _read(archive, parsed)
    assert len(archive.drops_read) == 1
    _same(large, _read(archive, None))
