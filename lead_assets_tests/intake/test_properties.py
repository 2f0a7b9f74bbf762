"""For any bytes: nothing is raised, nothing is lost, and reading again gives the same."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_assets.core.limits import DropLimits
from lead_assets.intake import json_payloads
from lead_assets.intake.drops import read_drops
from lead_assets.intake.ingest import ingest
from lead_assets.intake.json_payloads import lines
from lead_assets.intake.read import read_campaigns
from lead_assets.intake.text import Text
from lead_assets.stores.archive import Archive
from lead_assets_tests.conservation import of_payloads
from lead_assets_tests.intake.samples import CAMPAIGN_API, CRM, INBOUND, LENDING, NOON, codes, ndjson, read

# Pieces that formats are made of find more than random bytes do.
_PIECES = st.sampled_from(
    [
        b"{", b"}", b"[", b"]", b'"', b",", b":", b"\n", b"\r\n", b"\\", b"\\u0000", b"\\ud800", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b" ",
        b"NaN", b"null", b"1e999", b"12345678901234567890123", b'"email"', b'"a@b.example"', b'{"email": "a@b.example"}', b"email", b"company;email",
        b"a@b.example", b'"campaign_id": "x"', b"sep=;\n", json.dumps(LENDING).encode(), json.dumps(INBOUND).encode(), b"\x1f\x8b", "é李".encode(),
    ]
)  # fmt: skip
_BYTES = st.one_of(st.binary(max_size=200), st.lists(_PIECES, max_size=25).map(b"".join))
_DROPS = st.one_of(
    _BYTES,
    _BYTES.map(gzip.compress),
    _BYTES.map(lambda data: gzip.compress(data)[:-3]),
    st.text(max_size=60).map(lambda t: t.encode("utf-16")),
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_LEADS = st.builds(
    lambda base, extra, number: base | {"email": f"p{number}@acme.example"} | {f"x_{key}": value for key, value in extra.items()},
    st.sampled_from([LENDING, INBOUND, CAMPAIGN_API, CRM]),
    st.dictionaries(_TEXTS, _VALUES, max_size=4),
    st.integers(0, 10_000),
)


@settings(max_examples=150, deadline=None)
@given(data=_DROPS, limit=st.sampled_from([40, 1 << 20]))
def test_any_bytes_are_rows_or_rejects(data: bytes, limit: int) -> None:
    drop = read(data, limits=DropLimits(limit))
    again = read(data, limits=DropLimits(limit))

    assert drop.leads.height + drop.rejects.height >= 1
    assert drop.leads.equals(again.leads)
    assert drop.rejects.equals(again.rejects)
    places = [*drop.leads.select("position", "part").rows(), *drop.rejects.select("position", "part").rows()]
    assert len(places) == len(set(places)), "two leads of one place"
    payloads = sum(part == 1 for _, part in places)
    assert drop.counts([("d", True)]) == [{"d": (drop.leads.height, drop.rejects.height, payloads)}]
    counted = read(data, limits=DropLimits(limit), documents=False)
    assert counted.counts([("d", False)]) == drop.counts([("d", False)])


@settings(max_examples=60, deadline=None)
@given(drops=st.lists(_DROPS, min_size=2, max_size=6), limit=st.sampled_from([40, 1 << 20]))
def test_drops_read_together_are_what_each_is_alone(drops: list[bytes], limit: int) -> None:
    together = read_drops([(data, {}) for data in drops], limits=DropLimits(limit))
    for number, data in enumerate(drops):
        alone = read(data, limits=DropLimits(limit))
        assert together.leads.filter(drop=number).drop("drop").equals(alone.leads.drop("drop"))
        assert together.rejects.filter(drop=number).drop("drop").equals(alone.rejects.drop("drop"))


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_the_same_file_twice_at_one_time_is_counted_whatever_the_order_of_its_receipts(tmp_path: Path, ids: tuple[str, str]) -> None:
    """Both files of a tick have its time."""
    archive = Archive(str(tmp_path))
    for receipt_id in ids:
        ingest(archive, b'{"email": "a@b.example"}\n{"email": "c@d.example"}\n', name="drop", received_at=NOON, receipt_id=receipt_id)
    assert of_payloads(read_campaigns(archive, archive.campaigns())).rows() == [(archive.campaigns()[0], 2, 2, 0)]


@settings(max_examples=30, deadline=None)
@given(drops=st.lists(_DROPS, min_size=1, max_size=4), campaign=st.sampled_from([None, "c1"]))
def test_received_is_good_and_rejected_for_any_drops(drops: list[bytes], campaign: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(folder)
        for data in drops:
            ingest(archive, data, name="drop", received_at=NOON, campaign=campaign)
        frame = of_payloads(read_campaigns(archive, archive.campaigns()))

        assert frame.filter(frame["received"] != frame["good"] + frame["rejected"]).rows() == []
        assert frame["received"].sum() >= len(set(drops))


@settings(max_examples=50, deadline=None)
@given(leads=st.lists(_LEADS, min_size=1, max_size=12), style=st.sampled_from(["ndjson", "array", "indented", "escaped", "spaced"]))
def test_valid_leads_lose_nothing(leads: list[dict[str, Any]], style: str) -> None:
    data = {
        "ndjson": lambda: ndjson(*leads),
        "array": lambda: json.dumps(leads, ensure_ascii=False).encode(),
        "indented": lambda: json.dumps(leads, indent=1).encode(),
        "escaped": lambda: "\n".join(json.dumps(item, ensure_ascii=False) for item in leads).encode(),
        "spaced": lambda: "\n".join(json.dumps(item, separators=(" , ", " : ")) for item in leads).encode(),
    }[style]()
    drop = read(data)

    assert codes(drop) == []
    assert [json.loads(text) for text in drop.leads["payload"]] == leads
    for row, sent in zip(drop.leads.iter_rows(named=True), leads, strict=True):
        kept = json.loads(row["extra"])
        assert {key: value for key, value in sent.items() if key.startswith("x_")} == {
            key: kept[key] for key in kept if key.startswith("x_")
        }


@settings(max_examples=150, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.sampled_from(["email", "a", "b", 'c"', "d\\", "e :"]), _VALUES), min_size=1, max_size=6),
    spaced=st.booleans(),
)
def test_a_repeated_key_is_always_seen(pairs: list[tuple[str, Any]], spaced: bool) -> None:
    colon = " : " if spaced else ":"
    raw = ("{" + ",".join(json.dumps(key) + colon + json.dumps(value) for key, value in pairs) + "}").encode()
    (chunk,) = lines(Text([raw]), 1 << 20)

    repeated = len({key for key, _ in pairs}) < len(pairs)
    assert [reject.fault.code for reject in chunk.rejects] == (["duplicate_key"] if repeated else [])


_CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('",;\n\t'), max_size=12)


@settings(max_examples=80, deadline=None)
@given(
    cells=st.lists(st.lists(_CELLS, min_size=2, max_size=2), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
)
def test_a_table_as_the_csv_module_writes_it_is_read_cell_by_cell(cells: list[list[str]], delimiter: str) -> None:
    rows = [[f"p{number}@acme.example", *row] for number, row in enumerate(cells)]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerows([["email", "alpha", "notes"], *rows])
    drop = read(out.getvalue().encode())

    expected = {address: (alpha or None, notes.strip() or None) for address, alpha, notes in rows}
    found = {row["email"]: (json.loads(row["extra"]).get("alpha"), row["notes"]) for row in drop.leads.iter_rows(named=True)}
    assert found == expected


_FLAT = st.dictionaries(
    st.sampled_from(["email", "a", "b b", "id"]),
    st.one_of(
        _TEXTS, st.none(), st.booleans(), st.integers(-(10**21), 10**21), st.from_regex(r"[x1]{0,8}[0-9]{15,22}[y1]{0,8}", fullmatch=True)
    ),
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(
    payloads=st.lists(_FLAT | st.dictionaries(_TEXTS, _VALUES, max_size=4), min_size=1, max_size=5),
    odd=st.sampled_from(
        [
            "",
            '{"a":1,"a":2}',
            '{"a" :1}',
            '{"a":[1]}',
            '{"a":{}}',
            "[]",
            '{"a":"\\u0007"}',
            '{"a":{"b":1,"b":2}}',
            '{"a":[{"b":":"},{"c":1,"c":":"}]}',
            '{"a":"\\u0022:","a":1}',
            '{"\\u0061":1,"a":2}',
            '{"a":' + "[" * 40 + "]" * 40 + "}",
            '{"a":[12345678901234567890123]}',
        ]
    ),
)
def test_one_look_at_a_block_finds_what_a_look_at_each_payload_would_find(payloads: list[dict[str, Any]], odd: str) -> None:
    raws = [json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode() for payload in payloads] + [odd.encode()] * bool(odd)
    values = [orjson.loads(raw) for raw in raws]
    block = b"\n".join(raws) + b"\n"

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_payloads, "_WORTH_A_LOOK", 0)
        found = set(json_payloads._suspects_of(block, raws, values))
        patched.setattr(json_payloads, "_FEW", 0)
        together = set(json_payloads._suspects(raws, values))
    assert set(json_payloads._suspects(raws, values)) == together, "a few are looked at one by one, with the same outcome"
    for index in json_payloads._suspects(raws, values):
        fault, exact = json_payloads.diagnose(raws[index])
        assert index in found or (fault is None and exact == values[index])


def test_honest_payloads_need_one_look() -> None:
    raws = [json.dumps(LENDING | {"lead_id": str(number), "notes": "Call me: it's 12/2026"}).encode() for number in range(300)]
    assert json_payloads._are_plain(b"\n".join(raws), [orjson.loads(raw) for raw in raws])
    raws[77] = raws[77].replace(b'"source":', b'"notes":')
    assert not json_payloads._are_plain(b"\n".join(raws), [orjson.loads(raw) for raw in raws])
