"""`forget` in a home of 1,000,000 made-up leads: seconds, places and bytes; then a search for the person by hand, and their file imported again.

    python -m benchmarks.forgetting [LEADS [HOME]]

The home has 40 campaigns with a drop each (every other one gzipped), the tables of intake, identity, enrichment, classification, scoring, routing and events,
event files, parsed rows, and a ledger with four answers per three leads. The person is in two campaigns. An existing HOME is used as it is.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sqlite3
import sys
import tempfile
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import orjson
import polars as pl

from lead_assets.contracts import (
    Classification,
    Duplicate,
    EnrichedLead,
    EnrichmentEvent,
    Lead,
    RawLead,
    RejectedPayload,
    RoutingDecision,
    Score,
    SuppressedLead,
    Table,
)
from lead_assets.core.settings import Settings
from lead_assets.identity.resolve import resolve
from lead_assets.intake.ingest import ingest
from lead_assets.intake.parsed import parsed_of
from lead_assets.intake.read import read_campaigns
from lead_assets.ledger.opened import opened_ledger
from lead_assets.privacy.forget import forget
from lead_assets.privacy.lists import read_identifier
from lead_assets.privacy.needles import Needle, Needles
from lead_assets.privacy.search import files_below, search
from lead_assets.stores.opened import archive_of, warehouse_of

CAMPAIGNS = 40
EMAIL, PHONE, NAME = "jane.quillfeather@brightfern.example", "+1 415 555 2671", "Jane Quillfeather"
AT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
SYLLABLES = ("ba", "den", "fi", "gor", "hul", "ka", "lim", "mo", "nar", "pel", "ri", "sut", "tan", "ves", "wol", "zek")


def main() -> None:
    leads = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="forgetting-"))
    os.environ["DAGSTER_HOME"] = str(folder / "dagster")
    settings = Settings(home=folder)
    if not (folder / "ledger.sqlite").exists():
        began = time.perf_counter()
        build(settings, leads)
        print(f"a home of {leads:,} leads made in {time.perf_counter() - began:.0f} s")
    files = list(files_below(folder))
    print(f"{len(files):,} files, {sum(file.stat().st_size for file in files) / 1e9:.2f} GB")
    asked = read_identifier(EMAIL)
    assert asked is not None
    with opened_ledger(settings) as ledger:
        before = ledger.costs()
        began = time.perf_counter()
        receipt = forget(settings, ledger, asked)
        seconds = time.perf_counter() - began
        assert ledger.costs().equals(before)
        print(f"forgotten in {seconds:.1f} s: {receipt['leads']} leads; removed {receipt['removed']}")
        began = time.perf_counter()
        needles = Needles(
            (Needle("email", EMAIL), Needle("phone", "4155552671", ("1",)), Needle("phone", "415 555 2671"), Needle("name", NAME))
        )
        left = search(settings, needles)
        print(f"search of the whole home in {time.perf_counter() - began:.1f} s: {len(left)} places")
        archive = archive_of(settings)
        ingest(archive, _lines([_person(7)]), name="again.json", received_at=AT, campaign="again")
        raw = read_campaigns(archive, ["again"]).raw_leads
        resolved = resolve(raw, ledger.suppressions(), ledger.suppression_hash)
        print(f"imported again: {resolved.leads.height} leads, {resolved.suppressed.height} suppressed")
    if len(sys.argv) <= 2:
        shutil.rmtree(folder)


def build(settings: Settings, leads: int) -> None:
    chance = np.random.default_rng(1)
    archive, warehouse = archive_of(settings), warehouse_of(settings)
    warehouse.prepare()
    each = leads // CAMPAIGNS
    for number in range(CAMPAIGNS):
        campaign = f"campaign-{number:03}"
        people = [_made(chance, number * each + at) for at in range(each)]
        if number in (3, 24):
            people[each // 2] = _person(number)
        data = _lines(people)
        ingest(archive, gzip.compress(data, 1) if number % 2 else data, name=f"{campaign}.ndjson", received_at=AT, campaign=campaign)
        read = read_campaigns(archive, [campaign], parsed=parsed_of(settings))
        resolved = resolve(read.raw_leads)
        for contract, frame in ((RawLead, read.raw_leads), (RejectedPayload, read.rejected), (Lead, resolved.leads)):
            warehouse.write(contract, frame, [campaign])
        warehouse.write(Duplicate, resolved.duplicates, [campaign])
        warehouse.write(SuppressedLead, resolved.suppressed, [campaign])
        of_leads = _tables(resolved.leads)
        for contract, frame in of_leads.items():
            warehouse.write(contract, frame, [campaign])
        archive.put_events(campaign, gzip.compress(b"\n".join(text.encode() for text in of_leads[EnrichmentEvent]["event"]) + b"\n", 6))
        _journal(settings, campaign, resolved.leads)


def _made(chance: np.random.Generator, number: int) -> dict[str, object]:
    first, last, company = ("".join(SYLLABLES[at] for at in chance.integers(0, len(SYLLABLES), count)).capitalize() for count in (2, 3, 3))
    return {
        "id": f"L{number:07}",
        "email": f"{first.lower()}.{last.lower()}{number}@{company.lower()}.example",
        "phone": f"+1 212 {200 + number // 10_000:03} {number % 10_000:04}",
        "full_name": f"{first} {last}",
        "company": company,
        "title": "Head of Operations",
        "country": "US",
        "notes": f"{first} asked for a call about warehouses in {last}, number {number}",
    }


def _person(number: int) -> dict[str, object]:
    return {"id": f"P{number}", "email": EMAIL.title(), "phone": PHONE, "full_name": NAME, "company": "Brightfern", "notes": "likes tea"}


def _lines(people: list[dict[str, object]]) -> bytes:
    return b"".join(orjson.dumps(person, option=orjson.OPT_APPEND_NEWLINE) for person in people)


def _tables(leads: pl.DataFrame) -> dict[type[Table], pl.DataFrame]:
    told = ("lead_id", "campaign_id", "email", "full_name", "phone", "notes")
    event = pl.struct(lead=pl.struct(told), raw="payload", type=pl.lit("lead_enriched")).struct.json_encode()
    answer = pl.struct(rationale=pl.format("{} decides about operations at {}", "full_name", "company"), score=7).struct.json_encode()
    given = leads.with_columns(event=event, answer=answer, event_id="lead_id", email_address="email_normalized", brief=answer)
    return {contract: _frame(contract, given) for contract in (EnrichedLead, Classification, Score, RoutingDecision, EnrichmentEvent)}


def _frame(contract: type[Table], given: pl.DataFrame) -> pl.DataFrame:
    """The given columns; a plain value in required ones that are not given, null elsewhere."""
    plain = {pl.String: "x", pl.Int64: 0, pl.Float64: 0.0, pl.Boolean: False, pl.Datetime: AT, pl.Date: AT.date(), pl.Decimal: 0}
    columns = []
    for column in contract.columns():
        if column.name in given.columns:
            columns.append(pl.col(column.name).cast(column.dtype))
            continue
        value = [] if isinstance(column.dtype, pl.List) else next(value for kind, value in plain.items() if isinstance(column.dtype, kind))
        value = "{}" if column.json else value
        columns.append(pl.lit(None if column.nullable else value, dtype=column.dtype).alias(column.name))
    return given.select(columns)


def _journal(settings: Settings, campaign: str, leads: pl.DataFrame) -> None:
    """A verified address per lead, and the model's answer for a third of them."""
    with opened_ledger(settings) as ledger:
        ledger.open()
    rows = []
    for email, name in leads.select("email_normalized", "full_name").iter_rows():
        rows.append(
            (
                email,
                "hunter",
                "hunter.email-verifier",
                {"data": {"email": email, "status": "valid", "score": 97, "sources": [], "mx": True}},
            )
        )
        if len(rows) % 4 == 3:
            said = {"text": f"{name} decides about operations. " + "The company grows. " * 30}
            rows.append((value(email), "anthropic", "anthropic.messages", said))
    with sqlite3.connect(settings.home / "ledger.sqlite") as connection:
        first = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM calls").fetchone()[0]
        connection.executemany(
            "INSERT INTO calls (id, key, state, provider, operation, subject, campaign_id, cost_micros, uncertain, input_tokens, output_tokens,"
            " latency_ms, answered_at, body, day) VALUES (?, ?, 'found', ?, ?, ?, ?, 17000, 0, 0, 0, 90, 1790000000000000, ?, '2026-11-01')",
            (
                (number, value(f"{operation} {about}")[:32], provider, operation, about, campaign, _packed(body))
                for number, (about, provider, operation, body) in enumerate(rows, first)
            ),
        )
        connection.execute("INSERT OR IGNORE INTO heads SELECT key, id, NULL FROM calls WHERE id >= ?", (first,))
    connection.close()


def value(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def _packed(body: dict[str, object]) -> bytes:
    text = orjson.dumps(body)
    return zlib.compress(text, 6) if len(text) >= 200 else text


if __name__ == "__main__":
    main()
