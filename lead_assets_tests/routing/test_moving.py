"""Leads given to a person by hand, and how a what-if is summed up."""

from __future__ import annotations

import hashlib
import json

import polars as pl
import pytest

from lead_assets.core.unknown_words import UnknownWord
from lead_assets.ledger.assignments_model import Move
from lead_assets.routing.moving import check_receiver, way_of
from lead_assets.routing.table import digested
from lead_assets.routing.what_if import gains_and_losses
from lead_assets_tests.routing.frames import table

ROSTER = table(
    """
owners: [{id: ana, name: Ana}, {id: bo, name: Bo, active: false}, {id: cy, name: Cy, left: true}]
fallback_owner: ana
"""
)


def test_who_can_be_given_leads_by_hand() -> None:
    check_receiver("ana", ROSTER)
    for owner, said in (("bo", "'bo' is not active"), ("cy", "'cy' has left"), ("an", "no owner 'an'")):
        with pytest.raises(UnknownWord, match=said):
            check_receiver(owner, ROSTER)


def test_a_move_is_kept_with_who_made_it_and_why() -> None:
    move = Move(by="kim", why="on leave", kind="transfer")
    key, said = way_of(move, "ana", ROSTER, "digest")
    told = json.loads(said)
    assert (told["authority"], told["reason"], told["fallback"], told["table"]) == ("moved", "moved by kim: on leave", False, "digest")
    assert way_of(move, "ana", ROSTER, "digest") == (key, said)
    assert way_of(move, "ana", ROSTER, "another")[0] != key


def test_the_digest_of_a_table_is_of_its_words_as_they_are_written() -> None:
    """Leads that were routed are kept with it: another way to make it would make every lead routed by another table."""
    digest, content = digested({"owner": "Jürgen"})
    assert content == '{"owner": "Jürgen"}'
    assert digest == hashlib.sha256(content.encode()).hexdigest()[:16]


def test_whoever_changes_most_is_named_first_and_equals_by_name() -> None:
    replayed = pl.DataFrame({"now": ["ana", "ana", "bo", "cy", "di"], "then": ["bo", "bo", "bo", "di", "cy"]})
    assert gains_and_losses(replayed) == [
        {"owner": "ana", "now": 2, "then": 0, "gained": 0, "lost": 2},
        {"owner": "bo", "now": 1, "then": 3, "gained": 2, "lost": 0},
        {"owner": "cy", "now": 1, "then": 1, "gained": 1, "lost": 1},
        {"owner": "di", "now": 1, "then": 1, "gained": 1, "lost": 1},
    ]
