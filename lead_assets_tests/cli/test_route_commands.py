"""`lead-assets route`, `reroute` and `owners`, over leads that were really routed: what is asked for moves, everything else stays, and the tables follow."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from lead_assets.cli import routed
from lead_assets.cli.pipeline import run
from lead_assets.cli.status import status
from lead_assets.contracts import RoutingDecision
from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import UnknownWord
from lead_assets.intake.ingest import ingest
from lead_assets.stores.opened import archive_of, warehouse_of

pytestmark = pytest.mark.slow

RULES = """\
owners:
  - {id: nina, name: Nina}
  - {id: omar, name: Omar}
  - {id: desk, name: Desk}
pools:
  - {id: turns, members: [nina, omar]}
territories:
  - {name: lending, pool: turns, when: {profile: lending}}
fallback_owner: desk
"""


@pytest.fixture
def made(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "kept, so that what a run sets is taken back")
    monkeypatch.delenv("DAGSTER_HOME")
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "routing.yaml").write_text(RULES)
    settings = settings.model_copy(update={"rules_dir": rules})
    for campaign in ("fall", "spring"):
        ingest_leads(settings, campaign, 4)
    assert not run(settings)["failures"]
    return settings


def ingest_leads(settings: Settings, campaign: str, count: int) -> None:
    """A drop of lending leads, each of an account of its own."""
    payloads = [
        {
            "lead_id": f"{campaign}-{n}",
            "email": f"jo@{campaign}{n}.example",
            "full_name": "Jordan Reyes",
            "notes": "Bridge loan for a duplex",
        }
        | {"property_address": "12 Maple Row", "property_type": "single_family", "loan_amount_requested": 100_000 + n}
        for n in range(count)
    ]
    data = "".join(json.dumps(payload) + "\n" for payload in payloads).encode()
    at = datetime(2026, 11, 2, tzinfo=UTC)
    ingest(archive_of(settings), data, name=f"{campaign}.ndjson", received_at=at, campaign=campaign, limits=DropLimits(1 << 20))


def rewrite(settings: Settings, old: str, new: str) -> None:
    assert settings.rules_dir is not None
    file = settings.rules_dir / "routing.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def decisions(settings: Settings) -> pl.DataFrame:
    return warehouse_of(settings).read(RoutingDecision, ["fall", "spring"]).sort("campaign_id", "lead_id")


def owners(settings: Settings) -> dict[str, int]:
    return dict(decisions(settings)["owner"].value_counts().iter_rows())


def test_a_decision_is_argued_with_tried_and_moved(made: Settings, tmp_path: Path) -> None:
    before = decisions(made)
    assert owners(made) == {"nina": 4, "omar": 4}
    lead = before.filter(owner="nina").row(0, named=True)
    said = routed.explain(made, lead["lead_id"], [lead["campaign_id"]])
    assert (said["owner"], said["authority"], said["rule"]) == ("nina", "rule", "lending")
    assert said["tried"] == [
        {
            "rule": "lending",
            "goes_to": "pool turns",
            "met": True,
            "conditions": [{"field": "profile", "wants": "in lending", "value": "lending", "met": True}],
        }
    ]
    with pytest.raises(UnknownWord, match="no lead 'nobody' was routed"):
        routed.explain(made, "nobody", None)

    # The rules in force give what was given; others are compared with it, before anything changes.
    assert made.rules_dir is not None
    same = routed.what_if(made, made.rules_dir / "routing.yaml", None)
    assert (same["leads"], same["moved"]) == (8, 0)
    other = tmp_path / "other.yaml"
    other.write_text(RULES.replace("members: [nina, omar]", "members: [nina, omar, desk]"))
    found = routed.what_if(made, other, ["fall"])
    assert found["leads"] == 4
    assert {each["owner"]: each["gained"] for each in found["owners"]}["desk"] >= 1

    # Changed rules move nobody; a run with them gives the same rows.
    rewrite(made, "members: [nina, omar]", "members: [desk]")
    run(made)
    kept = ["routing_table", "owner_email", "owner_crm_id"]
    assert decisions(made).drop(kept).equals(before.drop(kept))
    planned = routed.reroute(made, campaigns=["fall"], owner=None, why="new pool", by="ops", dry_run=True)
    assert (planned["moved"], planned["dry_run"]) == (4, True)
    assert decisions(made).drop(kept).equals(before.drop(kept))
    moved = routed.reroute(made, campaigns=["fall"], owner="nina", why="new pool", by="ops", dry_run=False)
    assert moved["between"] == [{"before": "nina", "after": "desk", "leads": 2}]
    told = {row["table"]: row["why"] for each in status(made)["campaigns"] if each["campaign_id"] == "fall" for row in each["tables"]}
    assert "a source outside the tables changed" in "; ".join(told["routing.decisions"])
    run(made)
    assert owners(made) == {"nina": 2, "omar": 4, "desk": 2}
    again = routed.explain(made, decisions(made).filter(owner="desk")["lead_id"][0], ["fall"])
    assert [(each["kind"], each["before"], each["after"], each["by"], each["why"]) for each in again["changes"] if each["lead_id"]] == [
        ("reroute", "nina", "desk", "ops", "new pool")
    ]


def test_a_leaver_and_accounts_that_were_wrong(made: Settings) -> None:
    with pytest.raises(UnknownWord, match=r"'omar' still gets leads by routing\.yaml: set left: true there first"):
        routed.leave(made, "omar", to=None, why="left", by="ops", dry_run=False)
    with pytest.raises(UnknownWord, match="no owner 'ninna'"):
        routed.leave(made, "omar", to="ninna", why="left", by="ops", dry_run=False)
    rewrite(made, "{id: omar, name: Omar}", "{id: omar, name: Omar, left: true}")
    assert routed.leave(made, "omar", to=None, why="left", by="ops", dry_run=True)["moved"] == 4
    left = routed.leave(made, "omar", to=None, why="left", by="ops", dry_run=False)
    assert left["between"] == [{"before": "omar", "after": "nina", "leads": 4}]
    assert routed.leave(made, "omar", to=None, why="left", by="ops", dry_run=False)["moved"] == 0
    run(made)
    assert owners(made) == {"nina": 8}

    account = decisions(made)["account_key"][0]
    given = routed.transfer(made, account, "desk", why="knows them", by="ops")
    assert given["moved"] == decisions(made).filter(account_key=account).height
    assert routed.history(made, account)["owner"]["owner"] == "desk"
    assert routed.release(made, account, why="a mistake", by="ops") == {"account": account, "before": "desk"}
    assert routed.history(made, account)["owner"] is None
    assert [each["kind"] for each in routed.history(made, account)["changes"]][-1] == "release"
    with pytest.raises(UnknownWord, match=r"no account 'unheard-of\.example'"):
        routed.release(made, "unheard-of.example", why="", by="ops")
    assert {row["owner"]: row["state"] for row in routed.people(made)["owners"]} == {"nina": "active", "omar": "left", "desk": "active"}
    handed = routed.leave(made, "nina", to="desk", why="parental leave", by="ops", dry_run=False)
    assert handed["moved"] > 0
    assert {row["owner"]: row["open"] for row in routed.people(made)["owners"]}["nina"] == 0


def test_owners_in_the_crm_are_imported(made: Settings, tmp_path: Path) -> None:
    file = tmp_path / "crm.csv"
    file.write_text("Domain,Owner,Customer\nhttps://www.acme.example/,77,yes\nother.example,,no\n")
    assert routed.import_crm(made, file) == {"path": str(file), "accounts": 2, "owners": 1, "customers": 1}
    file.write_text("Website,domain,Owner\n,https://Shop.Acme.co.uk/about?x=1,77\n,http://münchen-bau.de,78\n,person:0123456789abcdef,79\n")
    routed.import_crm(made, file)
    with closing(sqlite3.connect(made.home / "ledger.sqlite")) as kept:
        owners = dict(kept.execute("SELECT account_key, owner FROM crm_accounts WHERE owner IS NOT NULL"))
    assert owners == {"acme.example": "77", "acme.co.uk": "77", "xn--mnchen-bau-9db.de": "78", "person:0123456789abcdef": "79"}
    file.write_text("name\nx\n")
    with pytest.raises(ValueError, match="it needs a column account"):
        routed.import_crm(made, file)


def test_a_rebuilt_warehouse_has_the_same_decisions(made: Settings) -> None:
    before = json.dumps(decisions(made).to_dicts(), default=str)
    warehouse = warehouse_of(made)
    for campaign in ("fall", "spring"):
        warehouse.write(RoutingDecision, RoutingDecision.empty(), [campaign])
    rewrite(made, "members: [nina, omar]", "members: [desk]")
    run(made)
    assert json.dumps(decisions(made).to_dicts(), default=str) == before
