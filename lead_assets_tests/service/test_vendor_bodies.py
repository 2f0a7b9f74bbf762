"""Documented bodies of vendors, and texts that break things, through `POST /webhooks/{source}`."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from lead_assets.core.settings import Settings
from lead_assets_tests.conftest import Command
from lead_assets_tests.service.conftest import Service, landed

SHAPES = Path(__file__).parent.parent.parent / "fixtures" / "shapes"
EXPECTED = yaml.safe_load((SHAPES / "expected.yaml").read_text(encoding="utf-8"))
TYPES = {".json": "application/json", ".csv": "text/csv", ".txt": "application/x-www-form-urlencoded"}
# Every string that was ever in https://github.com/minimaxir/big-list-of-naughty-strings, by its published versions.
NAUGHTY: list[str] = json.loads((SHAPES.parent / "naughty" / "blns.json").read_text(encoding="utf-8"))
FIELDS = ("full_name", "company", "title", "notes", "city", "source")


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
def test_naughty_texts_come_back_as_they_were_sent_through_every_field(service: Service, command: Command) -> None:
    assert len(NAUGHTY) >= 515
    leads = [
        {"lead_id": f"N{number}", "email": f"n{number}@naughty.example", **dict.fromkeys(FIELDS, text), f"x {text}"[:200]: text}
        for number, text in enumerate(NAUGHTY)
    ]
    answer = service.client("webhook").post("/webhooks/naughty?campaign=naughty", content=json.dumps(leads))
    said = answer.json()
    assert (answer.status_code, said["leads"] + said["rejected"]) == (202, len(NAUGHTY))
    # Text that turns its reader's direction, or has control characters, hides what it says: kept, as a reject.
    codes = {reject["position"] - 1: reject["code"] for reject in said["rejects"]}
    assert set(codes.values()) <= {"control_characters"}
    assert said["rejected"] == len(codes)
    files = landed_with(service.settings, b"naughty.example")
    command("ingest", *map(str, files), "--campaign", "naughty", "--json", at=service.settings.home).answer()
    command("run", "--all", "--select", "group:intake or group:identity", "--json", at=service.settings.home).answer()
    insider = service.client("read-pii")
    exported = insider.get("/api/v1/leads/export", params={"format": "json", "campaign_id": "naughty"}).json()
    assert len(exported) == said["leads"]
    payloads = {row["lead_id"]: json.loads(row["payload"]) for row in exported}
    assert payloads == {lead["lead_id"]: lead for number, lead in enumerate(leads) if number not in codes}
    # Columns lose white space around a text, and nothing in it.
    texts = {lead["lead_id"]: lead["notes"] for lead in leads}
    assert {row["lead_id"]: (row["notes"] or "").split() for row in exported} == {key: texts[key].split() for key in payloads}
    # In a sheet none of it is a formula.
    for line in csv.DictReader(io.StringIO(insider.get("/api/v1/leads/export?campaign_id=naughty").text)):
        for value in line.values():
            assert not value.lstrip(" ").startswith(("=", "@")) or value[:1] == "'", value


def landed_with(settings: Settings, text: bytes) -> list[Path]:
    """The landed files that contain a text, once there are any."""
    until = time.monotonic() + 30
    while not (found := [path for path in landed(settings) if text in path.read_bytes()]):
        assert time.monotonic() < until
        time.sleep(0.05)
    return found
