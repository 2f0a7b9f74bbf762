"""What has been kept long enough goes, by kind; what stays can still be counted."""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_assets.contracts import Lead, RawLead, RejectedPayload
from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings
from lead_assets.identity.resolve import resolve
from lead_assets.intake.ingest import ingest
from lead_assets.intake.read import read_campaigns
from lead_assets.ledger import Ledger, Lifetimes, Reply, Want, purchase
from lead_assets.privacy.retention import KeptFor, PrivacyRules, load_privacy_rules, retain
from lead_assets.stores.opened import archive_of, warehouse_of

NOW = datetime(2026, 11, 30, tzinfo=UTC)
FOREVER = dict.fromkeys(KeptFor.model_fields, "forever")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    return Settings(home=tmp_path / "home")


@pytest.fixture
def ledger(home: Settings) -> Ledger:
    return Ledger(home.ledger_location, lambda: NOW)


def rules(**ages: str) -> PrivacyRules:
    return PrivacyRules(keep=KeptFor.model_validate(FOREVER | ages))


def lead(name: str, **more: str) -> dict[str, str]:
    return {"email": f"{name}@acme.example", "full_name": f"{name.title()} Doe", **more}


def test_an_old_drop_leaves_marks_that_are_counted_and_no_rows(home: Settings, ledger: Ledger) -> None:
    archive, warehouse = archive_of(home), warehouse_of(home)
    old = "".join(
        json.dumps(lead(name, campaign_id=campaign)) + "\n" for name, campaign in (("ann", "spring"), ("bob", "autumn"), ("cid", "spring"))
    )
    ingest(archive, gzip.compress(old.encode() + b"{broken\n"), name="old", received_at=NOW - timedelta(days=400), campaign=None)
    ingest(archive, json.dumps(lead("dan")).encode(), name="new", received_at=NOW - timedelta(days=10), campaign="spring")
    campaigns = archive.campaigns()
    before = read_campaigns(archive, campaigns)
    for contract, frame in ((RawLead, before.raw_leads), (Lead, resolve(before.raw_leads).leads), (RejectedPayload, before.rejected)):
        warehouse.write(contract, frame, campaigns)

    assert retain(home, ledger, rules(drops="365d"), NOW, dry_run=True)["drops"]["removed"] == 1
    assert read_campaigns(archive, campaigns).raw_leads.equals(before.raw_leads)
    assert retain(home, ledger, rules(drops="365d"), NOW)["drops"]["removed"] == 1
    assert retain(home, ledger, rules(drops="365d"), NOW)["drops"]["removed"] == 0

    after = read_campaigns(archive, campaigns)
    assert after.received.equals(before.received)
    assert after.raw_leads["email"].to_list() == ["dan@acme.example"]
    assert set(after.rejected["code"]) == {"expired"}
    assert after.rejected.group_by("campaign_id").len().sort("campaign_id")["len"].sum() == 4
    assert warehouse.read(Lead)["email"].to_list() == warehouse.read(RawLead)["email"].to_list() == ["dan@acme.example"]


def test_answers_go_by_what_they_are_about_and_leave_their_cost(home: Settings, ledger: Ledger) -> None:
    async def vendor(wants: list[Want]) -> list[Reply]:
        return [Reply("found", body={"about": want.subject}, cost_micros=7) for want in wants]

    lifetimes = Lifetimes(timedelta(days=1), timedelta(days=1))
    asked = [("hunter", "jane@acme.example"), ("pipe0", "acme.example"), ("anthropic", "0a" * 32)]
    wants = [Want(provider, f"{provider}.asked", subject, 100, "spring", lifetimes) for provider, subject in asked]
    purchase(ledger, wants, vendor)
    costs = ledger.costs()
    kept = rules(answers_about_people="30d", answers_of_models="30d")
    assert retain(home, ledger, kept, NOW + timedelta(days=20)) == {
        "answers_about_people": {"removed": 0, "bytes": 0},
        "answers_of_models": {"removed": 0, "bytes": 0},
    }
    removed = retain(home, ledger, kept, NOW + timedelta(days=31))
    assert {kind: each["removed"] for kind, each in removed.items()} == {"answers_about_people": 1, "answers_of_models": 1}
    assert ledger.costs().equals(costs)
    assert set(ledger.answers(want.key for want in wants)) == {wants[1].key}
    assert retain(home, ledger, kept, NOW + timedelta(days=40))["answers_about_people"]["removed"] == 0


def test_old_files_go_and_young_ones_stay(home: Settings, ledger: Ledger) -> None:
    folders = {
        "taken_files": home.home / "landing" / ".taken" / "day",
        "run_logs": home.home / "dagster" / "storage" / "r" / "compute_logs",
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
        for name, days in (("old", 40), ("young", 5)):
            (folder / name).write_text("12345")
            at = (NOW - timedelta(days=days)).timestamp()
            os.utime(folder / name, (at, at))
    removed = retain(home, ledger, rules(taken_files="30d", run_logs="30d"), NOW)
    assert removed == {"taken_files": {"removed": 1, "bytes": 5}, "run_logs": {"removed": 1, "bytes": 5}}
    assert all([file.name for file in folder.iterdir()] == ["young"] for folder in folders.values())


def test_as_shipped_nothing_goes_that_cannot_be_made_again(home: Settings) -> None:
    keep = load_privacy_rules(home).keep
    assert {name for name, age in keep if age is not None} == {"taken_files", "run_logs"}


@pytest.mark.parametrize(
    ("age", "says"),
    [("soon", "an age is a whole number and a unit"), ("0d", "at least 1d"), ("2h", "at least 1d"), ("90", "an age is a whole number")],
)
def test_a_wrong_age_is_an_error_with_its_line(tmp_path: Path, age: str, says: str) -> None:
    lines = ["keep:", *(f"  {name}: {age if name == 'events' else 'forever'}" for name in KeptFor.model_fields)]
    (tmp_path / "privacy.yaml").write_text("\n".join(lines) + "\n")
    with pytest.raises(RulesError, match=f"line 3.*{says}"):
        load_privacy_rules(Settings(home=tmp_path, rules_dir=tmp_path))
