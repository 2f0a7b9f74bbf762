"""One person is taken out of a drop of any format, and everybody else reads as before."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from lead_assets.core.limits import DEFAULT_LIMITS
from lead_assets.intake.adapters import shipped_adapters
from lead_assets.intake.drops import read_drops
from lead_assets.privacy.needles import Needle, Needles
from lead_assets.privacy.redaction import DropReading, redact

JANE = {
    "email": "Jane.Doe@acme.example",
    "full_name": "Jane Doe",
    "phone": "+1 415 555 2671",
    "company": "Acme",
    "title": "VP Sales",
    "campaign_id": "spring",
    "notes": "likes tea",
}
LEADS: list[dict[str, Any]] = [
    JANE | {"email": "joe@else.example", "full_name": "Joe Bloggs", "phone": "+1 212 555 2000", "company": "Else", "notes": ""},
    JANE,
    JANE
    | {"email": "kim@third.example", "full_name": "Kim Li", "phone": "", "company": "Third", "campaign_id": "autumn"}
    | {"notes": "ask jane.doe@acme.example"},
    JANE | {"email": "ann@fourth.example", "full_name": "Ann Lee", "phone": "", "company": "Fourth", "notes": "two\nlines"},
]
NEEDLES = Needles(
    tuple(
        Needle(*each)
        for each in (("email", "jane.doe@acme.example"), ("phone", "415 555 2671"), ("phone", "4155552671"), ("name", "Jane Doe"))
    )
)


def theirs(leads: pl.DataFrame) -> pl.Series:
    return leads.select(pl.col("email").str.to_lowercase().eq_missing(pl.lit("jane.doe@acme.example"))).to_series()


def ndjson(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def table(rows: list[dict[str, Any]], delimiter: str = ",", encoding: str = "utf-8", line_end: str = "\n") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def zipped(rows: list[dict[str, Any]]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("one.csv", table(rows[:2]))
        archive.writestr("two.json", json.dumps(rows[2:]))
    return made.getvalue()


def workbook(rows: list[dict[str, Any]]) -> bytes:
    made = io.BytesIO()
    pl.DataFrame(rows).write_excel(made)
    return made.getvalue()


def forms(rows: list[dict[str, Any]]) -> bytes:
    from urllib.parse import urlencode

    return "".join(urlencode(row) + "\n" for row in rows).encode()


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "ndjson": ndjson,
    "array": lambda rows: json.dumps(rows, indent=1).encode(),
    "sequence": lambda rows: "\n".join(json.dumps(row, indent=2) for row in rows).encode(),
    "csv": table,
    "semicolons, windows": lambda rows: table(rows, ";", line_end="\r\n"),
    "utf-16": lambda rows: table(rows, "\t", "utf-16"),
    "gzip": lambda rows: gzip.compress(ndjson(rows)),
    "zip": zipped,
    "workbook": workbook,
    "forms": forms,
}


def read(data: bytes) -> tuple[pl.DataFrame, pl.DataFrame]:
    drops = read_drops([(data, {})])
    return drops.leads, drops.rejects


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_left_of_them_and_everybody_else_reads_as_before(name: str) -> None:
    data = FORMATS[name](LEADS)
    before, none = read(data)
    assert (before.height, none.height) == (4, 0)
    redacted = redact(data, NEEDLES, theirs, DropReading(DEFAULT_LIMITS, shipped_adapters()))
    assert not NEEDLES.finds(redacted.data)
    assert b"likes tea" not in (gzip.decompress(redacted.data) if name == "gzip" else redacted.data)
    assert (redacted.payloads, redacted.leads["email"].to_list()) == (1, ["Jane.Doe@acme.example"])
    after, rejects = read(redacted.data)
    same = ["position", "part", "lead_id", "email", "full_name", "company", "own_campaign"]
    assert after.select(same).equals(before.filter(~theirs(before)).select(same))
    assert rejects.select("position", "code", "own_campaign").rows() == [
        (before.filter(theirs(before))["position"][0], "forgotten", "spring")
    ]
    # Once more changes nothing.
    again = redact(redacted.data, NEEDLES, theirs, DropReading(DEFAULT_LIMITS, shipped_adapters()))
    assert again.payloads == again.masked == 0


def test_a_batch_keeps_its_other_leads() -> None:
    data = json.dumps({"leads": [LEADS[0], JANE, LEADS[3]]}).encode()
    before, _ = read(data)
    assert before.height == 3
    redacted = redact(data, NEEDLES, theirs, DropReading(DEFAULT_LIMITS, shipped_adapters()))
    assert not NEEDLES.finds(redacted.data)
    assert b"likes tea" not in redacted.data
    after, _ = read(redacted.data)
    assert after["lead_id"].to_list() == before.filter(~theirs(before))["lead_id"].to_list()


def test_a_rejected_payload_with_their_address_goes_whole() -> None:
    data = ndjson([LEADS[0]]) + b'{"email": "jane.doe@acme.example", "notes": "likes tea", \n' + ndjson([LEADS[3]])
    redacted = redact(data, NEEDLES, theirs, DropReading(DEFAULT_LIMITS, shipped_adapters()))
    assert b"likes tea" not in redacted.data
    leads, rejects = read(redacted.data)
    assert leads["position"].to_list() == [1, 3]
    assert rejects.select("position", "code").rows() == [(2, "forgotten")]


def test_whoever_is_only_mentioned_in_all_payloads_takes_none_of_them_along() -> None:
    rows = [{**LEADS[0], "email": f"lead{number}@else.example", "lead_owner": "jane.doe@acme.example"} for number in range(5)]
    redacted = redact(table(rows), NEEDLES, theirs, DropReading(DEFAULT_LIMITS, shipped_adapters()))
    assert (redacted.payloads, redacted.masked) == (0, 5 * len("jane.doe@acme.example"))
    leads, _ = read(redacted.data)
    assert leads["email"].to_list() == [row["email"] for row in rows]
    assert not NEEDLES.finds(redacted.data)
