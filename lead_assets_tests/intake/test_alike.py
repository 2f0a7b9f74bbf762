"""Lines that are written alike are read as columns, to the same rows as one by one."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lead_assets.core.limits import DropLimits
from lead_assets.intake import alike, json_payloads
from lead_assets.intake.drops import read_drops
from lead_assets.intake.payloads import Chunk
from lead_assets.intake.rows import rows
from lead_assets_tests.intake.samples import LENDING

MOST = 600
COUNTED = ("position", "part", "source_campaign")
FORM: dict[str, Any] = {
    "lead_id": "lf_1", "submitted_at": "2026-10-01T00:00:00Z", "full_name": "Jane Doe", "email": "jane@acme.example", "phone": "415 555 2671",
    "loan_amount_requested": 250000, "purchase_price": "$300,000", "property_address": "12 Oak St", "utm_campaign": "q4", "gclid": "x1", "score": 1.5,
    "consent": True, "nothing": None,
}  # fmt: skip
TEXTS = ["", " ", "n/a", "Jörg 😀", "a@b.example", "jane doe@acme.com", "Name <a@b.example>", "11/20/2026", "2026-10-01", "about $450,000", "10k", "\x7f",
         "a\tb", 'say "hi"', "back\\slash", "\u2028", "lead_assets:forgotten", "{", "},", "null"]  # fmt: skip
VALUES = st.sampled_from(
    [None, True, 0, -1, 7, 10**14, 10**15, 2**63, 2**70, 0.5, -0.0, 5.0, 1e20, 1234.5678, [], ["a"], {}, *TEXTS]
) | st.text(max_size=4)
LINES = st.sampled_from(
    [
        "",
        "  ",
        "{}",
        "[]",
        "5",
        "{",
        '{"a": 1}',
        '{"email": "a@b.example", "email": "c@d.example"}',
        "\ufeff",
        '{"lead_assets:forgotten": 1}',
    ]
)
SEPARATORS = st.sampled_from([(", ", ": "), (",", ":"), (" , ", " : ")])


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """Forms that are mostly written alike, with lines between them that differ in a value, in their keys, or altogether."""
    names = draw(st.lists(st.sampled_from(list(FORM)), min_size=1, unique=True))
    names += draw(st.lists(st.sampled_from(["note", "né", 'a"b', "Company", "campaign_id", "e-mail"]), max_size=2, unique=True))
    form = {name: FORM.get(name, "some text") for name in names}
    lines: list[str] = []
    for number in range(draw(st.integers(8, 24))):
        mine = form | ({"lead_id": f"lf_{number}"} if "lead_id" in form else {})
        lines.append(json.dumps(mine, ensure_ascii=False))
    for at in draw(st.lists(st.integers(0, len(lines) - 1), max_size=4)):
        if draw(st.booleans()):
            lines[at] = draw(LINES)
        else:
            odd = (
                form
                | {draw(st.sampled_from(names)): draw(VALUES)}
                | draw(st.dictionaries(st.sampled_from(["title", "name"]), VALUES, max_size=1))
            )
            lines[at] = json.dumps(odd, ensure_ascii=draw(st.booleans()), separators=draw(SEPARATORS))
    return "\n".join(lines).encode("utf-8", "surrogatepass") + draw(st.sampled_from([b"", b"\n"]))


def _both(block: bytes, most: int = MOST) -> tuple[Chunk, Chunk] | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "WORTH_A_PATTERN", 0)
        found = alike.alike(block)
    if found is None:
        return None
    positions = list(range(1, len(block.removesuffix(b"\n").split(b"\n")) + 1))
    chunk = Chunk(positions=positions, alike=found)
    return chunk, json_payloads.plain(chunk, most)


@settings(max_examples=60, deadline=None)
@given(blocks())
@example(("\n".join(json.dumps(FORM) for _ in range(9)) + "\n" + json.dumps(FORM | {"full_name": "x" * MOST})).encode())
@example(b"\n".join([json.dumps(FORM).encode()] * 9 + [b'{"email": "\xff"}']))
def test_columns_hold_what_is_read_line_by_line(block: bytes) -> None:
    chunks = _both(block)
    if chunks is None:
        return
    columns, one_by_one = (rows(chunk, max_payload_bytes=MOST) for chunk in chunks)
    assert columns[0].equals(one_by_one[0])
    assert columns[0].schema == one_by_one[0].schema
    assert columns[1] == one_by_one[1]
    counted, counted_one_by_one = (rows(chunk, documents=False, max_payload_bytes=MOST) for chunk in chunks)
    assert counted[0].select(COUNTED).equals(counted_one_by_one[0].select(COUNTED))
    assert counted[1] == counted_one_by_one[1]


def test_a_large_drop_with_a_few_odd_lines_is_read_to_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those alike as columns, at once; what has an escape, another type, other keys or a fault by itself."""
    lines = [json.dumps(LENDING | {"lead_id": f"lf_{number}", "email": f"p{number}@acme.example"}) for number in range(4_000)]
    for at in range(7, len(lines), 400):
        lines[at : at + 4] = [
            json.dumps(LENDING | {"notes": 'a "roof"'}),
            json.dumps(LENDING | {"loan_amount_requested": "about $450,000"}),
            json.dumps({"email": f"other{at}@acme.example", "campaign_id": "other"}),
            "oops",
        ]
    drop = "\n".join(lines).encode()
    together = read_drops([(drop, {})], limits=DropLimits())
    monkeypatch.setattr(alike, "WORTH_A_PATTERN", 1 << 40)
    one_by_one = read_drops([(drop, {})], limits=DropLimits())
    assert together.leads.equals(one_by_one.leads)
    assert together.rejects.equals(one_by_one.rejects)
    assert together.counts([("inbound", False)]) == one_by_one.counts([("inbound", False)])


def test_more_keys_than_one_pattern_takes() -> None:
    form = FORM | {f"answer_{number}": f"said {number}" for number in range(24)}
    chunks = _both("\n".join(json.dumps(form | {"answer_3": str(number)}) for number in range(20)).encode(), 1 << 20)
    assert chunks is not None
    assert chunks[0].alike is not None
    found = chunks[0].alike.columns(list(form))
    assert found["is_alike"].all()
    assert found["=answer_3"].to_list() == [str(number) for number in range(20)]
    assert pl.DataFrame(found.select("=answer_23", "=nothing")).row(0) == ("said 23", None)
    assert rows(chunks[0])[0].equals(rows(chunks[1])[0])
