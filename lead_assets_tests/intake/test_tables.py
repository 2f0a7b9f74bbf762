"""CSV and workbooks as people export them: titles above the header, odd delimiters, merged cells, formulas, several sheets, passwords."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import datetime
from typing import Any

import pytest
import xlsxwriter

from lead_assets_tests.intake.samples import codes, read

HEADER = ["Email", "Company", "Phone"]
ROWS = [["a@acme.example", "Acme", "+1 415 555 0100"], ["b@boreal.example", "Boreal, Inc.", "+1 415 555 0101"]]


def workbook(fill: Any) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        fill(book)
    return out.getvalue()


def payloads(data: bytes, **options: Any) -> list[dict[str, Any]]:
    drop = read(data, **options)
    assert codes(drop) == []
    return [json.loads(text) for text in drop.leads["payload"]]


def _csv(delimiter: str) -> str:
    return "".join(delimiter.join(f'"{cell}"' if delimiter in cell else cell for cell in row) + "\r\n" for row in [HEADER, *ROWS])


@pytest.mark.parametrize("delimiter", list(",;\t|^~:&*%!$"))
def test_any_delimiter_is_found(delimiter: str) -> None:
    assert payloads(_csv(delimiter).encode()) == [dict(zip(HEADER, row, strict=True)) for row in ROWS]


TITLES = {
    "a title": "Leads of the spring campaign\n",
    "a title and blank lines": "Leads of the spring campaign\n\n\n",
    "a report's head": '"Report: New leads","",""\n"Filter: created this month",,\n\n"As of 2026-11-01",,\n',
    "blank lines": "\n\r\n   \n",
    "a title that is a field's name": "Company\n",
    "delimiters that a spreadsheet leaves": ",,\n,,\n",
}


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_what_stands_above_the_header_is_no_lead(title: str) -> None:
    assert payloads((title + _csv(",")).encode()) == [dict(zip(HEADER, row, strict=True)) for row in ROWS]


def test_a_row_of_words_that_are_also_headers_is_not_taken_for_the_header() -> None:
    table = b"Kontaktweg,Quelle,Email\nPhone,Web,a@acme.example\nMobile,Email,b@acme.example\n"
    assert read(table).leads["email"].to_list() == ["a@acme.example", "b@acme.example"]


def test_cells_that_are_left_out_at_the_end_are_null() -> None:
    rows = payloads(b"email,company,city,state\na@acme.example,Acme\nb@acme.example,Acme,Austin,TX,,\n")
    assert rows[0] == {"email": "a@acme.example", "company": "Acme", "city": None, "state": None}


def test_line_ends_within_quotes_are_text_wherever_a_block_ends() -> None:
    notes = "\n".join(["first line, with a comma", 'a "quoted" word', "", "last"])
    quoted = notes.replace('"', '""')
    table = "email,notes\n" + "".join(f'p{number}@acme.example,"{number} {quoted}"\n' for number in range(130_000))
    drop = read(table.encode())

    assert (codes(drop), drop.leads.height) == ([], 130_000)
    assert drop.leads["notes"].str.split(" ").list.slice(1).list.join(" ").unique().to_list() == [notes]
    assert drop.leads["position"][-1] == 2 + 4 * 129_999


def test_a_header_that_stands_many_times_keeps_each_of_its_columns() -> None:
    names = ["email", *["tag"] * 10_000]
    (row,) = payloads((",".join(names) + "\na@acme.example" + ",x" * 10_000 + "\n").encode())
    assert (len(row), row["tag"], row["tag_10000"]) == (10_001, "x", "x")


def test_a_workbook_is_read_like_the_csv_of_it() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet("Leads")
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet.write_row(0, 0, ["Email", "Company", "Phone", "Created", "Last seen", "Submitted", "Score", "Opt-in", "Link", "Broken"])
        sheet.write_row(1, 0, ["a@acme.example", "Acme", 15125550142])
        sheet.write_datetime(1, 3, datetime(2026, 3, 4), day)
        sheet.write_datetime(1, 4, datetime(2026, 3, 4, 10, 30), moment)
        sheet.write_number(1, 5, 45992.5)
        sheet.write_number(1, 6, 0.25)
        sheet.write_boolean(1, 7, True)
        sheet.write_formula(1, 8, '=HYPERLINK("https://acme.example","acme")', None, "acme")
        sheet.write_formula(1, 9, "=1/0", None, "#DIV/0!")

    assert payloads(workbook(fill)) == [
        {
            "Email": "a@acme.example",
            "Company": "Acme",
            "Phone": "15125550142",
            "Created": "2026-03-04",
            "Last seen": "2026-03-04T10:30:00",
            "Submitted": "2025-12-01T12:00:00",
            "Score": "0.25",
            "Opt-in": "TRUE",
            "Link": "acme",
            "Broken": None,
        }
    ]


def test_merged_cells_hold_for_every_row_they_cover_and_make_no_lead() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.merge_range("A1:C1", "Visitors of the fair")
        sheet.write_row(2, 0, ["Company", "Email", "Title"])
        sheet.merge_range("A4:A6", "Umbrella GmbH")
        for row, name in enumerate(["a", "b", "c"], start=3):
            sheet.write(row, 1, f"{name}@umbrella.example")
        sheet.merge_range("C4:C5", "Buyer")
        sheet.merge_range("A7:A9", "Nobody came")
        sheet.write(9, 1, "z@other.example")

    drop = read(workbook(fill))
    assert drop.leads["company"].to_list() == ["Umbrella GmbH"] * 3 + [None]
    assert drop.leads["title"].to_list() == ["Buyer", "Buyer", None, None]
    assert drop.leads["position"].to_list() == [4, 5, 6, 10]
    assert [code for _, code, _ in codes(drop)] == ["no_identity"]


def test_a_formula_that_nobody_computed_is_kept_as_it_was_written() -> None:
    """Workbooks that a program wrote hold formulas without results; calamine shows nothing there."""

    def fill(book: Any) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Email", "Company"])
        sheet.write(1, 0, "a@acme.example")
        sheet.write_formula(1, 1, '=CONCATENATE("Acme"," & Co")', None, "")
        sheet.write(2, 0, "b@acme.example")

    assert read(workbook(fill)).leads["company"].to_list() == ['=CONCATENATE("Acme"," & Co")', None]


def test_all_sheets_with_a_known_header_are_read_and_the_others_are_said() -> None:
    def fill(book: Any) -> None:
        for name, rows in (("Spring", ROWS), ("Autumn", ROWS[:1])):
            sheet = book.add_worksheet(name)
            for number, row in enumerate([HEADER, *rows]):
                sheet.write_row(number, 0, row)
        book.add_worksheet("Empty")
        book.add_worksheet("Legend").write_row(0, 0, ["Colour", "Meaning of it"])
        book.add_chartsheet("Chart")

    drop = read(workbook(fill))
    assert drop.leads["email"].to_list() == ["a@acme.example", "b@boreal.example", "a@acme.example"]
    assert drop.leads["position"].to_list() == [2, 3, 5]
    assert codes(drop) == [(6, "unknown_header", None)]


def _ole(text: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + text.encode("utf-16-le") + bytes(3000)


def _zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def _encrypted_zip() -> bytes:
    data = bytearray(_zip(leads=b"x"))
    data[6] |= 1  # APPNOTE.TXT 4.4.4: bit 0 says that the file is encrypted
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


REFUSED = {
    "a workbook with a password": (_ole("EncryptedPackage"), "password_protected"),
    "an old workbook": (_ole("Workbook"), "unsupported_format"),
    "a zip with a password": (_encrypted_zip(), "password_protected"),
    "a document": (_zip(**{"word/document.xml": b"<x/>"}), "unsupported_format"),
    "a zip in a zip": (_zip(inner=_zip(leads=b"email\na@b.example\n")), "unsupported_format"),
    "a damaged zip": (_zip(leads=b"email\n" + b"a@b.example\n" * 999)[:-40], "corrupt_zip"),
    "a web page named .xls": (b"<html><table><tr><td>Email</td></tr></table></html>", "unsupported_format"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unsupported_format"),
    "7-Zip": (b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(50), "unsupported_format"),
    "a workbook that is none": (_zip(**{"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": b"<"}), "corrupt_workbook"),
}


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_one_reject_that_says_what_to_do(data: bytes, code: str) -> None:
    drop = read(data)
    assert (drop.leads.height, [code for _, code, _ in codes(drop)]) == (0, [code])
    assert any(step in drop.rejects["reason"][0] for step in ("send", "save"))


def test_a_zip_of_several_files_is_read_file_by_file() -> None:
    sheet = workbook(_one_sheet)
    data = _zip(
        **{
            "a.csv": _csv(";").encode(),
            "__MACOSX/._a.csv": b"\0\5\x16\7",
            "sub/b.ndjson": b'{"email": "n@acme.example", "company": "Acme"}\noops\n',
            "c.xlsx": sheet,
        }
    )
    drop = read(data)
    assert drop.leads["email"].to_list() == ["a@acme.example", "b@boreal.example", "n@acme.example", "a@acme.example", "b@boreal.example"]
    assert [code for _, code, _ in codes(drop)] == ["not_json"]
    places = [*drop.leads["position"], *drop.rejects["position"]]
    assert len(set(places)) == len(places)


def _one_sheet(book: Any) -> None:
    sheet = book.add_worksheet()
    for number, row in enumerate([HEADER, *ROWS]):
        sheet.write_row(number, 0, row)
