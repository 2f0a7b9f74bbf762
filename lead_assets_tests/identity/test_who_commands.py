"""`lead-assets identity merge`, `unmerge` and `explain`, and what a run makes of the decisions."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lead_assets.cli import who
from lead_assets.contracts import Lead
from lead_assets.core.settings import Settings
from lead_assets.identity import standing
from lead_assets.identity.deciding import NotDecided
from lead_assets.identity.explaining import explained
from lead_assets.identity.records import account_kind, account_records, person_kind, person_records
from lead_assets.identity.rules import load_identity_rules
from lead_assets.identity.who import WhoIsWho, who_is_who
from lead_assets.ledger import Ledger
from lead_assets.ledger.opened import ledger_of
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.conftest import Command
from lead_assets_tests.identity.who_leads import frame, lead, many
from lead_assets_tests.rows import rows

RULES = load_identity_rules(Settings())
JANE = {"email_normalized": "jane@acme.com", "company_clean": "Acme"}
LEADS = frame(
    lead("a", "1", "Jane Doe", **JANE),
    lead("b", "2", "Jane Doe", day=1, **JANE),
    lead("b", "3", "Jane Doe", day=1, **JANE),
    lead("b", "4", "Bo Li", day=1, email_normalized="bo@globex.com", company_clean="Globex"),
)


@pytest.fixture
def own(home: Path) -> Settings:
    settings = Settings(home=home)
    warehouse = warehouse_of(settings)
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, LEADS.to_dicts()), ["a", "b"])
    return settings


@pytest.fixture
def ledger(own: Settings) -> Ledger:
    return ledger_of(own)


def made(ledger: Ledger) -> WhoIsWho:
    return who_is_who(LEADS, RULES, ledger.identities)


def together(found: WhoIsWho) -> set[frozenset[str]]:
    grouped = found.person_leads.group_by("person_id").agg(pl.col("lead_id"))
    return {frozenset(ids) for ids in grouped["lead_id"].to_list()}


def test_a_lead_is_taken_out_and_put_back(ledger: Ledger) -> None:
    jane = made(ledger).people.filter(pl.col("full_name") == "Jane Doe")["person_id"].item()
    assert who.unmerge(ledger, "b/2")["apart"] == 2
    assert together(made(ledger)) == {frozenset({"1", "3"}), frozenset({"2"}), frozenset({"4"})}
    assert who.merge(ledger, "b/2", jane)["no_longer_apart"] == 2
    assert together(made(ledger)) == {frozenset({"1", "2", "3"}), frozenset({"4"})}


def test_a_person_is_taken_apart_and_strangers_are_put_together(ledger: Ledger) -> None:
    people = made(ledger).people
    jane, bo = (people.filter(pl.col("full_name") == name)["person_id"].item() for name in ("Jane Doe", "Bo Li"))
    who.unmerge(ledger, jane)
    who.merge(ledger, bo, "a/1")
    assert together(made(ledger)) == {frozenset({"1", "4"}), frozenset({"2"}), frozenset({"3"})}


def test_two_domains_are_declared_one_account(ledger: Ledger) -> None:
    made(ledger)
    who.merge(ledger, "acme.com", "globex.com")
    found = made(ledger)
    assert found.accounts.select("account_key", "members", "leads").rows() == [("acme.com", 2, 4)]
    who.unmerge(ledger, "globex.com")
    assert made(ledger).accounts.height == 2


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        ("x/9", "a/1", "nothing is known of x/9"),
        ("acme.com", "a/1", "acme.com is an account and a/1 is a person"),
        ("a/1", "a/1", "nothing to merge"),
    ],
)
def test_what_cannot_be_merged_says_why(ledger: Ledger, one: str, other: str, says: str) -> None:
    made(ledger)
    with pytest.raises(NotDecided, match=says):
        who.merge(ledger, one, other)


def test_who_is_alone_cannot_be_taken_out(ledger: Ledger) -> None:
    made(ledger)
    with pytest.raises(NotDecided, match="alone"):
        who.unmerge(ledger, "b/4")


def test_a_pair_is_explained_by_what_agrees(own: Settings, ledger: Ledger, command: Command, tmp_path: Path) -> None:
    made(ledger)
    ledger.close()
    answer = command("identity", "explain", "a/1", "b/4", "--picture", str(tmp_path / "pair.png"), "--json").answer()
    assert (answer["one"], answer["alike_enough"]) == (False, False)
    assert {step["name"]: step["says"] for step in answer["steps"]} == {
        "email": "another mailbox", "phone": "not known of both", "profile": "not known of both", "given": "another given name",
        "family": "another family name", "company": "another company", "place": "not known of both",
    }  # fmt: skip
    assert answer["weight"] == pytest.approx(answer["prior"] + sum(step["bits"] for step in answer["steps"]))
    assert (tmp_path / "pair.png").read_bytes().startswith(b"\x89PNG")
    assert command("identity", "merge", "a/1", "b/4", "--json").answer()["merged"] == ["a/1", "b/4"]
    assert command("identity", "explain", "a/1", "b/4", "--json").answer()["decided"] == "same"
    assert command("identity", "unmerge", "b/4", "--json").code == 1, "they are one only after the next run"
    domains = command("identity", "explain", "acme.com", "globex.com", "--json").answer()
    assert (domains["kind"], domains["one"]) == ("account", False)
    assert "Jane" not in command("identity", "explain", "a/1", "b/2").stdout


def test_an_explanation_sums_up_to_what_splink_says(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standing, "_FEW", 0)
    leads, _ = many(400, 130)
    found = who_is_who(leads, RULES, ledger.identities)
    leads = leads.sort("campaign_id", "lead_id")
    keys = leads.select(pl.concat_str("campaign_id", pl.lit("/"), "lead_id")).to_series()
    first = found.person_leads.with_columns(member=keys).unique("node", keep="first", maintain_order=True).select("node", "member")
    records = person_records(leads)
    links = found.links.filter(pl.col("kind") == "person").head(40)
    for one, other, weight in links.select("one", "other", "weight").iter_rows():
        pair = [first.filter(pl.col("node") == node)["member"].item() for node in (one, other)]
        assert explained(records, pair[0], pair[1], person_kind(RULES)).weight == pytest.approx(weight, abs=0.01)
    companies = found.links.filter(pl.col("kind") == "account").head(10)
    member_of = dict(found.account_members.select("node", "member").iter_rows())
    for one, other, weight in companies.select("one", "other", "weight").iter_rows():
        said = explained(account_records(leads), member_of[one], member_of[other], account_kind(RULES))
        assert said.weight == pytest.approx(weight, abs=0.01)
