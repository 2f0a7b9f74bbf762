"""A drop is ingested once per campaign it names, and always read back to the same rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.limits import DropLimits
from lead_assets.intake import read as read_module
from lead_assets.intake.drops import Drops, read_drops
from lead_assets.intake.ingest import IngestedDrop, ingest
from lead_assets.intake.read import read_campaigns
from lead_assets.stores.archive import Archive, Receipt
from lead_assets_tests.conservation import of_payloads
from lead_assets_tests.intake.samples import CAMPAIGN_API, INBOUND, LENDING, LIMIT, NOON, ndjson


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


def _ingest(archive: Archive, data: bytes, **options: Any) -> IngestedDrop:
    return ingest(archive, data, **{"name": "drop", "received_at": NOON} | options)


def _conserved(archive: Archive) -> list[tuple[str, int, int, int]]:
    read = read_campaigns(archive, archive.campaigns())
    frame = of_payloads(read)
    assert (frame["received"] == frame["good"] + frame["rejected"]).all()
    return list(frame.iter_rows())


def test_rows_go_to_the_campaign_they_name_else_to_the_day(archive: Archive) -> None:
    drop = _ingest(archive, ndjson(LENDING, CAMPAIGN_API, INBOUND, b"oops", b'{"campaign_id": "cmp_1", "email": "no"}'))

    assert drop.status == "ingested"
    assert drop.campaigns == {"cmp_1": 1, "inbound-2026-11-20": 1, "lending-q4": 1}
    assert drop.rejected_by_campaign == {"cmp_1": 1, "inbound-2026-11-20": 1, "lending-q4": 0}
    assert (drop.rows, drop.rejected) == (3, 2)
    assert _conserved(archive) == [("cmp_1", 2, 1, 1), ("inbound-2026-11-20", 2, 1, 1), ("lending-q4", 1, 1, 0)]


def test_a_campaign_named_for_the_file_holds_for_all_of_it(archive: Archive) -> None:
    drop = _ingest(archive, ndjson(LENDING, INBOUND, b"oops"), campaign="Fall 2026!")

    key = campaign_key("Fall 2026!")
    assert drop.campaigns == {key: 2}
    read = read_campaigns(archive, [key])
    assert read.raw_leads["campaign_id"].to_list() == [key, key]
    assert sorted(read.raw_leads["source_campaign"].to_list(), key=str) == [None, "lending-q4"]
    assert read.rejected["campaign_id"].to_list() == [key]


@pytest.mark.parametrize(
    "hostile", ["../../x", "a'; drop table leads;--", "..", "/etc/passwd", "a\\b", "x" * 500, "Ünïcode 🚀", "CON", "%2e%2e", 0, -5]
)
def test_a_hostile_campaign_id_is_a_harmless_key(archive: Archive, tmp_path: Path, hostile: Any) -> None:
    drop = _ingest(archive, ndjson(INBOUND | {"campaign_id": hostile}))

    (key,) = drop.campaigns
    assert key == campaign_key(str(hostile))
    assert {path.name for path in (tmp_path / "archive" / "receipts").iterdir()} == {key}
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    read = read_campaigns(archive, [key])
    assert read.raw_leads["source_campaign"].to_list() == [str(hostile)]


@pytest.mark.parametrize("blank", ["", "   ", None])
def test_a_campaign_id_without_a_name_is_none(archive: Archive, blank: Any) -> None:
    drop = _ingest(archive, ndjson(INBOUND | {"campaign_id": blank}, INBOUND | {"campaign_id": blank, "utm_campaign": "u1"}))

    assert drop.campaigns == {"inbound-2026-11-20": 1, "u1": 1}


def test_the_same_file_twice_is_counted_once(archive: Archive) -> None:
    data = ndjson(LENDING, INBOUND)
    _ingest(archive, data)
    again = _ingest(archive, data, received_at=NOON + timedelta(days=1), name="copy")

    assert again.status == "duplicate_file"
    assert (again.campaigns, again.rejected) == ({"inbound-2026-11-20": 0, "lending-q4": 0}, 0)
    read = read_campaigns(archive, archive.campaigns())
    assert (read.raw_leads.height, read.rejected.height) == (2, 0)
    assert read.received.rows() == [("inbound-2026-11-20", 1, 1), ("lending-q4", 1, 1)]
    assert _conserved(archive) == [("inbound-2026-11-20", 1, 1, 0), ("lending-q4", 1, 1, 0)]
    assert [len(archive.receipts(campaign)) for campaign in archive.campaigns()] == [2, 2]


def test_receipts_of_before_that_counted_a_file_that_came_again_count_it_no_more(archive: Archive) -> None:
    data = ndjson(LENDING, LENDING | {"lead_id": "lf_2"})
    _ingest(archive, data)
    (first,) = archive.receipts("lending-q4")
    archive.add_receipt(first.model_copy(update={"receipt_id": "old", "received_at": NOON + timedelta(days=1), "records": 1}))

    assert _conserved(archive) == [("lending-q4", 2, 2, 0)]


def test_the_same_file_for_another_campaign_is_no_duplicate(archive: Archive) -> None:
    data = ndjson(INBOUND)
    _ingest(archive, data, campaign="one")
    other = _ingest(archive, data, campaign="two", received_at=NOON + timedelta(seconds=1))

    assert other.status == "ingested"
    assert read_campaigns(archive, ["one", "two"]).raw_leads["campaign_id"].to_list() == ["one", "two"]


def test_a_file_sent_again_with_a_corrected_map_is_read_by_it(archive: Archive) -> None:
    table = b"Kontakt,Haus\na@acme.example,Acme\n"
    first = _ingest(archive, table)
    mended = _ingest(archive, table, column_map={"Kontakt": "email", "Haus": "company"}, received_at=NOON + timedelta(hours=1))
    repeated = _ingest(archive, table, column_map={"Kontakt": "email", "Haus": "company"}, received_at=NOON + timedelta(hours=2))

    assert (first.rows, first.rejected, mended.rows, mended.status, repeated.status) == (0, 1, 1, "ingested", "duplicate_file")
    read = read_campaigns(archive, archive.campaigns())
    assert read.raw_leads["email"].to_list() == ["a@acme.example"]
    assert read.received.rows() == [("inbound-2026-11-20", 1, 2)]
    assert _conserved(archive) == [("inbound-2026-11-20", 1, 1, 0)]


def test_a_receipt_id_makes_ingest_repeatable(archive: Archive) -> None:
    data = ndjson(LENDING, INBOUND)
    _ingest(archive, data, receipt_id="r1")
    before = read_campaigns(archive, archive.campaigns())
    again = _ingest(archive, data, receipt_id="r1", received_at=NOON + timedelta(days=3), name="other")

    assert again.status == "already_ingested"
    assert again.campaigns == {"inbound-2026-11-20": 1, "lending-q4": 1}
    after = read_campaigns(archive, archive.campaigns())
    assert after.raw_leads.equals(before.raw_leads)
    assert after.rejected.height == 0


def test_a_crash_between_two_receipts_is_mended_by_the_same_receipt_id(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ndjson(LENDING, CAMPAIGN_API, INBOUND)
    write = Archive.add_receipt
    written: list[Receipt] = []

    def crash_after_one(self: Archive, receipt: Receipt) -> None:
        if written:
            raise OSError("disk full")
        written.append(receipt)
        write(self, receipt)

    with monkeypatch.context() as patched:
        patched.setattr(Archive, "add_receipt", crash_after_one)
        with pytest.raises(OSError, match="disk full"):
            _ingest(archive, data, receipt_id="r1")
    assert len(archive.campaigns()) == 1
    mended = _ingest(archive, data, receipt_id="r1", received_at=NOON + timedelta(days=1))

    assert mended.status == "ingested"
    assert _conserved(archive) == [("cmp_1", 1, 1, 0), ("inbound-2026-11-20", 1, 1, 0), ("lending-q4", 1, 1, 0)]
    assert read_campaigns(archive, archive.campaigns()).raw_leads["received_at"].unique().to_list() == [NOON]


def test_the_bytes_are_archived_before_anything_looks_inside(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*args: Any, **options: Any) -> None:
        raise RuntimeError("parser bug")

    monkeypatch.setattr("lead_assets.intake.ingest.count_drops", explode)
    with pytest.raises(RuntimeError, match="parser bug"):
        _ingest(archive, b"precious")

    assert archive.holds(b"precious")


def _counted_reading(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A list that grows by the bytes of each drop that is parsed."""
    parsed: list[bytes] = []

    def counting(drops: Iterable[tuple[bytes, Mapping[str, str]]], **options: Any) -> Drops:
        taken = list(drops)
        parsed.extend(data for data, _ in taken)
        return read_drops(taken, **options)

    monkeypatch.setattr(read_module, "read_drops", counting)
    return parsed


