"""One person leaves a home that has run: nothing is left of them, everybody else is as before, and nothing is bought again."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.ledger.outbox_model import person_hash
from lead_assets.privacy.needles import Needle, Needles
from lead_assets.privacy.search import search
from lead_assets.sandbox import Handle
from lead_assets_tests.conftest import lead_assets

pytestmark = pytest.mark.slow

EMAIL, PHONE, NAME = "jane.quillfeather@brightfern.example", "+1 415 555 2671", "Jane Quillfeather"
JANE = {
    "email": EMAIL.title(),
    "phone": PHONE,
    "full_name": NAME,
    "company": "Brightfern",
    "title": "VP of Sales",
    "notes": "likes oolong tea",
}
OTHERS = [
    {"email": "kim.li@brightfern.example", "phone": "+1 415 555 2000", "full_name": "Kim Li", "company": "Brightfern", "title": "CTO"}
    | {"notes": ""},
    {"email": "joe@harbourline.example", "phone": "", "full_name": "Joe Bloggs", "company": "Harbourline", "title": "CFO", "notes": ""},
    {
        "email": "ann@mossgate.example",
        "phone": "+1 212 555 2004",
        "full_name": "Ann Lee",
        "company": "Mossgate",
        "title": "CEO",
        "notes": "",
    },
]


def table(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@dataclass(frozen=True)
class Home:
    path: Path
    url: str

    def ask(self, *arguments: str) -> dict[str, Any]:
        return lead_assets(self.path, *arguments, "--json", sandbox_url=self.url).answer()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path / "warehouse" / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    @property
    def settings(self) -> Settings:
        return Settings(home=self.path)

    def counts(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT campaign_id, received, rejected, duplicate, suppressed, leads FROM marts.campaign_funnel ORDER BY 1")

    def left(self) -> list[str]:
        """Looked for by hand as well: what the searcher does not find is not there."""
        forms = [EMAIL, EMAIL.replace("@", "%40"), "4155552671", "415 555 2671", NAME, "oolong"]
        forms += [base64.b64encode(EMAIL.encode()).decode().rstrip("=")[:-2]]
        found = []
        for file in self.path.rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                data += gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""
                found += [f"{file.name}: {form}" for form in forms if form.lower().encode() in data.lower()]
        needles = Needles(
            (Needle("email", EMAIL), Needle("phone", "4155552671", ("1",)), Needle("phone", "415 555 2671"), Needle("name", NAME))
        )
        return found + [f"{holding.where}: {holding.found}" for holding in search(self.settings, needles)]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, sandbox_of_module: Handle) -> Home:
    """A home with her in a CSV, in NDJSON, in a payload that was rejected, and in the CRM's export of deals."""
    folder = tmp_path_factory.mktemp("forget")
    home = Home(folder / "home", sandbox_of_module.url)
    (folder / "spring.csv").write_text(table([OTHERS[0], JANE, OTHERS[1]]))
    lines = [JANE | {"phone": "(415) 555-2671", "country": "US", "email": EMAIL}, OTHERS[2]]
    (folder / "autumn.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines) + f'{{"email":"{EMAIL}","notes":"oolong",\n')
    home.ask("ingest", str(folder / "spring.csv"), "--campaign", "spring")
    home.ask("ingest", str(folder / "autumn.ndjson"), "--campaign", "autumn")
    deals = [
        {"Email": person["email"], "Name": person["full_name"], "Stage": "Closed Won", "Close Date": "2026-10-01"}
        for person in (JANE, OTHERS[0])
    ]
    (folder / "deals.csv").write_text(table(deals))
    home.ask("outcomes", "import", str(folder / "deals.csv"))
    home.ask("run", "--all")
    return home


@pytest.fixture
def home(ran: Home, tmp_path: Path) -> Home:
    """A copy, with her in the places that a run would not put her."""
    path = tmp_path / "home"
    shutil.copytree(ran.path, path)
    logs = path / "dagster" / "storage" / "some_run" / "compute_logs"
    logs.mkdir(parents=True)
    (logs / "step.err").write_text(f"could not reach {EMAIL}\n")
    (path / "landing" / ".taken" / "2026-11-30").mkdir(parents=True)
    (path / "landing" / ".taken" / "2026-11-30" / f"{EMAIL}.json").write_text(json.dumps(JANE))
    (path / "kept.json.gz").write_bytes(gzip.compress(json.dumps([JANE]).encode()))
    with sqlite3.connect(next((path / "dagster").rglob("runs.db"))) as history:
        history.execute("INSERT INTO run_tags (run_id, key, value) SELECT run_id, 'note', ? FROM runs LIMIT 1", (f"for {NAME}",))
    history.close()
    with sqlite3.connect(path / "ledger.sqlite") as ledger:
        # What is deleted stays on a free page, or in the log.
        ledger.execute("INSERT INTO controls (name, value, set_at) VALUES (?, ?, 0)", (f"x:{EMAIL}", "y" * 9000 + PHONE))
        ledger.execute("DELETE FROM controls WHERE name LIKE 'x:%'")
        columns = "id, key, destination, kind, campaign_id, lead_id, person, content, lane, reaches, body, state"
        columns += ", revision, attempts, uncertain, as_of, created_at"
        row = (9001, "k", "hubspot", "contact", "spring", "L", person_hash(EMAIL), "c", "", 0, EMAIL.encode(), "confirmed", 1, 1, 0, 0, 0)
        ledger.execute(f"INSERT INTO outbox ({columns}) VALUES ({', '.join('?' * len(row))})", row)
        ledger.execute(
            "INSERT OR REPLACE INTO mirrors (destination, person, vendor_id, updated_at) VALUES ('hubspot', ?, '501', 0)",
            (person_hash(EMAIL),),
        )
    ledger.close()
    with opened_ledger(Settings(home=path)) as opened:
        for name, state in (("her", {"q": EMAIL}), (f"of {NAME}", {"tier": "hot"}), ("others", {"q": "harbourline"})):
            opened.views.save("somebody", name, state, shared=True)
    return Home(path, ran.url)


def test_nothing_is_left_and_everybody_else_is_as_before(home: Home) -> None:
    before, costs = home.counts(), home.ask("costs")
    others = home.rows(f"SELECT campaign_id, lead_id, email FROM identity.leads WHERE lower(email) <> '{EMAIL}' ORDER BY ALL")
    assert home.left()
    seen = home.ask("forget", EMAIL, "--dry-run")
    assert (seen["leads"], seen["payloads"], seen["campaigns"]) == (2, 2, ["autumn", "spring"])
    assert {"email", "phone", "name"} <= seen["looked_for"].keys()
    assert home.counts() == before

    receipt = home.ask("forget", EMAIL)
    assert home.left() == []
    assert EMAIL not in json.dumps(receipt).lower()
    assert {"archive, drops", "archive, events", "ledger, calls", "ledger, outbox", "warehouse", "run history", "landing zone"} <= receipt[
        "removed"
    ].keys()
    (crm,) = [each for each in receipt["destinations"] if each["destination"] == "hubspot"]
    assert (crm["vendor_ids"], crm["asked"]) == (["501"], True)
    asked = {each["destination"] for each in receipt["destinations"] if each["asked"] and "why" not in each}
    assert asked == {each["destination"] for each in receipt["destinations"]} >= {"hubspot", "segment"}
    assert (home.path / "archive" / receipt["receipt"]).exists()
    assert home.ask("costs") == costs
    with opened_ledger(home.settings) as ledger:
        assert [view.name for view in ledger.views.every()] == ["others"]

    bought = home.ask("run", "--all")["billed"]
    assert bought["calls"] == 0
    assert home.ask("costs") == costs
    after = {row[0]: row[1:] for row in home.counts()}
    # received, rejected, duplicate, suppressed, leads: her payloads are still counted, as rejected.
    for campaign, received, rejected, duplicate, suppressed, leads in before:
        assert after[campaign] == (received, rejected + 1, duplicate, suppressed, leads - 1)
    assert home.rows("SELECT campaign_id, lead_id, email FROM identity.leads ORDER BY ALL") == others
    codes = home.rows("SELECT campaign_id, code FROM intake.rejected_payloads ORDER BY ALL")
    assert codes == [("autumn", "forgotten"), ("autumn", "forgotten"), ("spring", "forgotten")]
    assert home.left() == []
    # Rebuilt from nothing, the tables are the same.
    shutil.rmtree(home.path / "warehouse")
    shutil.rmtree(home.path / "derived", ignore_errors=True)
    assert home.ask("run", "--all", "--from-ledger")["failures"] == []
    assert {row[0]: row[1:] for row in home.counts()} == after
    assert home.left() == []


def test_whoever_mentions_them_stays_without_the_mention(home: Home, tmp_path: Path) -> None:
    mention = tmp_path / "mention.csv"
    mention.write_text(table([OTHERS[2] | {"notes": f"works with {NAME} and {EMAIL}"}]))
    home.ask("ingest", str(mention), "--campaign", "mention")
    home.ask("run", "--campaign", "mention")
    home.ask("forget", EMAIL)
    assert home.left() == []
    home.ask("run", "--all")
    ((notes,),) = home.rows("SELECT notes FROM identity.leads WHERE campaign_id = 'mention'")
    assert notes == f"works with {'*' * len(NAME)} and {'*' * len(EMAIL)}"
    # What was asked about her company and mailbox stays; the model was shown another text, and is asked again.
    again = home.rows("SELECT DISTINCT provider FROM ledger.calls WHERE call_id > 0 AND campaign_id = 'mention' ORDER BY 1")
    assert ("anthropic",) in again
    assert home.left() == []


def test_whoever_has_a_longer_address_profile_or_name_stays_as_they_are(home: Home, tmp_path: Path) -> None:
    profile = "https://www.linkedin.com/in/janeq"
    near = {
        "email": f"mary{EMAIL}",
        "phone": "",
        "full_name": f"Mary{NAME}",
        "company": "Brightfern",
        "title": "CFO",
        "notes": f"not {EMAIL}",
    }
    rows = [JANE | {"linkedin_url": profile}, near | {"linkedin_url": f"{profile}-512"}]
    (tmp_path / "near.csv").write_text(table(rows))
    broken = tmp_path / "broken.ndjson"
    broken.write_text(
        f'{json.dumps(OTHERS[1])}\n{{"email": "x.{EMAIL}", "notes": "{{"\n{{"notes": "call\\n{EMAIL}", "email": 7, "email": 8}}\n'
    )
    home.ask("ingest", str(tmp_path / "near.csv"), "--campaign", "near")
    home.ask("ingest", str(broken), "--campaign", "near")
    home.ask("run", "--campaign", "near")
    late = tmp_path / "late.csv"
    late.write_text(table([near | {"email": f"ann{EMAIL}", "full_name": "Ann Other"}]))
    home.ask("ingest", str(late), "--campaign", "late")  # no run has read it yet
    kept = "SELECT email, full_name, linkedin_url FROM identity.leads WHERE campaign_id = 'near' AND full_name LIKE 'Mary%'"
    (before,) = home.rows(kept)
    home.ask("forget", EMAIL)
    home.ask("run", "--all")
    assert home.rows(kept) == [before] == [(near["email"], near["full_name"], f"{profile}-512")]
    assert home.rows("SELECT email FROM identity.leads WHERE campaign_id = 'late'") == [(f"ann{EMAIL}",)]
    assert home.rows("SELECT notes FROM identity.leads WHERE campaign_id = 'near' AND notes <> ''") == [("not " + "*" * len(EMAIL),)]
    rejects = home.rows(
        "SELECT position, code, contains(raw_text, 'x.') FROM intake.rejected_payloads WHERE campaign_id = 'near' ORDER BY ALL"
    )
    assert rejects == [(2, "forgotten", False), (2, "truncated_json", True), (3, "forgotten", False)]


def test_whoever_was_forgotten_stays_out_when_imported_again(home: Home, tmp_path: Path) -> None:
    home.ask("forget", EMAIL)
    again = tmp_path / "again.csv"
    again.write_text(table([{**JANE, "email": "", "full_name": "J. Q."}, {**JANE, "email": EMAIL.upper(), "phone": ""}]))
    home.ask("ingest", str(again), "--campaign", "winter")
    assert home.ask("run", "--campaign", "winter")["billed"]["calls"] == 0
    assert home.rows("SELECT reason, count(*) FROM identity.suppressed GROUP BY 1") == [("asked to be forgotten", 2)]
    assert home.rows("SELECT count(*) FROM identity.leads WHERE campaign_id = 'winter'") == [(0,)]


def test_by_phone_and_once_more_after_an_interruption(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from lead_assets.privacy import forget as forgetting
    from lead_assets.privacy import taking_out
    from lead_assets.privacy.lists import read_identifier

    asked = read_identifier(PHONE)
    assert asked is not None

    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    taken = ("_redact_events", "_redact_ledger", "_redact_warehouse", "redact_place")
    for room, step in [*((taking_out, step) for step in taken), (forgetting, "let_go")]:
        with monkeypatch.context() as patched, opened_ledger(home.settings) as ledger:
            patched.setattr(room, step, cut)
            with pytest.raises(KeyboardInterrupt):
                forgetting.forget(home.settings, ledger, asked)
    receipt = home.ask("forget", PHONE)
    assert receipt["leads"] == 2
    assert home.left() == []


def test_an_export_has_every_value_and_where_it_came_from(home: Home) -> None:
    held = home.ask("export-person", EMAIL)
    assert (EMAIL in held["person"]["emails"], held["person"]["names"]) == (True, [NAME.lower()])
    assert [each["campaign_id"] for each in held["received"]] == ["autumn", "spring"] or len(held["received"]) == 2
    tables = {each["table"]: each for each in held["tables"]}
    assert {"intake.raw_leads", "identity.leads", "signals.email", "classification.classifications", "routing.decisions"} <= tables.keys()
    leads = tables["identity.leads"]
    assert {row["email_normalized"] for row in leads["rows"]} == {EMAIL}
    assert leads["columns"]["email_normalized"]["from"] == ["intake.raw_leads.email_normalized", "intake.raw_leads.email"]
    assert ("hunter", EMAIL) in {(answer["provider"], answer["about"]) for answer in held["answers"]}
    assert {"destination": "hubspot", "vendor_id": "501"} in held["sent_to"]
    assert "kim.li@brightfern.example" not in json.dumps(tables)
    home.ask("forget", EMAIL)
    after = home.ask("export-person", EMAIL)
    assert (after["received"], after["tables"], after["answers"], after["places"]) == ([], [], [], [])
    assert after["suppressed"] == ["email: asked to be forgotten"]


def test_a_run_in_progress_comes_first(home: Home) -> None:
    from lead_assets.privacy.forget import NotForgotten, forget
    from lead_assets.privacy.lists import read_identifier

    asked = read_identifier(EMAIL)
    assert asked is not None
    with opened_ledger(home.settings) as ledger:
        with pytest.raises(NotForgotten, match="run-1 is in progress"):
            forget(home.settings, ledger, asked, busy=lambda: ["run-1"])
        assert ledger.suppressions().is_empty()
