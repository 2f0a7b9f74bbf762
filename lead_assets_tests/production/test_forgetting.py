"""One person leaves production's stores: archive, derived rows and landing zone in a bucket, tables in Snowflake, ledger in Postgres."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime

import pytest

from lead_assets.contracts import EnrichmentEvent, Lead, RawLead, RejectedPayload
from lead_assets.core.settings import Settings
from lead_assets.identity.resolve import resolve
from lead_assets.intake.ingest import ingest
from lead_assets.intake.parsed import parsed_of
from lead_assets.intake.read import read_campaigns
from lead_assets.ledger.opened import opened_ledger
from lead_assets.privacy.export import export_person
from lead_assets.privacy.forget import forget
from lead_assets.privacy.lists import read_identifier
from lead_assets.privacy.needles import Needle, Needles
from lead_assets.privacy.search import search
from lead_assets.stores.objects import open_objects
from lead_assets.stores.opened import archive_of
from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse
from lead_assets_tests.production.deployed import production
from lead_assets_tests.production.google_storage import GoogleStorage
from lead_assets_tests.stores.fake import FakeAccount

pytestmark = pytest.mark.slow

EMAIL, NAME = "jane.quillfeather@brightfern.example", "Jane Quillfeather"
AT = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def deployed(
    bucket: str, postgres_url: str, account: FakeAccount, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    environment = production(bucket=bucket, postgres_url=postgres_url, snowflake=account.environment(account.url))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    home = tmp_path_factory.mktemp("machine")
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    return Settings(home=home)


def test_nothing_is_left_in_bucket_snowflake_and_postgres(deployed: Settings, storage: GoogleStorage) -> None:
    archive, warehouse = archive_of(deployed), SnowflakeWarehouse(deployed)
    warehouse.prepare()
    jane = {"email": EMAIL.title(), "full_name": NAME, "company": "Brightfern", "notes": "likes oolong"}
    joe = {"email": "joe@else.example", "full_name": "Joe Bloggs", "company": "Else", "notes": f"knows {NAME}"}
    mary = {"email": f"mary{EMAIL}", "full_name": f"Mary{NAME}", "company": "Else"}
    data = "".join(json.dumps(each) + "\n" for each in (jane, joe, mary)).encode()
    ingest(archive, gzip.compress(data), name="spring.ndjson.gz", received_at=AT, campaign="spring")
    read = read_campaigns(archive, ["spring"], parsed=parsed_of(deployed))
    leads = resolve(read.raw_leads).leads
    for contract, frame in ((RawLead, read.raw_leads), (RejectedPayload, read.rejected), (Lead, leads)):
        warehouse.write(contract, frame, ["spring"])
    lines = b"".join(
        json.dumps({"lead": row}, default=str).encode() + b"\n" for row in leads.select("lead_id", "email", "full_name").to_dicts()
    )
    archive.put_events("spring", gzip.compress(lines))
    events = [
        {"campaign_id": "spring", "lead_id": row["lead_id"], "event": json.dumps(row), "event_id": row["lead_id"]}
        for row in leads.select("lead_id", "email").to_dicts()
    ]
    same = {"schema_version": "x", "enriched_at": AT, "archived_as": "x"}
    warehouse.write(EnrichmentEvent, EnrichmentEvent.frame(each | same for each in events), ["spring"])
    # What Snowpipe loaded: hers, his which mentions her, one that does not, and that of somebody whose address has hers in it.
    warehouse.ask("CREATE SCHEMA RAW")
    warehouse.ask("CREATE TABLE RAW.ENRICHMENT_EVENTS_LANDED (EVENT_ID VARCHAR, CAMPAIGN_ID VARCHAR, LEAD_ID VARCHAR, RECORD VARIANT)")
    ids = dict(leads.select("email_normalized", "lead_id").iter_rows())
    loaded = [("1", ids[EMAIL], jane), ("2", ids["joe@else.example"], joe), ("3", "other", {"email": "ann@x.example"}), ("4", "mary", mary)]
    for event, lead, record in loaded:
        warehouse.ask("INSERT INTO RAW.ENRICHMENT_EVENTS_LANDED SELECT ?, 'spring', ?, PARSE_JSON(?)", [event, lead, json.dumps(record)])
    # A drop that waits in the landing zone, and one that was taken.
    landing = open_objects(deployed.landing_location)
    landing.put("spring/late.json", json.dumps(jane).encode())
    landing.put(".taken/2026-11-20/early.json", zlib.compress(json.dumps([jane]).encode()))
    needles = Needles((Needle("email", EMAIL), Needle("name", NAME)), frozenset({mary["email"], mary["full_name"].lower()}))
    before = {holding.where for holding in search(deployed, needles)}
    assert {where.partition(" ")[0] for where in before if not where.startswith("gs://")} == {"Snowflake"}
    assert any("/landing/" in where for where in before)
    assert any("/derived/" in where for where in before)
    assert any("/events/" in where for where in before)

    asked = read_identifier(EMAIL)
    assert asked is not None
    with opened_ledger(deployed) as ledger:
        told = export_person(deployed, ledger, asked)
        assert {each["table"] for each in told["tables"]} >= {"intake.raw_leads", "identity.leads"}
        receipt = forget(deployed, ledger, asked)
        assert {"archive, drops", "archive, events", "derived", "warehouse", "objects", "Snowpipe"} <= receipt["removed"].keys()
        assert EMAIL not in json.dumps(receipt).lower()
        assert search(deployed, needles) == []
        assert ledger.suppressed_among([("email", EMAIL)])
        again = read_campaigns(archive, ["spring"])
        assert again.raw_leads["email"].to_list() == ["joe@else.example", mary["email"]]
        assert again.rejected["code"].to_list() == ["forgotten"]
        rows = warehouse.read(Lead, ["spring"]).sort("position").select("email", "full_name", "notes").rows()
        assert rows == [("joe@else.example", "Joe Bloggs", f"knows {'*' * len(NAME)}"), (mary["email"], mary["full_name"], None)]
        assert search(deployed, needles) == [], "reading again stored nothing of her"
        assert archive.read(receipt["receipt"])
    events_left = warehouse.ask("SELECT EVENT_ID, LEAD_ID, RECORD IS NULL FROM RAW.ENRICHMENT_EVENTS_LANDED ORDER BY EVENT_ID")
    assert events_left == [("1", "forgotten", True), ("2", "forgotten", True), ("3", "other", False), ("4", "mary", False)]
