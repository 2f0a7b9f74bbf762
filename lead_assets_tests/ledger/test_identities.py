"""The register of who is who, on both databases: ids that outlive the warehouse, and what people decided."""

from __future__ import annotations

from lead_assets.ledger import Ledger
from lead_assets.ledger.identities import Decided, Registered


def test_a_member_has_the_entity_it_was_last_recorded_with(ledger: Ledger) -> None:
    register = ledger.identities
    register.record("person", [("a/1", "person_1", 10), ("b/2", "person_2", 20)])
    register.record("person", [("b/2", "person_1", 10)])
    register.record("account", [("a/1", "account_9", 5)])
    assert sorted(register.known("person")) == [("a/1", "person_1", 10), ("b/2", "person_1", 10)]
    assert register.known("person", ["b/2", "c/3"]) == [("b/2", "person_1", 10)]
    assert register.members("person", ["person_1"]) == [Registered("a/1", "person_1", 10), Registered("b/2", "person_1", 10)]
    assert register.taken("person", ["person_1", "person_2", "account_9"]) == {"person_1"}


def test_the_last_decision_about_a_pair_counts_and_a_merge_clears_what_it_contradicts(ledger: Ledger) -> None:
    register = ledger.identities
    assert register.decide("person", [("b", "a"), ("a", "c"), ("a", "a")], same=False) == 2
    assert register.decisions("person") == [Decided("a", "b", False), Decided("a", "c", False)]
    register.decide("person", [("a", "b")], same=True, instead_of=[("c", "a"), ("a", "b")])
    assert register.decisions("person") == [Decided("a", "b", True)]
    assert register.decisions("account") == []