def test_a_drop_that_campaigns_share_is_parsed_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    _ingest(archive, ndjson(*[INBOUND | {"campaign_id": f"c{number}"} for number in range(30)]))
    parsed = _counted_reading(monkeypatch)
    read = read_campaigns(archive, archive.campaigns())

    assert read.raw_leads["campaign_id"].n_unique() == 30
    assert len(parsed) == 1


def test_reading_again_gives_the_same_frames_in_the_contracts_shape(archive: Archive) -> None:
    _ingest(archive, ndjson(LENDING, INBOUND, b"oops", LENDING | {"email": "bad"}))
    _ingest(archive, ndjson(CAMPAIGN_API), received_at=NOON + timedelta(hours=1))
    one, two = read_campaigns(archive, archive.campaigns()), read_campaigns(archive, reversed(archive.campaigns()))

    assert one.raw_leads.equals(two.raw_leads)
    assert one.rejected.equals(two.rejected)
    assert one.raw_leads.schema == RawLead.polars_schema()
    assert one.rejected.schema == RejectedPayload.polars_schema()
    nothing = read_campaigns(archive, ["never-seen"])
    assert (nothing.raw_leads.schema, nothing.rejected.schema) == (RawLead.polars_schema(), RejectedPayload.polars_schema())
    assert nothing.raw_leads.height == nothing.rejected.height == 0


