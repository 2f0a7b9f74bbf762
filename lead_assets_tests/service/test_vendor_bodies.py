"""Documented bodies of vendors, and texts that break things, through `POST /webhooks/{source}`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lead_assets_tests.service.conftest import Service

SHAPES = Path(__file__).parent.parent.parent / "fixtures" / "shapes"
EXPECTED = yaml.safe_load((SHAPES / "expected.yaml").read_text(encoding="utf-8"))
TYPES = {".json": "application/json", ".csv": "text/csv", ".txt": "application/x-www-form-urlencoded"}
# What https://github.com/minimaxir/big-list-of-naughty-strings collects: one or two of each of its kinds.
NAUGHTY = [
    *(
        "",
        "undefined",
        "NULL",
        "true",
        "NaN",
        "-Infinity",
        "1E+02",
        "0x0",
        "1/0",
        "\\",
        "\u0000",
        "\u202etest",
        "\ufeff",
        "\u2028",
        "\x7f\x85",
    ),
    *("田中さんにあげて下さい", "הָיְתָהtestالصفحات", "﷽", "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙", "🇺🇸🇷🇺🇸🇦", "👩🏽", "𝕋𝕙𝕖", "ﬁ", "İ", "ß"),
    *(
        "<script>alert(1)</script>",
        '"><svg/onload=alert(1)>',
        "' OR 1=1 --",
        "1;DROP TABLE users",
        "{{7*7}}",
        "%s%n%x",
        "${jndi:ldap://x.example}",
    ),
    *("=HYPERLINK(1)", "+1", "@SUM(1)", "../../etc/passwd", "CON", "`touch x`", "<?xml version='1.0'?><!DOCTYPE x>", "\r\nSet-Cookie: a=b"),
]


@pytest.mark.slow
def test_every_documented_body_has_the_leads_and_rejects_of_a_file_of_it(service: Service) -> None:
    sender = service.client("webhook")
    for name, expected in EXPECTED.items():
        path = SHAPES / name
        source = path.stem.partition("_")[0]
        answer = sender.post(f"/webhooks/{source}", content=path.read_bytes(), headers={"Content-Type": TYPES[path.suffix]})
        said: dict[str, Any] = answer.json()
        codes = [reject["code"] for reject in said.get("rejects", [])]
        assert (name, answer.status_code, said["leads"], codes) == (name, 202, len(expected["leads"]), expected["rejects"])


@pytest.mark.slow
def test_naughty_texts_are_received_and_land_as_they_were_sent(service: Service) -> None:
    leads = [
        {"email": f"n{number}@naughty.example", "full_name": text, "company": text, "notes": text, "title": text, text or "x": text}
        for number, text in enumerate(NAUGHTY)
    ]
    answer = service.client("webhook").post("/webhooks/naughty?campaign=naughty", content=json.dumps(leads))
    said = answer.json()
    # Text that turns its reader's direction hides what it says: kept, as a reject.
    assert [(each["code"], NAUGHTY[each["position"]]) for each in said["rejects"]] == [("control_characters", "\u202etest")]
    assert (answer.status_code, said["leads"]) == (202, len(NAUGHTY) - 1)
    for lead in leads[::8]:
        one = service.client("write").post("/enrich?max_usd=0", json=lead)
        assert (one.status_code, one.json()["raw"]) == (200, lead), one.text
