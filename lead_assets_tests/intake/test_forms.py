"""Bodies of plain HTML forms, as web servers and webhook receivers write them into files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lead_assets_tests.intake.samples import LIMIT, codes, read

# What a browser sends for <form method="post">, with and without enctype="multipart/form-data".
ENCODED = (
    b"first_name=Mara&last_name=O%27Hara+D%C3%ADaz&email=mara%40okafor-homes.example&phone=%2B1+%28512%29+555-0142&interests=flip&interests=rent"
    b"&message=Closing+soon%21%0D%0ACall+me+%26+Ben&empty=&tags%5B%5D=a&tags%5B%5D=b"
)
FIELDS = {
    "first_name": "Mara",
    "last_name": "O'Hara Díaz",
    "email": "mara@okafor-homes.example",
    "phone": "+1 (512) 555-0142",
    "interests": "flip",
    "interests_2": "rent",
    "message": "Closing soon!\r\nCall me & Ben",
    "empty": None,
    "tags[]": "a",
    "tags[]_2": "b",
}
BOUNDARY = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"


def multipart(parts: list[tuple[bytes, bytes]], end: bytes = b"--") -> bytes:
    body = b"".join(
        b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + data + b"\r\n" for head, data in parts
    )
    return body + b"--" + BOUNDARY + end + b"\r\n"


PARTS = [
    (b'name="email"', b"mara@okafor-homes.example"),
    (b'name="last_name"', "O'Hara Díaz".encode()),
    (b'name="interests"', b"flip"),
    (b'name="interests"', b"rent"),
    (
        b'name="resume"; filename="CV of Mara.pdf"\r\nContent-Type: application/pdf',
        b"%PDF-1.7\x00\xff\r\n--almost a boundary\r\n" + bytes(3000),
    ),
    (b'name="photo"; filename=""\r\nContent-Type: application/octet-stream', b""),
]


def payloads(data: bytes) -> list[dict[str, Any]]:
    drop = read(data)
    assert codes(drop) == []
    return [json.loads(text) for text in drop.leads["payload"]]


def test_a_form_encoded_body_is_one_lead_with_all_its_fields() -> None:
    assert payloads(ENCODED) == [FIELDS]


def test_bodies_one_a_line_are_one_lead_each_where_they_stand() -> None:
    drop = read(ENCODED + b"\r\n\r\nemail=b%40acme.example&company=Acme\noops\nemail=c%40acme.example\n")
    assert drop.leads["position"].to_list() == [1, 3, 5]
    assert codes(drop) == [(4, "no_identity", None)]


def test_a_form_in_another_encoding_is_read_or_refused() -> None:
    """A page without a charset is sent as Windows-1252 (WHATWG), and old ones as Latin-1."""
    assert payloads(b"email=a%40b.example&company=Soci%E9t%E9+G%E9n%E9rale")[0]["company"] == "Société Générale"
    assert payloads(b"email=a%40b.example&first_name=Ren%E9")[0]["first_name"] == "René"
    assert codes(read(b"email=a%40b.example&company=%81%00")) == [(1, "wrong_encoding", None)]


def test_one_known_field_is_a_form_and_a_line_of_prose_is_none() -> None:
    assert payloads(b"email=a%40b.example") == [{"email": "a@b.example"}]
    for text in (b"https://acme.example/?email=a&b=c", b"a = b", b"x=1", b"name: a=b&c=d e\nf"):
        assert [code for _, code, _ in codes(read(text))] == ["not_json"], text


def test_a_multipart_body_keeps_of_its_files_the_names_only() -> None:
    assert payloads(multipart(PARTS)) == [
        {
            "email": "mara@okafor-homes.example",
            "last_name": "O'Hara Díaz",
            "interests": "flip",
            "interests_2": "rent",
            "resume": "CV of Mara.pdf",
            "photo": None,
        }
    ]


def test_a_multipart_body_that_was_saved_with_the_line_ends_of_unix_is_read() -> None:
    assert payloads(multipart(PARTS[:4]).replace(b"\r\n", b"\n"))[0]["interests_2"] == "rent"


def test_an_attached_file_may_be_larger_than_a_payload_and_the_text_may_not() -> None:
    large = (b'name="plan"; filename="plan.dwg"', bytes(3 * LIMIT))
    assert payloads(multipart([*PARTS[:1], large]))[0]["plan"] == "plan.dwg"
    assert codes(read(multipart([*PARTS[:1], (b'name="message"', b"x" * (LIMIT + 1))]))) == [(1, "payload_too_large", None)]


@pytest.mark.parametrize("data", [multipart(PARTS)[:-60], multipart(PARTS, end=b"")], ids=["cut", "not ended"])
def test_a_multipart_body_that_was_cut_off_is_a_reject(data: bytes) -> None:
    assert codes(read(data)) == [(0, "broken_form", None)]


def test_ten_thousand_answers_in_one_form_are_one_lead() -> None:
    encoded = b"email=a%40b.example" + b"".join(b"&q%d=yes" % number for number in range(5_000)) + b"&topic=x" * 5_000
    (row,) = payloads(encoded)
    assert (len(row), row["q4999"], row["topic_5000"]) == (10_001, "yes", "x")
    (row,) = payloads(multipart([PARTS[0], *[(b'name="q"', b"yes")] * 10_000]))
    assert (len(row), row["q_10000"]) == (10_001, "yes")