def test_the_same_lead_in_two_files_is_two_raw_leads(archive: Archive) -> None:
    _ingest(archive, ndjson(LENDING))
    _ingest(archive, ndjson(LENDING | {"notes": "changed"}), received_at=NOON + timedelta(hours=1))

    assert read_campaigns(archive, ["lending-q4"]).raw_leads["lead_id"].to_list() == ["lf_1", "lf_1"]


def test_conservation_sees_a_row_that_was_lost(archive: Archive) -> None:
    _ingest(archive, ndjson(LENDING, LENDING | {"lead_id": "lf_2"}, b"oops"), campaign="c")
    read = read_campaigns(archive, ["c"])

    assert of_payloads(read._replace(raw_leads=read.raw_leads.head(1))).rows() == [("c", 3, 1, 1)]


def test_what_the_caller_gets_wrong_is_said(archive: Archive) -> None:
    with pytest.raises(ValueError, match="campaign"):
        _ingest(archive, b"{}", campaign=" ")
    with pytest.raises(ValueError, match="no field 'shoe'"):
        _ingest(archive, b"{}", column_map={"Shoe": "shoe"})
    with pytest.raises(ValueError, match="time zone"):
        _ingest(archive, b"{}", received_at=NOON.replace(tzinfo=None))
    assert archive.campaigns() == []


def test_a_lost_object_is_named(archive: Archive, tmp_path: Path) -> None:
    drop = _ingest(archive, ndjson(LENDING))
    (tmp_path / "archive" / "objects" / drop.sha256[:2] / drop.sha256).unlink()

    with pytest.raises(FileNotFoundError, match=drop.sha256):
        read_campaigns(archive, ["lending-q4"])


def test_the_fixtures_are_read(archive: Archive) -> None:
    fixtures = Path(__file__).parents[2] / "fixtures"
    scenarios = read_drops([((fixtures / "lending_scenarios.ndjson").read_bytes(), {})], limits=DropLimits(LIMIT))
    inbound = read_drops([((fixtures / "inbound_b2b.csv").read_bytes(), {})], limits=DropLimits(LIMIT))

    assert (scenarios.leads.height, scenarios.rejects.height) == (7, 0)
    assert inbound.leads["adapter"].unique().to_list() == ["inbound_b2b"]
    assert inbound.leads.height >= 100
    assert json.loads(scenarios.leads["payload"][0])
