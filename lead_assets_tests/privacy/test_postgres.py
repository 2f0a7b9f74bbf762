"""Where ledger and run history are in Postgres, one person leaves both."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import value_hash
from lead_assets.intake.ingest import ingest
from lead_assets.ledger import Lifetimes, Reply, Want, purchase
from lead_assets.ledger.opened import opened_ledger
from lead_assets.privacy.databases import postgres_found
from lead_assets.privacy.forget import forget
from lead_assets.privacy.lists import read_identifier
from lead_assets.privacy.needles import Needle, Needles
from lead_assets.stores.opened import archive_of

pytestmark = pytest.mark.slow

EMAIL, NAME = "jane.quillfeather@brightfern.example", "Jane Quillfeather"
DAY = timedelta(days=1)


def test_ledger_and_run_history_name_them_no_more(tmp_path: Path, postgres_url: str) -> None:
    settings = Settings.model_validate({"home": tmp_path / "home", "ledger_url": postgres_url})
    archive = archive_of(settings)
    lines = [{"email": EMAIL, "full_name": NAME, "company": "Brightfern"}, {"email": "joe@else.example", "full_name": "Joe Bloggs"}]
    lines.append({"email": f"mary{EMAIL}", "full_name": "Mary Quill", "company": "Brightfern"})
    ingest(
        archive,
        "\n".join(map(json.dumps, lines)).encode(),
        name="spring",
        received_at=datetime(2026, 11, 20, tzinfo=UTC),
        campaign="spring",
    )

    async def vendor(wants: list[Want]) -> list[Reply]:
        return [Reply("found", body={"about": want.subject, "list": [NAME, "x" * 300]}, cost_micros=7) for want in wants]

    wants = [Want("hunter", "hunter.verify", subject, 100, "spring", Lifetimes(DAY, DAY)) for subject in (EMAIL, "else.example")]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE event_logs (id bigint PRIMARY KEY, event text, packed bytea)")
        connection.execute(
            "INSERT INTO event_logs VALUES (1, %s, NULL), (2, 'nothing', %s), (3, 'nothing', NULL), (4, %s, NULL)",
            (f"for {EMAIL}", zlib.compress(NAME.encode()), f"for mary{EMAIL}"),
        )
    needles = Needles((Needle("email", EMAIL), Needle("name", NAME)), frozenset({f"mary{EMAIL}"}))
    url = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    asked = read_identifier(EMAIL)
    assert asked is not None
    with opened_ledger(settings) as ledger:
        purchase(ledger, wants, vendor)
        costs = ledger.costs()
        assert postgres_found(url, needles) == {'"lead_assets_ledger"."calls"': 3, '"public"."event_logs"': 2}
        receipt = forget(settings, ledger, asked)
        assert receipt["removed"]["Postgres"]["bytes"] == len(EMAIL) + len(NAME)
        assert ledger.costs().equals(costs)
        # What else was answered stays, without the name.
        answer = ledger.answers([wants[1].key])[wants[1].key]
        assert answer.body == {"about": "else.example", "list": ["*" * len(NAME), "x" * 300]}
        assert ledger.answers([wants[0].key]) == {}
        assert ledger.suppressed_among([("email", EMAIL)])
        assert value_hash(EMAIL) not in ledger.suppressions()["value_hash"].to_list()
    assert postgres_found(url, needles) == {}
    with psycopg.connect(postgres_url) as connection:
        rows = connection.execute("SELECT id, event FROM event_logs ORDER BY id").fetchall()
    assert rows == [(1, "for " + "*" * len(EMAIL)), (2, "nothing"), (3, "nothing"), (4, f"for mary{EMAIL}")]
