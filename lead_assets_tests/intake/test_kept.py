"""A large drop is parsed once, when it is taken in; and whatever becomes of the rows kept then, the tables are the same."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from lead_assets.core.limits import DropLimits
from lead_assets.intake.drops import Drops
from lead_assets.intake.ingest import Arrival, IngestedDrop, ingest, ingest_many
from lead_assets.intake.kept import KEPT_FROM_BYTES
from lead_assets.intake.parsed import ParsedDrops
from lead_assets.intake.read import CampaignsRead, read_campaigns
from lead_assets.stores.archive import Archive, Receipt
from lead_assets.stores.objects.folder import Folder
from lead_assets_tests.intake.samples import NOON

FORMS = 6_000
"""Enough for a drop of several parts."""


def forms(first: int = 0, campaigns: tuple[str, ...] = ("spring",)) -> bytes:
    """Lending forms, some of which cannot be read or are lists of leads, and some written in another way."""
    lines = []
    for number in range(first, first + FORMS):
        form = {
            "lead_id": f"l-{number}",
            "email": f"person{number}@acme{number % 90}.example",
            "first_name": "Ana",
            "last_name": "Okafor",
            "property_address": f"{number} Elm Street",
            "property_state": "TX",
            "loan_amount_requested": number * 100 if number % 3 else f"${number},000",
            "submitted_at": f"{number % 12 + 1}/{number % 28 + 1}/2026" if number % 5 == 0 else "2026-11-01T10:00:00Z",
            "utm_campaign": campaigns[number % len(campaigns)],
            "notes": "x" * 700,
        }
        if number % 11 == 0:
            form = {"leads": [form, form | {"lead_id": f"m-{number}", "email": f"m{number}@beta.example"}], "utm_campaign": campaigns[0]}
        lines.append("{broken" if number % 97 == 0 else json.dumps({"note": "nobody"} if number % 53 == 0 else form))
    return "\n".join(lines).encode()


class Unread(Archive):
    """An archive whose drops must not be read."""

    def open(self, sha256: str) -> io.BufferedReader:  # type: ignore[override]
        raise AssertionError("a drop was read")

    def get(self, sha256: str) -> bytes:
        raise AssertionError("a drop was read")


@pytest.fixture
def home(tmp_path: Path) -> str:
    return str(tmp_path / "archive")


def taken(archive: Archive, data: bytes, **given: object) -> IngestedDrop:
    return ingest(archive, data, name="forms.ndjson", received_at=NOON, **given)  # type: ignore[arg-type]


def same(one: CampaignsRead, other: CampaignsRead) -> None:
    for mine, others in zip(one, other, strict=True):
        assert_frame_equal(mine, others)


def read_again(home: str, campaigns: object) -> CampaignsRead:
    """From the archive alone."""
    shutil.rmtree(Path(home) / "derived")
    return read_campaigns(Archive(home), list(campaigns))  # type: ignore[call-overload]


@pytest.mark.parametrize("given", [{}, {"campaign": "other"}, {"column_map": {"notes": "title"}}], ids=["its own", "forced", "mapped"])
def test_a_large_drop_is_not_read_again_and_its_rows_are_those_of_the_archive(home: str, given: dict[str, object]) -> None:
    drop = taken(Archive(home), forms(campaigns=("spring", "summer", "")), **given)

    found = read_campaigns(Unread(home), drop.campaigns)

    assert found.raw_leads.height == drop.rows > FORMS // 2
    assert found.rejected.height == drop.rejected > FORMS // 97
    assert found.received["received"].sum() == drop.rows + drop.rejected
    same(found, read_again(home, drop.campaigns))


def test_a_stream_is_kept_as_bytes_are(home: str, tmp_path: Path) -> None:
    drop = taken(Archive(home), forms())
    streamed = taken(Archive(str(tmp_path / "streamed")), io.BytesIO(forms()))  # type: ignore[arg-type]

    assert (drop.campaigns, drop.codes) == (streamed.campaigns, streamed.codes)
    same(read_campaigns(Unread(home), drop.campaigns), read_campaigns(Unread(str(tmp_path / "streamed")), drop.campaigns))


def test_each_of_several_drops_is_kept_beside_small_ones_that_are_read(home: str) -> None:
    small = b'{"email": "a@b.example", "lead_id": "s", "utm_campaign": "spring"}'
    arrivals = [Arrival(forms(), "one"), Arrival(small, "two"), Arrival(forms(FORMS), "three")]
    ingest_many(Archive(home), arrivals, received_at=NOON)

    found = read_campaigns(Archive(home), ["spring"])

    assert len(list((Path(home) / "derived").rglob("*.zip"))) == 2
    same(found, read_again(home, ["spring"]))


def test_a_drop_below_the_size_leaves_nothing(home: str) -> None:
    taken(Archive(home), forms()[: KEPT_FROM_BYTES - 1])

    assert not (Path(home) / "derived").exists()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4_000])


def _flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [_cut, _flipped, lambda file: file.write_bytes(b""), Path.unlink])
def test_damaged_rows_are_read_again(home: str, damage: Callable[[Path], object]) -> None:
    drop = taken(Archive(home), forms())
    before = read_campaigns(Unread(home), drop.campaigns)
    (file,) = (Path(home) / "derived").rglob("*.zip")
    damage(file)

    same(before, read_campaigns(Archive(home), drop.campaigns))


def test_another_parser_reads_the_drop_itself(home: str) -> None:
    drop = taken(Archive(home), forms())

    found = read_campaigns(Archive(home), drop.campaigns, limits=DropLimits(300))

    assert found.raw_leads.is_empty()
    assert set(found.rejected["code"]) == {"payload_too_large", "not_json", "no_identity"}


def test_a_corrected_column_map_reads_the_drop_itself(home: str) -> None:
    taken(Archive(home), forms())
    ingest(Archive(home), forms(), name="forms.ndjson", received_at=NOON + timedelta(days=1), column_map={"notes": "title"})

    found = read_campaigns(Archive(home), ["spring"])

    assert found.raw_leads["title"].null_count() < found.raw_leads.height
    same(found, read_again(home, ["spring"]))


def test_a_kill_before_the_receipts_loses_nothing(home: str) -> None:
    class Killed(Archive):
        def add_receipt(self, receipt: Receipt) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taken(Killed(home), forms(), receipt_id="r")
    drop = taken(Archive(home), forms(), receipt_id="r")

    assert drop.status == "ingested"
    found = read_campaigns(Unread(home), drop.campaigns)
    assert found.received["received"].sum() == found.raw_leads.height + found.rejected.height
    same(found, read_again(home, drop.campaigns))


def test_a_kill_while_the_rows_are_written_leaves_none_of_them(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = Drops.count

    def killed(self: Drops, *given: object) -> None:
        count(self, *given)  # type: ignore[arg-type]
        if self.rejects["position"].max() > FORMS // 2:  # type: ignore[operator]
            raise KeyboardInterrupt

    monkeypatch.setattr(Drops, "count", killed)
    with pytest.raises(KeyboardInterrupt):
        taken(Archive(home), forms())
    monkeypatch.undo()
    assert not (Path(home) / "derived").exists()

    drop = taken(Archive(home), forms())
    assert read_campaigns(Archive(home), drop.campaigns).raw_leads.height == drop.rows


def test_a_place_that_cannot_be_written_costs_time_and_no_rows(home: str, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where a folder belongs")
    drop = taken(Archive(home, str(tmp_path / "full")), forms())

    assert drop.rows == read_campaigns(Archive(home, str(tmp_path / "full")), drop.campaigns).raw_leads.height


def test_rows_are_kept_until_all_campaigns_of_the_drop_have_them(home: str, tmp_path: Path) -> None:
    parsed = ParsedDrops(Folder(tmp_path / "parsed"))
    drop = taken(Archive(home), forms(campaigns=("spring", "summer", "")))

    for campaign in drop.campaigns:
        assert list((Path(home) / "derived").rglob("*.zip"))
        read_campaigns(Unread(home), [campaign], parsed=parsed)
    assert not [each for each in (Path(home) / "derived").rglob("*") if each.is_file()]

    found = read_campaigns(Unread(home), drop.campaigns, parsed=parsed)
    same(found, read_again(home, drop.campaigns))
