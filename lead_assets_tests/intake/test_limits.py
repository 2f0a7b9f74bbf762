"""Files of any size are read through a few megabytes of memory, and what is over a limit is one reject. How much memory: `benchmarks.big_drop`."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from lead_assets.core.limits import DropLimits
from lead_assets.intake.ingest import STREAMED_BYTES, ingest
from lead_assets.intake.landing import scan, take
from lead_assets.intake.read import read_campaigns
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects.folder import Folder
from lead_assets_tests.conservation import of_payloads
from lead_assets_tests.intake.samples import INBOUND, LENDING, LIMIT, NOON, codes, ndjson, read

SMALL = DropLimits(payload_bytes=1_000, drop_bytes=100_000)
MANY = [INBOUND | {"email": f"p{number}@acme.example"} for number in range(400)]


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("leads.ndjson", data)
    return out.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zipped], ids=["plain", "gzip", "zip"])
def test_a_file_over_the_limit_is_one_reject_and_nothing_of_it_is_taken(pack: Any) -> None:
    just_right = ndjson(*MANY)
    limits = DropLimits(drop_bytes=len(just_right))
    assert read(pack(just_right), limits=limits).leads.height == 400

    drop = read(pack(just_right + b"\n"), limits=limits)
    assert (drop.leads.height, codes(drop)) == (0, [(0, "file_too_large", None)])
    assert "LEAD_ASSETS_MAX_DROP_BYTES" in drop.rejects["reason"][0]


@pytest.mark.parametrize("pack", [gzip.compress, zipped], ids=["gzip", "zip"])
def test_a_bomb_is_one_reject(pack: Any) -> None:
    drop = read(pack(b'{"email": "a@b.example"}\n' + bytes(70 << 20)))
    assert (drop.leads.height, codes(drop)) == (0, [(0, "unpacks_too_far", None)])


def test_a_zip_is_not_believed_when_it_says_how_large_it_is() -> None:
    data = bytearray(zipped(ndjson(*MANY)))
    size = len(ndjson(*MANY)).to_bytes(4, "little")
    while (at := data.find(size)) >= 0:
        data[at : at + 4] = (50_000).to_bytes(4, "little")
    drop = read(bytes(data), limits=SMALL)
    assert (drop.leads.height, codes(drop)) == (0, [(0, "corrupt_zip", None)])


def _sheet(fill: Any) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Email", "Notes"])
        sheet.write_row(1, 0, ["a@acme.example", "x"])
        fill(sheet)
    return out.getvalue()


def _many_times_one_long_text(sheet: Any) -> None:
    for row in range(2, 9_000):
        sheet.write_string(row, 1, "x" * 32_000)


@pytest.mark.parametrize(
    "fill",
    [lambda sheet: sheet.write(1_000_000, 1_000, "far away"), _many_times_one_long_text],
    ids=["one cell far away", "one long text in many cells"],
)
def test_a_small_workbook_that_asks_for_gigabytes_is_one_reject(fill: Any) -> None:
    """The first ended the process: the reader holds a sheet as a full rectangle, 32 GB here."""
    assert codes(read(_sheet(fill))) == [(0, "file_too_large", None)]


def test_empty_cells_far_away_cost_nothing() -> None:
    drop = read(_sheet(lambda sheet: sheet.set_row(1_000_000, 30)))
    assert (codes(drop), drop.leads.height) == ([], 1)


LONG = {
    "a line": (
        b"\n".join([json.dumps(LENDING).encode(), b'{"notes": "%s"}' % (b"x" * (9 << 20)), json.dumps(INBOUND).encode()]),
        [1, 3],
        2,
    ),
    "a line that is not closed": (b'{"email": "a@b.example"}\n{"notes": "' + b"x" * (9 << 20), [1], 2),
    "an element": (
        b"["
        + json.dumps(LENDING).encode()
        + b', {"a": ["\\"]", "%s\\\\", {}]} , ' % (b"\\n[" * (3 << 20))
        + json.dumps(INBOUND).encode()
        + b"]",
        [1, 3],
        2,
    ),
    "an element that is a text": (b'[{"email": "a@b.example"}, "%s", {"email": "c@d.example"}]' % (b"x,]" * (3 << 20)), [1, 3], 2),
    "a row": (b"email,notes\na@acme.example,x\nb@acme.example," + b"x" * (9 << 20) + b"\nc@acme.example,y\n", [2, 4], 3),
    "a form": (b"email=a%40b.example&x=1\nemail=b%40c.example&x=" + b"x" * (9 << 20) + b"\nemail=d%40e.example\n", [1, 3], 2),
}


@pytest.mark.parametrize(("data", "good", "bad"), LONG.values(), ids=LONG)
def test_a_payload_longer_than_any_window_does_not_cost_its_neighbours(data: bytes, good: list[int], bad: int) -> None:
    drop = read(data)
    assert drop.leads["position"].to_list() == good
    assert codes(drop) == [(bad, "payload_too_large", None)]
    assert drop.rejects["raw_bytes"][0] > 9 << 20 or drop.rejects["raw_bytes"][0] > 8 * LIMIT
    assert len(drop.rejects["raw_text"][0]) <= 64 << 10


def test_an_array_longer_than_any_window_loses_no_element() -> None:
    many = [INBOUND | {"email": f"p{number}@acme.example", "notes": f'{"[" * (number % 50)}"\\ {number}'} for number in range(60_000)]
    for text in (json.dumps(many), json.dumps(many, indent=1), "\n".join(json.dumps(each, indent=1) for each in many[:30_000])):
        drop = read(text.encode())
        assert codes(drop) == []
        assert drop.leads["position"].to_list() == list(range(1, drop.leads.height + 1))
        assert drop.leads["email"].n_unique() == drop.leads.height >= 30_000


def test_white_space_without_end_holds_nothing() -> None:
    assert codes(read(b" " * (9 << 20) + b"\n" * (9 << 20))) == [(0, "empty_file", None)]
    assert read(b" \n" * (5 << 20) + json.dumps(LENDING).encode()).leads["position"].to_list() == [(5 << 20) + 1]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that is given as a stream."""
    file = tmp_path / "large.ndjson"
    line = json.dumps(INBOUND | {"notes": "x" * 20_000}).encode() + b"\n"
    file.write_bytes(line * (STREAMED_BYTES // len(line) + 2) + b"oops\n")
    return file


def test_a_large_file_is_kept_counted_and_read_as_if_its_bytes_were_given(large: Path, tmp_path: Path) -> None:
    archives = [Archive(str(tmp_path / name)) for name in ("stream", "bytes")]
    with large.open("rb") as stream:
        first = ingest(archives[0], stream, name="large", received_at=NOON, receipt_id="r")
    second = ingest(archives[1], large.read_bytes(), name="large", received_at=NOON, receipt_id="r")

    assert first == second
    assert archives[0].receipts(*first.campaigns) == archives[1].receipts(*first.campaigns)
    reads = [read_campaigns(archive, first.campaigns) for archive in archives]
    assert reads[0].raw_leads.equals(reads[1].raw_leads)
    assert reads[0].rejected["code"].to_list() == ["not_json"]
    assert of_payloads(reads[0]).row(0)[1:] == (first.rows + 1, first.rows, 1)
    with large.open("rb") as stream:
        assert ingest(archives[0], stream, name="again", received_at=NOON).status == "duplicate_file"
    assert not list((tmp_path / "stream").glob(".*"))


def test_a_large_file_of_the_landing_folder_is_taken_as_a_stream(large: Path, tmp_path: Path) -> None:
    landing = tmp_path / "landing" / "spring"
    landing.mkdir(parents=True)
    large.rename(landing / "large.ndjson")
    archive = Archive(str(tmp_path / "archive"))
    found = scan(Folder(tmp_path / "landing"), "", now=NOON.replace(year=2100))
    taken = take(found, archive, now=NOON)

    assert [(drop.status, drop.rejected) for drop in taken.drops] == [("ingested", 1)]
    assert archive.campaigns() == ["spring"]
