"""A drop's content decides its format, and every format gives the same leads."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import Any

import polars as pl
import pytest

from lead_assets_tests.intake.samples import CRM, INBOUND, LENDING, LIMIT, codes, ndjson, read

PEOPLE = [
    INBOUND | {"email": f"person{number}@nordlys.example", "full_name": name}
    for number, name in enumerate(["Ines Berg", "Søren Ø", "李雷", 'O\'Neil, "Pat"'])
]


def _table(rows: list[dict[str, Any]], **options: Any) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), **options)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


FORMATS = {
    "ndjson": ndjson(*PEOPLE),
    "ndjson without a last line end": ndjson(*PEOPLE).rstrip(b"\n"),
    "ndjson of Windows": ndjson(*PEOPLE).replace(b"\n", b"\r\n"),
    "ndjson, indented and with blank lines": b"\n\n  " + b"\n\n  ".join(json.dumps(person).encode() for person in PEOPLE),
    "array": json.dumps(PEOPLE).encode(),
    "array over many lines": json.dumps(PEOPLE, indent=2, ensure_ascii=False).encode(),
    "objects over many lines": "\n".join(json.dumps(person, indent=2) for person in PEOPLE).encode(),
    "csv": _table(PEOPLE).encode(),
    "csv of Windows, with its mark": b"\xef\xbb\xbf" + _table(PEOPLE).encode(),
    "csv with line ends of old": _table(PEOPLE, lineterminator="\r").encode(),
    "csv, all quoted": _table(PEOPLE, quoting=csv.QUOTE_ALL, lineterminator="\n").encode(),
    "semicolons": _table(PEOPLE, delimiter=";").encode(),
    "tabs": _table(PEOPLE, delimiter="\t").encode(),
    "a spreadsheet's hint": b"sep=;\r\n" + _table(PEOPLE, delimiter=";").encode(),
    "utf-16 array": json.dumps(PEOPLE, ensure_ascii=False).encode("utf-16"),
    "utf-16 without a mark": json.dumps(PEOPLE, ensure_ascii=False).encode("utf-16-le"),
    "utf-16 csv": _table(PEOPLE, delimiter="\t").encode("utf-16"),
    "utf-32 ndjson": ndjson(*PEOPLE).decode().encode("utf-32"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_leads(name: str, packed: bool) -> None:
    drop = read(gzip.compress(FORMATS[name]) if packed else FORMATS[name])
    expected = read(FORMATS["ndjson"]).leads

    assert codes(drop) == []
    assert drop.leads.drop("position", "payload").equals(expected.drop("position", "payload"))
    assert [json.loads(text) for text in drop.leads["payload"]] == PEOPLE


def test_one_object_over_many_lines_is_one_lead() -> None:
    drop = read(json.dumps(LENDING | {"extra_list": [{"a": 1}, {"b": 2}]}, indent=1).encode())

    assert (drop.leads.height, codes(drop)) == (1, [])


def test_two_gzip_files_put_together_are_both_read() -> None:
    assert read(gzip.compress(ndjson(LENDING)) + gzip.compress(ndjson(INBOUND))).leads.height == 2


def test_positions_are_where_an_editor_shows_them() -> None:
    lines = b"\n" + json.dumps(LENDING).encode() + b"\n\n\n" + json.dumps(INBOUND).encode() + b"\n"
    assert read(lines).leads["position"].to_list() == [2, 5]

    table = 'email,company,notes\r\na@acme.example,Acme,"one\r\ntwo"\r\n\r\nb@acme.example,Acme,\r\nc@acme.example\r\n'
    drop = read(table.encode())
    assert drop.leads["position"].to_list() == [2, 5, 6]
    assert drop.leads["notes"].to_list() == ["one\r\ntwo", None, None]
    assert codes(drop) == []


def test_a_bad_row_of_a_table_does_not_cost_its_neighbours() -> None:
    rows = [
        b"email,company,notes",
        "a@acme.example,Acme,fine – as ever".encode(),
        b"b@acme.example,Acme,too,many",
        b"c@acme.example",
        b'd@acme.example,"Acme,never closed',
        b"e@acme.example,M\xfcller,latin-1",
        b"f@acme.example,Acme,nu\x00l",
        b"nobody,Acme,no address",
        b",,",
        b"g@acme.example,Acme,,,",
        b'h@acme.example,"Acme ""the"" best",fine',
        b'i@acme.example,5" nails Ltd,a quote inside is text',
        b"j@acme.example,Acme," + b"x" * 300_000,
        b"k@acme.example,Acme," + b"x" * LIMIT,
    ]
    drop = read(b"\n".join(rows))

    assert [(position, code) for position, code, _ in codes(drop)] == [
        (3, "ragged_row"),
        (5, "bad_quoting"),
        (6, "wrong_encoding"),
        (7, "control_characters"),
        (8, "invalid_email"),
        (9, "no_identity"),
        (14, "payload_too_large"),
    ]
    assert drop.leads["email"].str.head(1).to_list() == ["a", "c", "g", "h", "i", "j"]
    assert drop.leads["company"].to_list()[3:5] == ['Acme "the" best', '5" nails Ltd']


def test_headers_as_people_write_them_are_known() -> None:
    table = (
        "E-mail Address;COMPANY NAME;Job Title;First-Name;Téléphone;Country/Region;Number of Employees;Shoe Size\n"
        "jo@acme.example;Acme;CTO;Jo;+47 22 33 44 55;Norge;51-200;42\n"
    )
    drop = read(table.encode())
    row = drop.leads.row(0, named=True)

    assert (row["email"], row["company"], row["title"], row["first_name"]) == ("jo@acme.example", "Acme", "CTO", "Jo")
    assert (row["phone"], row["country"], row["company_size"]) == ("+47 22 33 44 55", "Norge", "51-200")
    assert json.loads(row["extra"]) == {"Shoe Size": "42"}
    assert json.loads(row["payload"])["E-mail Address"] == "jo@acme.example"


def test_a_column_map_overrides_the_aliases() -> None:
    table = b"Kontakt,Email,Firma\njo@acme.example,billing@acme.example,Acme\n"
    row = read(table, column_map={"KONTAKT": "email"}).leads.row(0, named=True)

    assert row["email"] == "jo@acme.example"
    assert json.loads(row["extra"]) == {"Email": "billing@acme.example"}


def test_headers_that_repeat_or_mean_the_same_lose_nothing() -> None:
    table = b"email,Email,company,company,\na@acme.example,b@acme.example,Acme,Acme Holding,x\n"
    row = read(table).leads.row(0, named=True)

    assert (row["email"], row["company"]) == ("a@acme.example", "Acme")
    assert json.loads(row["extra"]) == {"Email": "b@acme.example", "company_2": "Acme Holding", "column_5": "x"}


def test_a_table_is_matched_like_any_payload() -> None:
    tables = {"crm_row": CRM, "lending_form": LENDING, "inbound_b2b": INBOUND, "csv": {"Phone": "+1 415 555 0100", "Account": "Acme"}}
    for adapter, row in tables.items():
        assert read(_table([row]).encode()).leads["adapter"].to_list() == [adapter]


def test_a_table_of_unknown_headers_is_rejected_row_by_row() -> None:
    drop = read(b"alpha,beta\n1,2\n3,4\n")

    assert codes(drop) == [(2, "no_identity", None), (3, "no_identity", None)]


def test_a_first_line_that_is_broken_does_not_hide_the_others() -> None:
    for broken in (b"oops", b'{"email": "a@b.example"', b"42"):
        drop = read(broken + b"\n" + ndjson(LENDING, INBOUND))
        assert drop.leads.height == 2, broken
        assert [position for position, _, _ in codes(drop)] == [1]


def test_a_megabyte_of_lines_is_cut_into_chunks_without_losing_one() -> None:
    many = [INBOUND | {"email": f"p{number}@acme.example", "notes": "x" * 2000} for number in range(4500)]
    drop = read(ndjson(*many))

    assert drop.leads["position"].to_list() == list(range(1, 4501))
    assert drop.leads["email"].n_unique() == 4500
    assert read(json.dumps(many).encode()).leads["position"].to_list() == list(range(1, 4501))


def test_whole_numbers_of_any_size_survive_as_they_were_written() -> None:
    raw = b'{"email": "a@b.example", "balance": 12345678901234567890123, "lead_id": 98765432109876543210}'
    row = read(raw).leads.row(0, named=True)

    assert json.loads(row["extra"]) == {"balance": 12345678901234567890123}
    assert row["lead_id"] == "98765432109876543210"
    assert '"balance":12345678901234567890123' in row["payload"]


def test_nested_and_spaced_payloads_are_good() -> None:
    raw = b'{ "email" : "a@b.example" , "utm" : { "a" : [ { "b" : "say \\"hi\\": now" } ] } , "path" : "C:\\\\bin" }'
    drop = read(raw)

    assert codes(drop) == []
    assert json.loads(drop.leads["extra"][0]) == {"utm": {"a": [{"b": 'say "hi": now'}]}, "path": "C:\\bin"}


def test_leads_have_the_contracts_types_even_when_there_are_none() -> None:
    assert read(b"").leads.schema == read(ndjson(LENDING)).leads.schema
    assert read(ndjson(LENDING)).leads.schema["submitted_at"] == pl.Datetime("us", "UTC")


def test_a_csv_without_a_header_loses_no_lead() -> None:
    """Its first line once became the header, and the lead in it was nowhere."""
    data = b"z1@h.example,Corp,VP\nz2@h.example,Other,CFO\n"
    assert [position for position, _, _ in codes(read(data))] == [1, 2]
    drop = read(data, column_map={"column_1": "email", "column_2": "company", "column_3": "title"})
    assert (drop.leads["email"].to_list(), drop.rejects.height) == (["z1@h.example", "z2@h.example"], 0)
