"""Every way a payload can be bad has its own code, and the good rows in the same file are not affected."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from lead_assets_tests.intake.samples import INBOUND, LENDING, codes, ndjson, read


def _with(**changes: Any) -> bytes:
    return json.dumps(LENDING | changes).encode()


_TEXT = json.dumps(LENDING)

BAD_LINES: list[tuple[str, bytes, str, str | None]] = [
    ("garbage", b"once upon a time", "not_json", None),
    ("single quotes", b"{'email': 'a@b.example'}", "not_json", None),
    ("two objects", b'{"email": "a@b.example"} {"email": "c@d.example"}', "not_json", None),
    ("cut in a text", _TEXT[:200].encode(), "truncated_json", None),
    ("cut after a comma", b'{"email": "a@b.example",', "truncated_json", None),
    ("cut in a word", b'{"email": "a@b.example", "phone": nul', "truncated_json", None),
    ("cut in an escape", b'{"email": "a@b.example", "notes": "\\u00', "truncated_json", None),
    ("broken, then cut", b'{"email": , "phone": "1"', "not_json", None),
    ("latin-1", json.dumps(LENDING | {"last_name": "Müller"}, ensure_ascii=False).encode("latin-1"), "wrong_encoding", None),
    ("50 MB line", b'{"email": "a@b.example", "notes": "' + b"x" * (50 << 20) + b'"}', "payload_too_large", None),
    ("deep nesting", b'{"email": "a@b.example", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep", None),
    ("deep nesting, not closed", b'{"x":' * 50_000, "too_deep", None),
    ("nesting that orjson would read", b'{"email": "a@b.example", "x": ' + b"[" * 40 + b"]" * 40 + b"}", "too_deep", None),
    ("duplicate key", b'{"email": "a@b.example", "email": "c@d.example"}', "duplicate_key", "email"),
    ("duplicate key, spelled otherwise", b'{"email": "a@b.example", "\\u0065mail": "c@d.example"}', "duplicate_key", "email"),
    ("duplicate key, spaced", b'{"email" : "a@b.example", "email" : "c@d.example"}', "duplicate_key", "email"),
    ("duplicate key inside", b'{"email": "a@b.example", "utm": {"a": 1, "b": 2, "a": 3}}', "duplicate_key", "a"),
    ("NaN", b'{"email": "a@b.example", "purchase_price": NaN}', "not_a_finite_number", None),
    ("Infinity", b'{"email": "a@b.example", "purchase_price": -Infinity}', "not_a_finite_number", None),
    ("beyond a double", b'{"email": "a@b.example", "purchase_price": 1e999}', "not_a_finite_number", None),
    ("10,000 digits", b'{"email": "a@b.example", "purchase_price": ' + b"9" * 10_000 + b"}", "not_a_finite_number", None),
    ("400 digits", b'{"email": "a@b.example", "purchase_price": ' + b"9" * 400 + b"}", "not_a_finite_number", None),
    ("no identity", b'{"lead_id": "x", "first_name": "A", "last_name": "B", "notes": "call me"}', "no_identity", None),
    ("nothing but a name", b'{"full_name": "A B"}', "no_identity", None),
    ("blank e-mail", b'{"email": "  ", "phone": "n/a", "company": "Acme"}', "no_identity", None),
    ("an address that is none, and nothing else", b'{"email": "mara.okafor.example", "first_name": "Mara"}', "invalid_email", "email"),
    ("no known field", b'{"colour": "blue"}', "no_identity", None),
    ("empty object", b"{}", "no_identity", None),
    ("raw NUL", b'{"email": "a@b.example", "notes": "a\x00b"}', "control_characters", None),
    ("escaped NUL", b'{"email": "a@b.example", "notes": "a\\u0000b"}', "control_characters", "notes"),
    ("escaped bell inside", b'{"email": "a@b.example", "utm": {"x": ["\\u0007"]}}', "control_characters", "utm"),
    ("escaped backspace", b'{"email": "a@b.example", "notes": "a\\bb"}', "control_characters", "notes"),
    ("raw tab in a text", b'{"email": "a@b.example", "notes": "a\tb"}', "control_characters", None),
    ("lone surrogate", b'{"email": "a@b.example", "notes": "\\ud83d"}', "lone_surrogate", None),
    ("list", b'["a@b.example"]', "not_an_object", None),
    ("number", b"42", "not_an_object", None),
    ("null", b"null", "not_an_object", None),
]


@pytest.mark.parametrize(("raw", "code", "field"), [case[1:] for case in BAD_LINES], ids=[case[0] for case in BAD_LINES])
def test_a_bad_line_has_its_code_and_its_neighbours_go_on(raw: bytes, code: str, field: str | None) -> None:
    drop = read(ndjson(LENDING, raw, INBOUND))

    assert codes(drop) == [(2, code, field)]
    assert drop.leads["position"].to_list() == [1, 3]
    reject = drop.rejects.row(0, named=True)
    assert reject["raw_bytes"] == len(raw)
    assert reject["raw_text"][:20] == raw[:20].decode("utf-8", "replace")
    assert len(reject["raw_text"]) <= 4 * 65_536


UNREADABLE: list[tuple[str, str, Any]] = [
    ("NaN as text", "purchase_price", "nan"),
    ("nothing, in words", "purchase_price", "N/A"),
    ("truth value for a name", "first_name", True),
    ("object for notes", "notes", {"text": "call me"}),
    ("list of objects for notes", "notes", [{"text": "call me"}]),
    ("object for an id", "lead_id", {"$oid": "1"}),
    ("truth value for an amount", "purchase_price", True),
    ("object for an amount", "purchase_price", {"usd": 1}),
    ("words for an amount", "purchase_price", "about half a million"),
    ("two amounts", "purchase_price", "12 or 13"),
    ("a fraction, or two amounts", "purchase_price", "3/4 million"),
    ("beyond a double, as text", "purchase_price", "1e999"),
    ("no @", "email", "mara.okafor.example"),
    ("two @", "email", "mara@@okafor.example"),
    ("no domain", "email", "mara@"),
    ("number for an e-mail", "email", 17),
    ("time in words", "submitted_at", "last tuesday"),
    ("a day that is none", "submitted_at", "2026-02-30T00:00:00Z"),
    ("a day that could be two", "submitted_at", "05/11/2026"),
    ("no year", "submitted_at", "3 November"),
    ("list for a time", "submitted_at", ["2026-11-01", "2026-11-02"]),
]


@pytest.mark.parametrize(("column", "value"), [case[1:] for case in UNREADABLE], ids=[case[0] for case in UNREADABLE])
def test_a_field_that_cannot_be_read_is_null_and_kept_and_costs_no_lead(column: str, value: Any) -> None:
    drop = read(ndjson(LENDING, LENDING | {column: value}, INBOUND))

    assert codes(drop) == []
    row = drop.leads.row(1, named=True)
    assert row["unread_fields"] == [column]
    assert json.loads(row["extra"]) == {column: value}
    assert json.loads(row["payload"])[column] == value
    assert row[column] is None or column == "lead_id"
    assert row["lead_id"] is not None
    assert drop.leads["unread_fields"].to_list() == [None, [column], None]


def test_unread_fields_are_in_order_whatever_order_columns_were_read_in() -> None:
    """Their order was that of a set, which another process orders otherwise, so a rebuild gave other rows."""
    bad = {"purchase_price": "N/A", "submitted_at": "soon", "estimated_arv": "?", "first_name": True, "loan_amount_requested": "some"}
    assert read(ndjson(LENDING | bad)).leads["unread_fields"].to_list() == [sorted(bad)]


# What is not JSON cannot be told from the array around it, and half an escape or text takes the next element with it.
_ELEMENTS = [case for case in BAD_LINES if case[2] not in ("not_json", "truncated_json") and not case[0].endswith("not closed")]


@pytest.mark.parametrize(("raw", "code", "field"), [case[1:] for case in _ELEMENTS], ids=[case[0] for case in _ELEMENTS])
def test_a_bad_element_of_an_array_has_the_same_code(raw: bytes, code: str, field: str | None) -> None:
    drop = read(b"[" + json.dumps(LENDING).encode() + b",\n" + raw + b", " + json.dumps(INBOUND).encode() + b"]")

    assert codes(drop) == [(2, code, field)]
    assert drop.leads["position"].to_list() == [1, 3]


FILES: list[tuple[str, bytes, list[tuple[int, str]], int]] = [
    ("nothing", b"", [(0, "empty_file")], 0),
    ("white space", b" \r\n\n\t", [(0, "empty_file")], 0),
    ("a byte order mark alone", b"\xef\xbb\xbf", [(0, "empty_file")], 0),
    ("an empty array", b"[ ]", [(0, "empty_file")], 0),
    ("a header alone", b"email,company\r\n", [(0, "empty_file")], 0),
    ("a packed nothing", gzip.compress(b""), [(0, "empty_file")], 0),
    ("prose", b"Dear team,\nplease find the leads attached.\n", [(0, "not_json")], 0),
    ("a picture", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 3, [(0, "unsupported_format")], 0),
    ("a bare number", b"42", [(0, "not_an_object")], 0),
    ("an array cut off between elements", b"[" + json.dumps(LENDING).encode() + b",", [(0, "truncated_json")], 1),
    ("an array cut off within one", b"[" + json.dumps(LENDING).encode() + b', {"email": "a@b', [(2, "truncated_json")], 1),
    ("text after an array", b"[" + json.dumps(LENDING).encode() + b"] thanks", [(0, "not_json")], 1),
    ("an object cut off", json.dumps(LENDING, indent=2)[:90].encode(), [(1, "truncated_json")], 0),
    ("not gzip after all", b"\x1f\x8bnot gzip", [(0, "corrupt_gzip")], 0),
    ("gzip without its end", gzip.compress(b"")[:9], [(0, "truncated_gzip")], 0),
]


@pytest.mark.parametrize(("data", "expected", "good"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_bad_file_is_one_reject(data: bytes, expected: list[tuple[int, str]], good: int) -> None:
    drop = read(data)

    assert [(position, code) for position, code, _ in codes(drop)] == expected
    assert drop.leads.height == good


def test_what_stands_before_the_cut_of_a_gzip_is_read() -> None:
    many = ndjson(*[LENDING | {"lead_id": f"lf_{number}", "notes": str(number * 7919)} for number in range(2000)])
    drop = read(gzip.compress(many)[:-2000])

    assert drop.leads.height > 500
    assert codes(drop)[0] == (0, "truncated_gzip", None)
    assert [code for _, code, _ in codes(drop)[1:]] in ([], ["truncated_json"])


def test_two_cuts_of_one_file_are_not_two_rejects_of_one_place() -> None:
    elements = b"[" + b",".join(json.dumps(LENDING | {"lead_id": str(number)}).encode() for number in range(3000))
    drop = read(gzip.compress(elements)[:-1])

    assert [position for position, _, _ in codes(drop)].count(0) == 1


def test_a_reject_never_repeats_the_value_in_its_reason() -> None:
    secret = "Xy7Secret"
    drop = read(ndjson({"email": secret}, {"name": secret}, f'{{"email": "a@b.example", "notes": {secret}}}'.encode()))

    assert drop.rejects.height == 3
    assert not drop.rejects["reason"].str.contains(secret).any()


def test_the_raw_text_of_bytes_that_are_no_text_is_escaped_and_bounded() -> None:
    drop = read(b'{"email": "a@b.example", "notes": "\x00\xff' + "é".encode() * 40_000 + b'"}')
    text = drop.rejects["raw_text"][0]

    assert text.startswith('{"email": "a@b.example", "notes": "\\x00\\xffé')
    assert len(text.encode()) <= 65_536 + 6
    assert text.endswith("é")
