"""Canaries: plants secrets and personal data, runs everything including failures, and searches every place that people look at.

What is allowed where is in docs/production.md: secrets nowhere; personal data in archive, ledger and warehouse only.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.ledger import database
from lead_assets.sandbox import Handle
from lead_assets.vendors import load_vendors
from lead_assets.vendors.vendor import Vendor
from lead_assets_tests.conftest import Command, Done
from lead_assets_tests.production.canaries import found, seen, stored

pytestmark = pytest.mark.slow

SECRETS = {
    name: f"canary-{name.lower().replace('_', '-')}-5f2c"
    for name in (
        "ANTHROPIC_API_KEY",
        "PIPE0_API_KEY",
        "APOLLO_API_KEY",
        "HUNTER_API_KEY",
        "ATURIYA_BEARER_TOKEN",
        "HUBSPOT_API_KEY",
        "SLACK_BOT_TOKEN",
    )
}
DATABASE_PASSWORD = "canary-database-password-77aa"
PERSON = {
    "email": "zyxwanda.qwortle@canaryfirm.example",
    "full_name": "Zyxwanda Qwortle",
    "phone": "+1 202 555 0147",
    "notes": "canarynote: closing on the Qwortle estate, call mother first",
    "company": "Canary Firm LLC",
    "title": "Head of Canaries",
}
PERSONAL = ["zyxwanda", "qwortle", "5550147", "555 0147", "canarynote"]
BROKEN = {"status": 500, "body": json.dumps(PERSON)}
FAULTS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "pipe0": [("status", BROKEN | {"times": 1}), ("malformed_json", {})],
    "apollo": [("malformed_json", {"times": 1}), ("html", {})],
    "hunter": [("html", {"times": 1}), ("status", {"status": 401})],
    "anthropic": [("status", BROKEN | {"times": 1}), ("status", {"status": 401})],
}
"""One after the other: what comes first is tried again, and meets what comes next."""


@pytest.fixture
def live(sandbox: Handle, monkeypatch: pytest.MonkeyPatch) -> Handle:
    """The vendors' live addresses lead to the sandbox, so that the keys of the environment really travel."""
    there = Settings(sandbox_url=sandbox.url)
    lead_to_the_sandbox = {vendor.name: vendor.url(there) for vendor in load_vendors().values()}
    monkeypatch.setattr(Vendor, "url", lambda vendor, settings: lead_to_the_sandbox[vendor.name])
    return sandbox


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that anybody logs from INFO on, and the product's own from DEBUG on."""
    with caplog.at_level(logging.INFO), caplog.at_level(logging.DEBUG, logger="lead_assets"):
        yield caplog


def _drop(folder: Path, name: str, *leads: object) -> str:
    path = folder / name
    path.write_text("".join((lead if isinstance(lead, str) else json.dumps(lead)) + "\n" for lead in leads))
    return str(path)


