"""A campaign's new companies are known accounts before its leads are routed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead_assets.contracts import AccountMember
from lead_assets.core.settings import Settings
from lead_assets.identity.arriving import introduce
from lead_assets.identity.rules import load_identity_rules
from lead_assets.identity.who import who_is_who
from lead_assets.ledger import Ledger
from lead_assets_tests.identity.who_leads import frame, lead

RULES = load_identity_rules(Settings())
KNOWN = frame(
    lead("a", "1", "Jane Doe", email_normalized="jane@acme.com", company_clean="Acme", country_code="US"),
    lead("a", "2", "Bo Li", email_normalized="bo@globex.com", company_clean="Globex", country_code="US"),
)
NEW = frame(
    lead("b", "3", "Ed Ro", day=1, email_normalized="ed@acme.de", company_clean="Acme", country_code="DE"),
    lead("b", "4", "Al Ek", day=1, email_normalized="al@gmail.com", company_clean="Globex", country_code="US", account_key="person:0f"),
    lead("b", "5", "Di Po", day=1, email_normalized="di@initech.com", company_clean="Initech", country_code="US"),
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


def test_new_domains_and_names_of_known_companies_have_their_account_at_once(ledger: Ledger) -> None:
    found = who_is_who(KNOWN, RULES, ledger.identities)
    assert introduce(NEW, RULES, ledger.identities, found.account_members) == 2
    known = {row[0]: row[1] for row in ledger.identities.known("account")}
    assert known["acme.de"] == known["acme.com"] != known["globex.com"] == known["person:0f"]
    assert "initech.com" not in known
    after = who_is_who(KNOWN.vstack(NEW), RULES, ledger.identities)
    assert dict(after.account_members.select("member", "account_id").iter_rows())["acme.de"] == known["acme.com"]


def test_new_domains_of_one_new_company_are_one_account_at_once_and_later(ledger: Ledger) -> None:
    row = lead("b", "6", "Flo Poe", day=1, email_normalized="flo@initech.de", company_clean="Initech", country_code="DE")
    alone = lead(
        "b", "7", "Gus Roe", day=1, email_normalized="gus@yahoo.com", company_clean="Initech", country_code="US", account_key="person:1a"
    )
    both = NEW.vstack(frame(row, alone))
    assert introduce(both, RULES, ledger.identities, AccountMember.empty()) == 3
    known = {member: entity for member, entity, _ in ledger.identities.known("account")}
    assert set(known) == {"initech.com", "initech.de", "name:initech/US", "person:1a"}
    assert len(set(known.values())) == 1
    assert introduce(both, RULES, ledger.identities, AccountMember.empty()) == 0, "who is registered stays who it is"
    after = dict(who_is_who(both, RULES, ledger.identities).account_members.select("member", "account_id").iter_rows())
    assert {after[member] for member in known if member != "person:1a"} == set(known.values())


def test_nothing_known_introduces_nobody_and_what_is_apart_stays_apart(ledger: Ledger) -> None:
    assert introduce(NEW, RULES, ledger.identities, who_is_who(frame(), RULES, ledger.identities).account_members) == 0
    found = who_is_who(KNOWN, RULES, ledger.identities)
    assert introduce(frame(), RULES, ledger.identities, found.account_members) == 0
    ledger.identities.decide("account", [("acme.com", "acme.de")], same=False)
    introduce(NEW, RULES, ledger.identities, found.account_members)
    assert ledger.identities.known("account", ["acme.de"]) == []