def test_secrets_and_personal_data_stay_where_they_belong(
    live: Handle, home: Path, tmp_path: Path, command: Command, logged: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_RECONNECT_SECONDS", 0.3)
    said: list[Done] = []
    shown: list[str] = []

    def run(*arguments: str, **more: str) -> Done:
        done = command(*arguments, **SECRETS, **more)
        said.append(done)
        return done

    def ingest(*arguments: str) -> None:
        """Its standard output shows whoever brings a file how the first lead is read; the rest of what it leaves must not."""
        shown.append(run("ingest", *arguments).stdout)
        said[-1] = replace(said[-1], stdout="")

    broken = [json.dumps(PERSON)[:-20], json.dumps(PERSON | {"email": "zyxwanda qwortle at nowhere"}), json.dumps([PERSON]), '{"email": 5}']
    ingest(_drop(tmp_path, "good.ndjson", PERSON, *broken), "--campaign", "good", "--json")
    assert run("run", "--campaign", "good", "--json").answer()["failures"] == []
    assert live.requests("pipe0"), "the test shows nothing if the keys never travelled"

    for service, faults in FAULTS.items():
        for kind, options in faults:
            live.set_fault(service, kind, **options)
    before = {service: len(live.requests(service)) for service in FAULTS}
    ingest(_drop(tmp_path, "bad.ndjson", PERSON | {"email": "zyxwanda.qwortle@canaryfirm2.example"}), "--campaign", "bad", "--json")
    run("run", "--campaign", "bad")
    assert all(len(live.requests(service)) - before[service] >= 2 for service in FAULTS), "each fault was met"
    live.clear_faults()

    for path in (home / "archive" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    # What was made from them goes, too, or nothing would be read again.
    shutil.rmtree(home / "derived")
    shutil.rmtree(home / "warehouse" / "intake" / "raw_leads" / "campaign_id=good")
    assert run("run", "--campaign", "good").code == 1
    run("doctor")
    unreachable = f"postgresql+psycopg2://u:{DATABASE_PASSWORD}@127.0.0.1:1/none"
    assert "database cannot be reached" in " ".join(run("run", "--all", LEAD_ASSETS_LEDGER_URL=unreachable).stderr.split())
    run("doctor", LEAD_ASSETS_LEDGER_URL=f"mysql://u:{DATABASE_PASSWORD}@127.0.0.1/none")
    run("doctor", LEAD_ASSETS_LEDGER_URL=f"no url {DATABASE_PASSWORD}")
    ingest(_drop(tmp_path, "mapped.csv", "Zyxwanda,Qwortle"), "--map", "Zyxwanda=nothing")

    assert [canary for canary in [*SECRETS.values(), DATABASE_PASSWORD] if canary in "".join(shown)] == []
    assert "zyxwanda" in shown[0], "its first lead, for whoever brought it"
    places = seen(home, said, logged.records)
    assert {name.rsplit(".", 1)[-1] for name in places} >= {"output", "logs", "db", "out", "err"}
    assert {canary: where for canary in [*SECRETS.values(), DATABASE_PASSWORD, *PERSONAL] if (where := found(canary, places))} == {}
    stores = stored(home)
    assert {canary: where for canary in [*SECRETS.values(), DATABASE_PASSWORD] if (where := found(canary, stores))} == {}
    assert {name.split("/")[0] for name in found("zyxwanda", stores)} == {"ledger.sqlite", "archive", "warehouse"}, "where it belongs"


def test_settings_show_no_secret() -> None:
    settings = Settings(
        anthropic_api_key=SECRETS["ANTHROPIC_API_KEY"],  # type: ignore[arg-type]
        pipe0_api_key=SECRETS["PIPE0_API_KEY"],  # type: ignore[arg-type]
        ledger_url=f"postgresql+psycopg2://u:{DATABASE_PASSWORD}@h/d",  # type: ignore[arg-type]
    )
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert "canary" not in shown
    secretive = [
        name for name in Settings.model_fields if any(word in name for word in ("key", "token", "password", "passphrase", "secret"))
    ]
    shown_type = {name: str(Settings.model_fields[name].annotation) for name in secretive}
    assert [name for name, kind in shown_type.items() if "Secret" not in kind and not name.endswith("_path")] == []


HOSTILE = ["x'; DROP TABLE routing.decisions; --", '../../etc/passwd" OR 1=1', "a\nb\x1b[31m", "${HOME}`id`%s%n{0}", "🦆 campaign"]


def test_hostile_campaign_ids_are_values_everywhere(sandbox: Handle, home: Path, tmp_path: Path, command: Command) -> None:
    leads = [{"email": f"p{number}@acme.example", "full_name": "Pat Doe", "campaign_id": name} for number, name in enumerate(HOSTILE)]
    before = {path for path in tmp_path.rglob("*") if home not in path.parents}
    drops = command("ingest", _drop(tmp_path, "drop.ndjson", *leads), "--json", sandbox_url=sandbox.url).answer()["drops"]
    assert len({drop["campaign_id"] for drop in drops}) == len(HOSTILE)
    answer = command("run", "--all", "--json", sandbox_url=sandbox.url).answer()
    assert {row["campaign_id"]: row["received"] for row in answer["campaigns"]} == {drop["campaign_id"]: 1 for drop in drops}
    # A payload with control characters in it is rejected, under its own campaign.
    assert sorted((row["routed"], row["rejected"]) for row in answer["campaigns"]) == [(0, 1)] + [(1, 0)] * (len(HOSTILE) - 1)
    named = [argument for name in HOSTILE for argument in ("--campaign", name)]
    exported = command("export", "routing.decisions", "--format", "json", *named, sandbox_url=sandbox.url)
    assert len(json.loads(exported.stdout)) == len(HOSTILE) - 1
    with duckdb.connect(str(home / "warehouse" / "warehouse.duckdb"), read_only=True) as connection:
        for table in TABLES:
            schema, name = table.split(".")
            connection.execute(f'SELECT count(*) FROM "{schema}"."{name}"').fetchall()
    outside = {path for path in tmp_path.rglob("*") if home not in path.parents} - before - {home, tmp_path / "drop.ndjson"}
    assert outside == set()
